"""A recorded session, had once more: by the present Victor, with nobody asked and nothing run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from victor.agent.offering import sent_before
from victor.agent.orchestrator import AgentOrchestrator
from victor.errors import VictorError
from victor.events import Event
from victor.history import RecordedTurn, turns
from victor.messages import ToolCall, ToolSpec
from victor.plans import Plan, not_told_yet
from victor.protocols import Allow, Mode, Record
from victor.protocols.selection import FIND_TOOLS
from victor.testing.divergence import Divergence, divergences
from victor.testing.recorded_session import AllowAll, RecordedReplies, RecordedTools
from victor.testing.replay_provider import first_difference

if TYPE_CHECKING:
    from victor.agent.stages import ToolStage
    from victor.config.settings import Settings

ALONE: dict[str, Any] = {
    "ephemeral": True,
    "enable_checkpoints": False,
    "enable_analytics": False,
    "fallbacks": (),
    "max_retries": 0,
    **{
        f"budget_{whose}_{what}": None
        for whose in ("turn", "session")
        for what in ("tokens", "usd", "seconds", "model_calls", "tool_calls")
    },
}
"""Settings under which a replay leaves nothing behind, and turns to nobody."""


LOOKING = frozenset({"read", "list", "glob", "grep"})
"""The tools that look at files and at nothing else."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of it."""

    turns: int
    model_calls: int
    tool_calls: int
    divergences: tuple[Divergence, ...]
    """Where it departed from the record, the first one first; empty where it did not."""


async def replay(
    records: tuple[Record, ...],
    settings: Settings,
    *,
    workspace: Path,
    specs: tuple[ToolSpec, ...],
) -> Replay:
    """Have every turn of the record again, and return where it departs from it.

    `specs` are the tools that the model is told of now. Raises `ConfigError`.
    """
    had = turns(records)
    replies, tools = RecordedReplies(), RecordedTools(specs)
    orchestrator = AgentOrchestrator(
        settings.changed(**ALONE),
        replies,
        (_noted(had[0], "model") if had else None) or "recorded",
        workspace=workspace,
        tool_coordinator=tools,
        safety_coordinator=AllowAll(),
    )
    approved = ""
    _send_as_then(orchestrator, had)
    async with orchestrator:
        for turn in had:
            if approved:
                await orchestrator.approve_plan(Plan(approved))
            approved = not_told_yet(turn.records)
            replies.play(turn)
            tools.play(turn)
            await _again(orchestrator, replies, turn)
        again = await orchestrator.session_coordinator.load(orchestrator.session_id) if had else ()
    found = divergences(records, again)
    made = turns(again)
    calls = (len(turn.replies) for turn in made)
    return Replay(len(made), sum(calls), sum(len(turn.results) for turn in made), found)


def _send_as_then(orchestrator: AgentOrchestrator, had: tuple[RecordedTurn, ...]) -> None:
    """Where tools were deferred, begin with those that were sent: the window of then is unknown."""
    replies = (record for turn in had for record in turn.records if record.kind == "reply")
    first = next((record for record in replies if "tools" in record.data), None)
    sent = sent_before((first,)) if first is not None else ()
    restore = getattr(orchestrator.tool_selection_coordinator, "restore", None)
    if restore is not None and any(one.name == FIND_TOOLS and one.offered for one in sent):
        restore(sent)


async def looked_again(records: tuple[Record, ...], tools: ToolStage) -> tuple[Divergence, ...]:
    """Return where a tool that only looks at files gives something else now than it did.

    Nothing else is run; what was refused or failed is not tried again.
    """
    found = []
    for turn in turns(records):
        given = {result.call_id: result for result in turn.results if not result.is_error}
        replies = (record for record in turn.records if record.kind == "reply")
        for step, reply in enumerate(replies, start=1):
            for call in reply.calls:
                if call.name not in LOOKING or call.id not in given:
                    continue
                now = await _looked(call, tools)
                name = f"{call.name} ({call.id})"
                if shown := first_difference(given[call.id].content, now, name):
                    shown = shown.replace("  asked:    ", "  now:      ")
                    found.append(Divergence(turn.number, step, "result", shown))
    return tuple(found)


async def _looked(call: ToolCall, tools: ToolStage) -> str:
    allowed = (Allow("it only looks"),)
    done = tools.execute((call,), allowed, Mode.PLAN, _unheard)
    return "".join([executed.result.content async for executed in done])


def _unheard(event: Event) -> None:
    """Take no note of what happens while it is looked."""


async def _again(
    orchestrator: AgentOrchestrator, replies: RecordedReplies, turn: RecordedTurn
) -> None:
    """Have a turn, whatever comes of it: the record says whether that was to be."""
    replies.name = _noted(turn, "provider") or replies.name
    if model := _noted(turn, "model"):
        orchestrator.switch(None, model)
    if mode := _noted(turn, "mode"):
        orchestrator.set_mode(mode)
    schema = (_noted(turn, "options") or {}).get("output_schema")
    try:
        await orchestrator.chat(turn.words, output=schema)
    except VictorError:
        return


def _noted(turn: RecordedTurn, part: str) -> Any:
    """Return what the first reply of the turn notes of a part; None where it has not changed."""
    first = next((record for record in turn.records if record.kind == "reply"), None)
    return first.data.get(part) if first is not None else None
