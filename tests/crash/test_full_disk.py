"""Disks that are full, and stores that may only be read: nothing is acknowledged that is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from victor.agent.coordinators.session_coordinator import SessionCoordinator
from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.errors import SessionError
from victor.events import ToolCallEnded, TurnEnded
from victor.messages import Effect, user
from victor.protocols import Record, SessionInfo
from victor.storage.inspection import problems
from victor.storage.sqlite import SqliteSessionStore
from victor.testing import RecordingObserver, ScriptedProvider, call
from victor.tools.decorator import tool

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

DISK = 600 * 1024
OFFSETS = 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, with little room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={DISK}", "tmpfs"]
    done = subprocess.run(["mount", *options, str(folder)], check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"a small disk can only be mounted by root: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def leave(disk: Path, room: int) -> Path:
    """Fill the disk up to that many bytes, and return what fills it."""
    ballast = disk / "ballast"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    ballast.write_bytes(b"\0" * max(0, free - room))
    return ballast


@tool(effect=Effect.EFFECTFUL)
async def poke(at: str) -> str:
    """Poke something.

    Args:
        at: What to poke.
    """
    return f"poked {at} " + "x" * 3_000


@pytest.mark.parametrize("offset", range(OFFSETS))
async def test_a_conversation_on_a_full_disk_goes_on_when_there_is_room(
    disk: Path, offset: int, tmp_path: Path
) -> None:
    """Each offset is room for some more of the writes: every kind of record meets the end."""
    answers = [([call("poke", at=f"{n}")], f"Poked {n}.") for n in range(40)]
    seen = RecordingObserver()
    orchestrator = AgentOrchestrator(
        Settings(approve="always", enable_checkpoints=False),
        ScriptedProvider(*[reply for pair in answers for reply in pair]),
        "m",
        tools=(poke,),
        workspace=tmp_path,
        session_id="s1",
        session_coordinator=SessionCoordinator(SqliteSessionStore(disk / "s.db")),
    )
    orchestrator.add_observer(seen)
    async with orchestrator:
        await orchestrator.chat("Begin.")
        ballast = leave(disk, 20_000 + offset * 4_700)
        with pytest.raises(SessionError, match=r"s\.db: .*(full|disk I/O).*"):  # noqa: PT012
            for number in range(30):
                await orchestrator.chat(f"Turn {number}")
        ballast.unlink()
        response = await orchestrator.chat("There is room again.")
        assert response.content
        records = await orchestrator.session_coordinator.load("s1")
    stored = {record.turn_id for record in records if record.kind == "ended"}
    ended = [event for event in seen.events if isinstance(event, TurnEnded)]
    assert {event.response.turn_id for event in ended} <= stored
    results = {record.result.call_id for record in records if record.result is not None}
    shown = [event for event in seen.events if isinstance(event, ToolCallEnded)]
    assert {event.call.id for event in shown} <= results
    assert problems(disk / "s.db") == ()


async def test_a_disk_that_is_full_from_the_start_is_told(disk: Path) -> None:
    ballast = leave(disk, 0)
    store = SqliteSessionStore(disk / "s.db")
    info = SessionInfo("s1", "", "/w", "p", "m", 1.0, 1.0)
    with pytest.raises(SessionError, match=r"s\.db"):
        await store.create(info)
    ballast.unlink()
    await store.create(info)
    await store.append("s1", Record("user", "t1", user("hello")))
    assert len(await store.load("s1")) == 1
    await store.aclose()


async def test_a_disk_that_may_only_be_read_is_told_and_usable_after(disk: Path) -> None:
    store = SqliteSessionStore(disk / "s.db")
    await store.create(SessionInfo("s1", "", "/w", "p", "m", 1.0, 1.0))
    await store.append("s1", Record("user", "t1", user("hello")))
    await store.aclose()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(SessionError, match=r"s\.db.*VICTOR_HOME"):
        await store.append("s1", Record("user", "t2", user("again")))
    await store.aclose()
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    await store.append("s1", Record("user", "t2", user("again")))
    assert [record.turn_id for record in await store.load("s1")] == ["t1", "t2"]
    await store.aclose()
