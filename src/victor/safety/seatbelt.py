"""Confinement on macOS: a profile for sandbox-exec, which takes the last rule that applies."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from victor.protocols import Launch, Network
from victor.safety.boundaries import Boundaries
from victor.safety.rooms import TEMPORARY, Outlet, Rooms

PROGRAM = "/usr/bin/sandbox-exec"
LIMITS = (
    "Only the workspace and $TMPDIR can be changed, and in the workspace not what other programs"
    " run later, such as .git/hooks, .git/config and .vscode. There is no network but what the"
    " user's settings allow."
)
_BASE = """\
(version 1)
(deny default)
(allow process-exec process-fork)
(allow signal (target same-sandbox))
(allow process-info* (target same-sandbox))
(allow sysctl-read)
(allow user-preference-read)
(allow ipc-posix-sem)
(allow pseudo-tty)
(allow mach-lookup
  (global-name "com.apple.system.opendirectoryd.libinfo")
  (global-name "com.apple.system.logger")
  (global-name "com.apple.trustd.agent"))
(allow file-read*)
(allow file-write* (literal "/dev/null") (literal "/dev/zero") (literal "/dev/tty"))
(allow file-ioctl (literal "/dev/tty"))"""


@dataclass(frozen=True, slots=True)
class Seatbelt:
    """The sandbox of macOS."""

    name: ClassVar[str] = "seatbelt"
    limits: ClassVar[str] = LIMITS
    host_lists: ClassVar[bool] = True
    own_loopback: ClassVar[bool] = False
    hides_files: ClassVar[bool] = True

    def missing(self) -> str:
        """Return why it cannot even be tried; empty where it can."""
        if platform.system() != "Darwin":
            return "it is for macOS only"
        return "" if Path(PROGRAM).is_file() else f"there is no {PROGRAM}"

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
        """Return what to start."""
        text = profile(limits, rooms.temporary, network, outlet)
        return replace(
            launch,
            argv=(PROGRAM, "-p", text, *launch.argv),
            environment={**launch.environment, **dict.fromkeys(TEMPORARY, str(rooms.temporary))},
        )


def profile(
    limits: Boundaries, temporary: Path, network: Network, outlet: Outlet | None = None
) -> str:
    """Return the profile that holds these boundaries."""
    changeable = (*limits.writable, temporary)
    # Moved away, these would take along what is protected in them.
    kept = (*limits.pinned, *limits.writable)
    come_and_go = "file-write-create file-write-unlink"
    lines = [
        _BASE,
        *(f"(allow file-write* (subpath {_quoted(path)}))" for path in changeable),
        *(f"(deny file-write* (subpath {_quoted(path)}))" for path in limits.protected),
        *(f"(deny file-write-unlink (literal {_quoted(path)}))" for path in kept),
        *(f"(deny {come_and_go} (regex {_directly_in(folder)}))" for folder in limits.frozen),
        *(f"(deny file-read* file-write* (subpath {_quoted(path)}))" for path in limits.hidden),
    ]
    if network is Network.ALL:
        lines.append("(allow network* system-socket)")
    elif outlet is not None:
        lines.append(f'(allow network-outbound (remote ip "localhost:{outlet.port}"))')
    return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _directly_in(folder: Path) -> str:
    return '#"^{}/[^/]+$"'.format(re.escape(str(folder)).replace('"', '\\"'))
