"""Going on with a conversation whose process died in the middle of a step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.events import Event, ToolCallEnded
from victor.intents import intents
from victor.messages import Effect, Message, Role, user
from victor.pairing import INTERRUPTED
from victor.protocols import CallReview, Record, SessionInfo
from victor.storage.sqlite import SqliteSessionStore
from victor.testing import ScriptedProvider, call
from victor.tools.decorator import tool

pytestmark = pytest.mark.anyio

CALLS = (
    call("poke", call_id="c1"),
    call("look", call_id="c2", at="here"),
    call("put", call_id="c3", at="there"),
)
EFFECTS = (Effect.EFFECTFUL, Effect.READ_ONLY, Effect.IDEMPOTENT)


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    """A session that breaks off where three calls are intended, and none has a result."""
    store = SqliteSessionStore(tmp_path / "s.db")
    await store.create(SessionInfo("s1", "", str(tmp_path), "p", "m", 1.0, 1.0))
    reviews = (CallReview(one, effect) for one, effect in zip(CALLS, EFFECTS, strict=True))
    reply = Message(Role.ASSISTANT, CALLS)
    await store.append("s1", Record("user", "s1-1", user("Do it.")))
    await store.append("s1", Record("reply", "s1-1", reply, CALLS, intents=intents(reviews)))
    await store.aclose()
    return tmp_path / "s.db"


async def go_on(database: Path, **settings: Any) -> tuple[dict[str, str], list[str], list[Event]]:
    """Return what the model was told of each call, which tools ran, and what happened."""
    ran: list[str] = []

    @tool(effect=Effect.EFFECTFUL)
    async def poke() -> str:
        """Poke."""
        ran.append("poke")
        return "poked"

    @tool(effect=Effect.READ_ONLY)
    async def look(at: str) -> str:
        """Look.

        Args:
            at: Where.
        """
        ran.append("look")
        return f"saw {at}"

    @tool(effect=Effect.IDEMPOTENT)
    async def put(at: str) -> str:
        """Put.

        Args:
            at: Where.
        """
        ran.append("put")
        return f"put {at}"

    provider = ScriptedProvider("Done.", "Again.")
    happened: list[Event] = []
    async with AgentOrchestrator(
        Settings(session_store=str(database), **settings),
        provider,
        "m",
        tools=(poke, look, put),
        workspace=database.parent,
    ) as orchestrator:
        before = await orchestrator.resume("s1")
        assert all(result.content == INTERRUPTED for result in before[-1].tool_results)
        happened += [event async for event in orchestrator.events("Go on.")]
        await orchestrator.chat("And?")
    told = next(m for m in provider.requests[0].messages if m.role is Role.TOOL)
    return {one.call_id: one.content for one in told.tool_results}, ran, happened


async def test_only_what_does_no_harm_twice_runs_again_and_is_told_to_the_model(
    database: Path,
) -> None:
    told, ran, happened = await go_on(database, approve="always")
    assert told == {"c1": INTERRUPTED, "c2": "saw here", "c3": "put there"}
    assert ran == ["look", "put"]
    ended = [event.call.id for event in happened if isinstance(event, ToolCallEnded)]
    assert ended == ["c2", "c3"]

    store = SqliteSessionStore(database)
    results = [record.result for record in await store.load("s1") if record.result]
    await store.aclose()
    assert [(one.call_id, one.content) for one in results] == [
        ("c2", "saw here"),
        ("c3", "put there"),
    ]


async def test_what_a_rule_forbids_by_now_does_not_run_again(database: Path) -> None:
    told, ran, _ = await go_on(database, approve="always", permissions={"deny": ("look", "put")})
    assert set(told.values()) == {INTERRUPTED}
    assert ran == []


async def test_in_a_mode_that_only_reads_nothing_is_put_again(database: Path) -> None:
    told, ran, _ = await go_on(database, mode="plan")
    assert told["c3"] == INTERRUPTED
    assert ran == ["look"]
