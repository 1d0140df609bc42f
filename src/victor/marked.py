"""Everything that a program has started, wherever that has gone: found by a mark, counted, killed.

The mark is a limit on message queues, of which hardly a program knows: unlike a process group or a
variable it is handed down to everything that is started, and cannot be laid off. On Linux only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import time
from collections.abc import Generator
from pathlib import Path

KILLING_SECONDS = 5.0
"""How long what goes on starting others is killed after."""
_LOOK_SECONDS = 0.02
_SHARE_OF_TIME = 20
"""A look that takes long is paid back by a pause of so many times that."""
_MOST_MARK = 800_000
"""Numbers below this, and below the limit that holds here, stand for one program each."""


def new_mark() -> int:
    """Return a mark that nothing carries yet, as far as one can tell."""
    import resource

    most = _MOST_MARK
    if sys.platform.startswith("linux"):
        # Inside of a program that carries a mark, a mark must be lower than that.
        held = resource.getrlimit(resource.RLIMIT_MSGQUEUE)[1]
        most = min(most, held) if held > 1 else most
    return most // 2 + secrets.randbelow(most // 2)


async def more_than(most: int, mark: int) -> None:
    """Return as soon as more than `most` processes and threads carry the mark.

    How many there are in all is cheap to ask, so they are only counted once those are as many more.
    """
    before = _threads_in_all()
    while True:
        begun = time.monotonic()
        if _threads_in_all() - before > most and _threads(mark, most) > most:
            return
        pause = _SHARE_OF_TIME * (time.monotonic() - begun)
        await asyncio.sleep(max(_LOOK_SECONDS, pause))


def kill_all(group: int, mark: int) -> bool:
    """Kill the group and whatever carries the mark, and return whether there was anything."""
    with contextlib.closing(_carrying(mark)) as carrying:
        found = any(not _is_dead(pid) for pid in carrying)
    # The group first: none of it can start another while the system goes through it.
    grouped = signal_group(group, signal.SIGKILL)
    until = time.monotonic() + KILLING_SECONDS
    killed: set[int] = set()
    while time.monotonic() < until:
        count = len(killed)
        for pid in _carrying(mark):
            # At once, as one that is seen and left alone starts others meanwhile.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        if len(killed) == count:
            break
    # The group may still hold a part of the sandbox, which ends by itself and carries no mark.
    return found or (grouped and not sys.platform.startswith("linux"))


def signal_group(group: int, number: signal.Signals) -> bool:
    """Return whether there was a process in the group."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def running_threads(user: int) -> int:
    """Return how many threads the user has: what the system holds to its limit on processes."""
    count = 0
    for folder in os.scandir("/proc"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            if folder.name.isdigit() and folder.stat().st_uid == user:
                count += _threads_of(folder.name)
    return count


def _threads_in_all() -> int:
    """Return how many threads the system has; many, where it does not tell."""
    try:
        told = Path("/proc/loadavg").read_text(encoding="ascii")
        return int(told.split()[3].partition("/")[2])
    except (OSError, ValueError, IndexError):
        return sys.maxsize


def _threads(mark: int, most: int) -> int:
    """Return how many threads carry the mark; of a crowd, some number greater than `most`."""
    count = 0
    with contextlib.closing(_carrying(mark)) as carrying:
        for pid in carrying:
            with contextlib.suppress(OSError, ValueError, IndexError):
                count += _threads_of(str(pid))
            if count > most:
                break
    return count


def _carrying(mark: int) -> Generator[int, None, None]:
    """Yield the processes that carry the mark, dead ones that nobody has asked about, too."""
    if not sys.platform.startswith("linux"):
        return
    import resource

    with os.scandir("/proc") as folders:
        for name in (folder.name for folder in folders if folder.name.isdigit()):
            with contextlib.suppress(OSError, ValueError):
                soft, _ = resource.prlimit(int(name), resource.RLIMIT_MSGQUEUE)
                if soft == mark:
                    yield int(name)


def _is_dead(pid: int) -> bool:
    try:
        return status_of(str(pid))[0] in "ZX"
    except (OSError, IndexError):
        return True


def _threads_of(pid: str) -> int:
    return int(status_of(pid)[17])


def status_of(pid: str) -> list[str]:
    """Return what Linux tells of a process behind its name, beginning with its state.

    Raises `OSError` where there is no such process.
    """
    told = Path("/proc", pid, "stat").read_text(encoding="utf-8", errors="replace")
    return told.rpartition(")")[2].split()
