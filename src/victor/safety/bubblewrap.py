"""Confinement by bubblewrap: namespaces of one's own, and a view of the files with holes in it."""

from __future__ import annotations

import marshal
import os
import platform
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from victor.protocols import Launch, Network
from victor.safety import seccomp
from victor.safety.boundaries import Boundaries
from victor.safety.rooms import TEMPORARY, Outlet, Rooms, launcher_command

LIMITS = (
    "Only the workspace and /tmp can be changed, and in the workspace not what other programs run"
    " later, such as .git/hooks, .git/config and .vscode. There is no network but what the user's"
    " settings allow. What is still running when the command ends is ended with it. Empty folders"
    " such as .mcp.json only hold a place as long as a command runs."
)
PLACES = ("/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap")
_NAMESPACES = (
    *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--cap-drop", "ALL", "--die-with-parent", "--hostname", "sandbox"),
)
_OF_THE_KERNEL = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "mtrr")
"""In /proc, and writable for root."""
_HARMLESS = ("cpuinfo", "meminfo", "stat", "loadavg", "uptime", "version", "filesystems", "sys")
"""What programs look for in /proc, and what tells nothing of processes."""
_NAME_RESOLUTION = ("/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager")
_SHARED = ("/run/current-system", "/run/opengl-driver")
_SOCKETS = (Path("/run"), Path("/var/run"))
"""Where the sockets of other programs are, which would do things on one's behalf."""


def find_program(inside: Path | None = None) -> str | None:
    """Return the system's bubblewrap: one that nobody but root can have put there.

    Never one below `inside`, the workspace. None where there is none.
    """
    found = shutil.which("bwrap", path=os.environ.get("PATH", os.defpath))
    for candidate in (*PLACES, *(() if found is None else (found,))):
        path = Path(os.path.realpath(candidate))
        within = inside is not None and path.is_relative_to(os.path.realpath(inside))
        if not within and os.path.isabs(candidate) and _only_roots(path):  # noqa: PTH117  # of PATH
            return str(path)
    return None


def _only_roots(path: Path) -> bool:
    """Return whether only root can change the file and every folder above it."""
    try:
        found = path.stat()
        above = [folder.stat() for folder in path.parents]
    except OSError:
        return False
    if not (stat.S_ISREG(found.st_mode) and found.st_mode & 0o111):
        return False
    return all(
        one.st_uid == 0 and (not one.st_mode & 0o022 or one.st_mode & stat.S_ISVTX)
        for one in (found, *above)
    )


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """Bubblewrap at `program`, with a /proc of its own or without one."""

    program: str | None
    proc: bool = True
    host_lists: ClassVar[bool] = True
    own_loopback: ClassVar[bool] = True
    hides_files: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """What it is called."""
        return "bubblewrap" if self.proc else "bubblewrap without /proc"

    @property
    def limits(self) -> str:
        """What a command cannot do in it, for the model."""
        return LIMITS if self.proc else f"{LIMITS} There is no /proc."

    def missing(self) -> str:
        """Return why it cannot even be tried; empty where it can."""
        if not sys.platform.startswith("linux"):
            return "it is for Linux only"
        if not seccomp.supported():
            return f"there is no filter of system calls for {platform.machine()}"
        if self.program is None:
            return "bwrap is not installed, or others than root could have changed it"
        return ""

    def places(self, limits: Boundaries) -> tuple[Path, ...]:
        """Return what must exist to be protected."""
        return limits.protected

    def start(
        self,
        launch: Launch,
        limits: Boundaries,
        rooms: Rooms,
        network: Network,
        outlet: Outlet | None,
    ) -> Launch:
        """Return what to start; `rooms` keeps the descriptors that it inherits open."""
        told = arguments(launch, limits, rooms, network, proc=self.proc)
        families = (seccomp.UNIX, seccomp.INET, seccomp.INET6, seccomp.NETLINK)
        # bwrap itself gets none of it: a variable for the linker would have it load from anywhere.
        inner_environment = {**launch.environment, **dict.fromkeys(TEMPORARY, "/tmp")}  # noqa: S108  # a private one
        for name, text in inner_environment.items():
            told += ["--setenv", name, text]
        told += ["--seccomp", str(rooms.memory(seccomp.program(families)))]
        program = launch.argv
        passed = launch.pass_fds
        if outlet is not None:
            surrender = {"channel": outlet.channel, "port": outlet.port}
            inner = rooms.memory(marshal.dumps(surrender))
            program = (*launcher_command(inner), *launch.argv)
            passed = (*passed, inner, outlet.channel)
        listed = rooms.memory(b"".join(os.fsencode(text) + b"\0" for text in told))
        return replace(
            launch,
            argv=(str(self.program), "--args", str(listed), "--", *program),
            environment={},
            pass_fds=(*passed, listed, int(told[-1])),
        )


