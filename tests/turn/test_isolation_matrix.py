"""Fifteen coordinators, six ways to fail, two ways to talk: what a turn makes of it.

The outcome of each is its row in `docs/architecture/coordinator_based_architecture.md`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from victor.agent import bounded, model_step, tool_step
from victor.agent.coordinator_access import COORDINATORS
from victor.agent.orchestrator import AgentOrchestrator
from victor.errors import VictorError
from victor.events import CoordinatorFailed
from victor.messages import ToolCall
from victor.pairing import problems
from victor.testing import RecordingObserver, ScriptedProvider, call

pytestmark = pytest.mark.anyio

New = Callable[..., AgentOrchestrator]

CRITICAL = frozenset({"config", "provider", "context", "chat", "session"})
"""Without these the turn fails with a typed error; all others degrade."""

STOPS_EFFECTS = CRITICAL | {"safety", "mode", "checkpoint", "tool"}
"""Where these fail, nothing is written; for want of a checkpoint, because the person says no."""

OPERATIONS = {
    "config": ("load",),
    "provider": ("current",),
    "mode": ("current",),
    "prompt": ("build_system_prompt",),
    "context": ("append", "fit", "truncate"),
    "tool_selection": ("select",),
    "chat": ("reply",),
    "safety": ("review",),
    "checkpoint": ("before", "after"),
    "tool": ("execute",),
    "session": ("record",),
    "metrics": ("on_event", "flush"),
    "analytics": ("on_event", "flush"),
    "workflow": ("run",),
    "evaluation": ("run",),
}
"""What a turn, or its driver, calls."""

HARMLESS = frozenset({(name, "returns garbage") for name in ("session", "metrics", "analytics")})
"""Nobody reads what these return."""

WAYS = (
    "raises at init",
    "raises in call",
    "hangs",
    "returns garbage",
    "raises at shutdown",
    "stray",
)


class Saboteur:
    """A coordinator whose `operations` fail in one `way`, and which else is the real one."""

    def __init__(self, real: Any, operations: tuple[str, ...], way: str) -> None:
        self._real = real
        self._operations = operations
        self._way = way

    def __getattr__(self, name: str) -> Any:
        if name not in self._operations:
            return getattr(self._real, name)
        plain = not asyncio.iscoroutinefunction(getattr(type(self._real), name, None))
        if isinstance(getattr(type(self._real), name, None), property):
            return self._fail(plain=True)
        return lambda *_, **__: self._fail(plain=plain)

    def _fail(self, *, plain: bool) -> Any:
        match self._way:
            case "raises in call" | "raises at shutdown":
                raise RuntimeError("sabotage")
            case "returns garbage":
                return object() if plain else _value(object())
            case "hangs" if not plain:
                return _hang()
            case "stray" if not plain:
                return _stray()
            case _:
                raise RuntimeError("sabotage")  # What cannot wait cannot hang, nor be cancelled.


async def _value(value: object) -> object:
    return value


async def _hang() -> None:
    await asyncio.Event().wait()


async def _stray() -> None:
    raise asyncio.CancelledError


class Careful:
    """A person who lets everything run that can be undone."""

    async def approve(self, call: ToolCall, question: str) -> bool:
        return "undone" not in question


class Unborn:
    """Fails at init."""

    def __init__(self) -> None:
        raise RuntimeError("sabotage")


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "GRACE_SECONDS", 0.01)
    for step in (model_step, tool_step):
        monkeypatch.setattr(step, "REPORTING_SECONDS", 0.01)


async def _chat(orchestrator: AgentOrchestrator) -> str:
    return (await orchestrator.chat("Write it")).content


async def _stream(orchestrator: AgentOrchestrator) -> str:
    return "".join([chunk.content async for chunk in orchestrator.stream_chat("Write it")])


def sabotaged(new: New, name: str, way: str, provider: ScriptedProvider) -> AgentOrchestrator:
    """Return an orchestrator whose coordinator `name` fails in this way."""
    key = f"{name}_coordinator"
    if way == "raises at init":
        return new(provider=provider, **{key: Unborn})
    real = getattr(new(provider=provider, approver=Careful()), key)
    operations = OPERATIONS[name] if way != "raises at shutdown" else ("aclose", "close")
    soon = {"model_call_timeout": 0.02 if name in {"chat", "context"} else 5}
    soon["tool_calling_timeout"] = 0.02 if name == "tool" else 5
    orchestrator = new(
        provider=provider,
        approve="ask",
        approver=Careful(),
        **soon,
        **{key: Saboteur(real, operations, way)},
    )
    orchestrator._bus.guard.seconds = 0.02
    return orchestrator


@pytest.fixture
def provider() -> ScriptedProvider:
    return ScriptedProvider(call("write", path="out.txt", content="x"), "Done.")


@pytest.mark.parametrize("talk", [_chat, _stream], ids=["chat", "stream"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", COORDINATORS)
async def test_a_failing_coordinator_has_the_outcome_that_its_row_promises(
    new: New,
    provider: ScriptedProvider,
    workspace: Path,
    name: str,
    way: str,
    talk: Callable[[AgentOrchestrator], Awaitable[str]],
) -> None:
    if way == "raises at init" and name in CRITICAL:
        with pytest.raises(VictorError, match=name):
            sabotaged(new, name, way, provider)
        return
    orchestrator = sabotaged(new, name, way, provider)
    heard = RecordingObserver()
    orchestrator.add_observer(heard)

    if name in CRITICAL and way != "raises at shutdown" and (name, way) not in HARMLESS:
        with pytest.raises(VictorError):
            await talk(orchestrator)
    else:
        assert await talk(orchestrator) == "Done."
    _check_failure_is_told(orchestrator, heard, name, way)
    _check_effects(workspace, name, way)
    if name != "context":
        assert not problems(orchestrator.context_coordinator.get_context().messages)
    await _close(orchestrator, name, way)


def _check_failure_is_told(
    orchestrator: AgentOrchestrator, heard: RecordingObserver, name: str, way: str
) -> None:
    if way == "raises at shutdown" or name in {"workflow", "evaluation"}:
        return
    if (name, way) in HARMLESS:
        assert not any(one.failures for one in orchestrator.health().values())
        return
    health = orchestrator.health()[name]
    assert health.failures > 0
    assert health.last_error
    told = {event.coordinator for event in heard.events if isinstance(event, CoordinatorFailed)}
    assert told == {name} or way == "raises at init"
    others = {other: one for other, one in orchestrator.health().items() if other != name}
    assert not any(one.failures for one in others.values())


def _check_effects(workspace: Path, name: str, way: str) -> None:
    """What a broken part must not let happen, did not happen; what it does not concern, did."""
    written = (workspace / "out.txt").exists()
    breaks_the_turn = way not in {"raises at init", "raises at shutdown"}
    stopped = breaks_the_turn and (name, way) not in HARMLESS and name in STOPS_EFFECTS
    assert written is not stopped


async def _close(orchestrator: AgentOrchestrator, name: str, way: str) -> None:
    if name == "session" and way == "raises at shutdown":
        with pytest.raises(VictorError):
            await orchestrator.close()
        return
    await orchestrator.close()


@pytest.mark.parametrize("way", ["raises in call", "hangs", "returns garbage", "stray"])
@pytest.mark.parametrize("name", ["workflow", "evaluation"])
async def test_a_failing_driver_fails_its_own_run_and_leaves_the_chat_unharmed(
    new: New, name: str, way: str
) -> None:
    orchestrator = sabotaged(new, name, way, ScriptedProvider("Still here."))
    drive = orchestrator.run_workflow if name == "workflow" else orchestrator.evaluate
    # A run takes as long as it takes: whoever waits for one sets the limit.
    with pytest.raises(TimeoutError if way == "hangs" else VictorError):
        async with asyncio.timeout(0.02):
            await drive("nothing.yaml")
    assert (await orchestrator.chat("hello")).content == "Still here."


async def test_a_broken_part_that_was_left_alone_is_tried_again(new: New) -> None:
    provider = ScriptedProvider("x", repeat=True)
    orchestrator = sabotaged(new, "tool_selection", "raises in call", provider)
    now = [0.0]
    orchestrator._bus.guard._clock = lambda: now[0]
    for _ in range(5):
        await orchestrator.chat("hi")
    assert orchestrator.health()["tool_selection"].drops == 2
    now[0] += 31
    await orchestrator.chat("hi")
    assert orchestrator.health()["tool_selection"].calls == 4
