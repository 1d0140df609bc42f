"""Holding a program to a number of processes by a control group, where one can be made.

The system's limit on processes does not hold root, and root is who can make such a group: of either
version, but not in a container where the groups are read-only.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

PLACES = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/pids"))
"""Where a group may be made, of version 2 or 1."""
_NAME = "victor-"
_PAUSES = (0.0, 0.005, 0.02, 0.1, 0.5)
"""Seconds, before each attempt at removing what may hold what was killed and is not gone yet."""
_JOIN = 'echo $$ 2>/dev/null > "$0"; exec "$@"'


@asynccontextmanager
async def held_to(most: int | None) -> AsyncIterator[Path | None]:
    """Make a group of at most `most` processes and threads; None where that cannot be done.

    In the end it goes, and with it those that an ended Victor has left.
    """
    made = (_made(place, most) for place in PLACES if most is not None)
    group = next(filter(None, made), None)
    try:
        yield group
    finally:
        if group is not None:
            await _remove(group)


def joining(group: Path, argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return what to start in the place of `argv`: it joins the group, and then becomes that."""
    return ("/bin/sh", "-c", _JOIN, str(group / "cgroup.procs"), *argv)


def _made(place: Path, most: int) -> Path | None:
    group = place / f"{_NAME}{os.getpid()}-{secrets.token_hex(4)}"
    try:
        group.mkdir()
    except OSError:
        return None
    # Without the controller of processes, the group holds nobody.
    with suppress(OSError):
        if (group / "pids.max").exists():
            (group / "pids.max").write_text(str(most), encoding="ascii")
            return group
    _removed(group)
    return None


async def _remove(group: Path) -> None:
    for pause in _PAUSES:
        await asyncio.sleep(pause)
        if _removed(group):
            break
    for left in group.parent.glob(f"{_NAME}*"):
        if _is_nobodys(left):
            _removed(left)


def _is_nobodys(group: Path) -> bool:
    """Return whether the Victor that made it has ended."""
    owner = group.name.removeprefix(_NAME).partition("-")[0]
    return owner.isdigit() and not Path("/proc", owner).exists()


def _removed(group: Path) -> bool:
    with suppress(OSError):
        group.rmdir()
    return not group.exists()