def arguments(
    launch: Launch, limits: Boundaries, rooms: Rooms, network: Network, *, proc: bool = True
) -> list[str]:
    """Return what bubblewrap is told, but for the filter of system calls and the program.

    What is protected must exist.
    """
    told = [*_NAMESPACES, "--ro-bind", "/", "/", "--dev", "/dev"]
    if network is not Network.ALL:
        told.append("--unshare-net")
    told += _proc() if proc else _without_proc()
    covers: dict[Path, tuple[str, ...]] = {
        Path("/tmp"): ("--bind", str(rooms.temporary), "/tmp"),  # noqa: S108  # mounted, not used
    }
    for folder in _SOCKETS:
        if folder.is_dir() and not folder.is_symlink():
            covers[folder] = ("--tmpfs", str(folder))
    for path in (launch.folder, *_seen_all_the_same(launch.environment, network)):
        if any(cover in path.parents for cover in covers):
            covers[path] = ("--ro-bind", str(path), str(path))
    covers.update(_of(limits, rooms))
    for _, mount in sorted(covers.items(), key=lambda cover: len(cover[0].parts)):
        told += mount
    return [*told, "--chdir", str(launch.folder)]


def _of(limits: Boundaries, rooms: Rooms) -> Iterator[tuple[Path, tuple[str, ...]]]:
    for path in (*limits.writable, *limits.pinned):
        yield path, ("--bind", str(path), str(path))
    for folder in limits.frozen:
        yield folder, ("--ro-bind", str(folder), str(folder))
        for child in folder.iterdir():
            if not child.is_symlink():
                yield child, ("--bind", str(child), str(child))
    for path in limits.protected:
        yield path, ("--ro-bind", str(path), str(path))
    for path in limits.hidden:
        if any(path in root.parents for root in limits.writable):
            # What is seen in it all the same must find a place.
            yield path, ("--tmpfs", str(path))
            continue
        nothing = rooms.empty_folder if path.is_dir() else rooms.empty_file
        yield path, ("--ro-bind", str(nothing), str(path))


def _seen_all_the_same(environment: Mapping[str, str], network: Network) -> Iterable[Path]:
    """Yield programs, and what they need, that may lie where everything else is covered."""
    named = environment.get("PATH", "").split(os.pathsep)
    folders = [*named, environment.get("VIRTUAL_ENV", ""), sys.prefix, sys.base_prefix, *_SHARED]
    folders.append(str(Path(__file__).parent))
    if network is Network.ALL:
        folders += _NAME_RESOLUTION
    for folder in folders:
        if folder and os.path.isabs(folder) and os.path.isdir(folder):  # noqa: PTH112, PTH117  # of PATH
            yield Path(os.path.realpath(folder))


def _proc() -> Iterator[str]:
    yield from ("--proc", "/proc")
    for name in _OF_THE_KERNEL:
        if os.path.lexists(f"/proc/{name}"):
            yield from ("--ro-bind", f"/proc/{name}", f"/proc/{name}")


def _without_proc() -> Iterator[str]:
    yield from ("--tmpfs", "/proc")
    for name in _HARMLESS:
        if os.path.lexists(f"/proc/{name}"):
            yield from ("--ro-bind", f"/proc/{name}", f"/proc/{name}")
