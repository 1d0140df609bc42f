"""Confinement where no namespaces may be made: Landlock for files, a filter for everything else.

Landlock can only add, never leave out: where something in a folder must stay as it is, the other
entries are allowed one by one, and nothing may come or go in the folder itself.
"""

from __future__ import annotations

import marshal
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from victor.protocols import Launch, Network
from victor.safety import launcher, seccomp
from victor.safety.boundaries import Boundaries, covered
from victor.safety.rooms import TEMPORARY, Outlet, Rooms, launcher_command

OLDEST = 3
"""Before it, files could be truncated in spite of everything."""
LIMITS = (
    "Only what is in the workspace and $TMPDIR can be changed, and in the workspace not what other"
    " programs run later. Directly in the top folder of the workspace, and in .git, no file can be"
    " made, removed or renamed by a command; the write tool can. There is no network unless the"
    " user's settings allow all of it, and there are no local sockets."
)
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_RAW = (Path("/dev"),)


@dataclass(frozen=True, slots=True)
class Landlock:
    """Landlock and seccomp."""

    name: ClassVar[str] = "landlock"
    limits: ClassVar[str] = LIMITS
    host_lists: ClassVar[bool] = False
    """It can tell ports apart, and not hosts."""
    own_loopback: ClassVar[bool] = False
    hides_files: ClassVar[bool] = False
    """It could, but nothing else in their folders would be listed or made any more."""

    def missing(self) -> str:
        """Return why it cannot even be tried; empty where it can."""
        if not sys.platform.startswith("linux"):
            return "it is for Linux only"
        if not seccomp.supported():
            return f"there is no filter of system calls for {platform.machine()}"
        if not sys.executable:
            return "there is no Python program to start it with"
        found = launcher.version()
        if found < OLDEST:
            return f"the kernel has version {found} of it, and {OLDEST} is needed"
        return ""

    def places(self, limits: Boundaries) -> tuple[Path, ...]:
        """Return what must exist to be protected: nothing need."""
        return ()

    def start(
        self,
        launch: Launch,
        limits: Boundaries,
        rooms: Rooms,
        network: Network,
        outlet: Outlet | None,
    ) -> Launch:
        """Return what to start; `rooms` keeps the descriptors that it inherits open."""
        open_to_all = (seccomp.INET, seccomp.INET6, seccomp.NETLINK)
        surrender = rooms.memory(
            marshal.dumps(
                {
                    "parent": os.getpid(),
                    "environment": {
                        **launch.environment,
                        **dict.fromkeys(TEMPORARY, str(rooms.temporary)),
                    },
                    "reading": [str(path) for path in readable(limits)],
                    "writing": [str(path) for path in (*changeable(limits), rooms.temporary)],
                    "calls": seccomp.program(open_to_all if network is Network.ALL else ()),
                }
            )
        )
        return replace(
            launch,
            argv=(*launcher_command(surrender), *launch.argv),
            # Nothing that would have the launcher load from elsewhere before it is confined.
            environment={},
            pass_fds=(*launch.pass_fds, surrender),
        )


def readable(limits: Boundaries) -> Iterator[Path]:
    """Yield what may be read: everything but what is hidden, and devices."""
    holes = (*limits.hidden, *_RAW)
    yield from covered(Path("/"), holes)
    # A writable folder may lie in one that is hidden.
    for root in limits.writable:
        yield from covered(root, [hole for hole in limits.hidden if root in hole.parents])


def changeable(limits: Boundaries) -> Iterator[Path]:
    """Yield what may be changed, down to where something is protected or hidden."""
    # A name that cannot be there makes the entries of a folder be allowed one by one.
    frozen = [folder / "\n" for folder in limits.frozen]
    holes = (*limits.protected, *limits.hidden, *frozen)
    for root in limits.writable:
        yield from covered(root, holes)
    for name in _DEVICES:
        yield Path("/dev", name)
