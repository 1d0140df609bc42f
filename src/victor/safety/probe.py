"""Whether a kind of sandbox holds: found out by doing in it what must fail, and what must not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from victor.errors import SandboxError
from victor.protocols import Launch, SandboxPolicy
from victor.safety.boundaries import Boundaries

if TYPE_CHECKING:
    from victor.safety.sandbox import Kind

SECONDS = 10.0
_PROGRAM = """
import os, socket, sys
allowed, outside, protected, secret, port = sys.argv[1:]
def can(work):
    try:
        work()
    except OSError:
        return False
    return True
def write(path):
    with open(path, "x") as file:
        file.write("x")
def read():
    with open(secret) as file:
        if not file.read():
            raise OSError
if not can(lambda: write(allowed)): print("an allowed write failed")
if can(lambda: write(outside)): print("a forbidden write succeeded")
if can(lambda: os.mkdir(protected)): print("a protected name could be made")
if can(read): print("a hidden file could be read")
if can(lambda: socket.create_connection(("127.0.0.1", int(port)), 1).close()):
    print("a forbidden connection succeeded")
print("done")
"""


class Confines(Protocol):
    """What prepares a process for one kind of sandbox."""

    def confined(
        self, kind: Kind, launch: Launch, limits: Boundaries, policy: SandboxPolicy
    ) -> AbstractAsyncContextManager[Launch]:
        """Return what to start. Raises `SandboxError`."""
        ...


async def fault(kind: Kind, confines: Confines) -> str:
    """Return what is wrong with a kind of sandbox here, in a few words; empty where it holds."""
    try:
        async with _ground() as (folder, port):
            return await _tried(kind, confines, folder, port)
    except (OSError, SandboxError) as error:
        return str(error).rstrip(".")
    except TimeoutError:
        return f"it took longer than {SECONDS:g} s"


async def _tried(kind: Kind, confines: Confines, folder: Path, port: int) -> str:
    inside, secret = folder / "inside", folder / "secret"
    outside, protected = folder / "outside", inside / "protected"
    limits = Boundaries(writable=(inside,), protected=(protected / "new",), hidden=(secret,))
    allowed = inside / "free" / "allowed"
    paths = (allowed, outside, protected / "new", secret)
    launch = Launch(
        (sys.executable, "-I", "-S", "-c", _PROGRAM, *map(str, paths), str(port)),
        inside,
        {"PATH": os.defpath},
    )
    async with confines.confined(kind, launch, limits, SandboxPolicy()) as start:
        said, code = await _output(start)
    if said != "done" or code:
        return said.removesuffix("done").strip().replace("\n", ", ") or f"it ended with {code}"
    if outside.exists() or not allowed.exists():
        return "its files are not those of this system"
    return ""


async def _output(start: Launch) -> tuple[str, int | None]:
    process = await asyncio.create_subprocess_exec(
        *start.argv,
        cwd=start.folder,
        env=dict(start.environment),
        pass_fds=start.pass_fds,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return said.decode("utf-8", "replace").strip()[-400:], process.returncode


@asynccontextmanager
async def _ground() -> AsyncIterator[tuple[Path, int]]:
    """Return a folder to try things in, and a port of this machine that somebody listens on."""
    folder = _new_folder()
    try:
        for name in ("free", "protected"):
            (folder / "inside" / name).mkdir(parents=True)
        (folder / "secret").write_text("secret", encoding="utf-8")
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(1)
            yield folder, listening.getsockname()[1]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _new_folder() -> Path:
    return Path(os.path.realpath(tempfile.mkdtemp(prefix="victor-try-", dir=_place())))


def _place() -> str | None:
    """Return where a write can be told from one to a temporary folder that takes /tmp's place."""
    candidates = (Path("/var/tmp"),)  # noqa: S108  # made with a name of its own
    return next((str(path) for path in candidates if os.access(path, os.W_OK)), None)
