"""A recorded session of 10,000 messages, on real SQLite: going on with it, and the next turn."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.model import InProcessModel
from benchmarks.script import PROMPT, Figures, Script
from benchmarks.turns import resident_megabytes
from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.messages import Message, assistant, user
from victor.protocols import Record, SessionInfo
from victor.storage.sqlite import SqliteSessionStore

SESSION = "long"
WORDS = "the quick brown fox jumps over the lazy dog and runs on "
"""Repeated to the length of a message of a few sentences."""


async def long_session(messages: int, repeats: int = 3) -> Figures:
    """Return the seconds of resuming (wall), the milliseconds of the next turn (CPU), and the
    megabytes that both add to the memory in use.
    """
    resumes: list[float] = []
    turns: list[float] = []
    memory = 0.0
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "sessions.db"
        await _write(database, folder, messages)
        await _go_on(database, folder, session=None)
        for number in range(repeats):
            gc.collect()
            before = resident_megabytes()
            resumed, turn, after = await _go_on(database, folder)
            # What the first one takes, the others find free again.
            memory = memory if number else after - before
            resumes.append(resumed)
            turns.append(turn)
    return {
        "resume": median(resumes),
        "resumed_turn": 1e3 * median(turns),
        "resumed_memory": memory,
    }


async def _go_on(
    database: Path, workspace: str, session: str | None = SESSION
) -> tuple[float, float, float]:
    """Return the seconds of resuming and of a turn, and the memory in use then.

    Without a session the turn is a first one, which imports what turns need.
    """
    settings = Settings(session_store=str(database))
    orchestrator = AgentOrchestrator(
        settings, InProcessModel(Script()), "model", workspace=workspace
    )
    async with orchestrator:
        gc.collect()
        started = time.perf_counter()
        if session is not None:
            await orchestrator.resume(session)
        resumed = time.perf_counter() - started
        cpu = time.process_time()
        await orchestrator.chat(PROMPT)
        return resumed, time.process_time() - cpu, resident_megabytes()


async def _write(database: Path, workspace: str, messages: int) -> None:
    store = SqliteSessionStore(database)
    now = time.time()
    info = SessionInfo(
        id=SESSION,
        title="A long one",
        workspace=workspace,
        provider="in-process",
        model="model",
        created=now,
        updated=now,
    )
    await store.open(SESSION)
    await store.create(info)
    for turn in range(messages // 2):
        turn_id = f"{SESSION}-{turn}"
        await store.append(SESSION, Record("user", turn_id, message=_message(user, turn)))
        await store.append(SESSION, Record("reply", turn_id, message=_message(assistant, turn)))
        await store.append(SESSION, Record("ended", turn_id))
    await store.aclose()


def _message(made: Callable[[str], Message], turn: int) -> Message:
    return made(f"Message {turn}: {WORDS * 5}")
