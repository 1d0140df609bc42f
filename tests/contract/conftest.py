"""A PostgreSQL server of its own for the tests that want one."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from victor.storage.postgres import PostgresAddress


@dataclass(slots=True)
class Server:
    """A running server, and the commands that stop and start it."""

    address: PostgresAddress
    url: str
    stop: Callable[[], None]
    start: Callable[[], None]
    numbers: Iterator[int]

    def schema(self) -> str:
        """Return a name that no other test has."""
        return f"test_{next(self.numbers)}"


def programs() -> Path | None:
    """Return the folder of the newest server that is installed."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


def as_user() -> list[str]:
    """Return what runs a program as somebody else: the server refuses to be root."""
    if os.getuid():
        return []
    names = [entry.pw_name for entry in pwd.getpwall() if entry.pw_name in {"postgres", "nobody"}]
    return ["setpriv", f"--reuid={max(names)}", "--clear-groups", "--"] if names else []


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start a server of the system's package, on a socket in a folder of its own."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install .[postgres]")
    binaries = programs()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    # Short: the path of a socket has to fit into 107 bytes. And reachable for another user.
    import tempfile

    with tempfile.TemporaryDirectory(prefix="victor-pg-", dir="/tmp") as name:
        folder = Path(name)
        prefix = as_user()
        if prefix:
            user = prefix[1].removeprefix("--reuid=")
            shutil.chown(folder, user)
        data = folder / "data"

        def run(program: str, *arguments: str) -> None:
            done = subprocess.run(
                [*prefix, str(binaries / program), *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stdout.decode(errors="replace")

        def start() -> None:
            # Durability is the server's own affair, and not under test here.
            options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=50"
            run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")

        def stop() -> None:
            run("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")

        run("initdb", "-D", str(data), "-U", "victor", "-A", "trust", "-E", "UTF8", "--no-sync")
        start()
        try:
            url = f"postgresql://victor@/postgres?host={folder}"
            yield Server(PostgresAddress(url), url, stop, start, itertools.count())
        finally:
            stop()
