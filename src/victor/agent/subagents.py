"""Agents that the tool `task` starts: joined here, since tools know nothing of orchestrators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakMethod

from victor.agent.stages import CheckpointStage, SafetyStage
from victor.errors import ToolError
from victor.events import (
    Event,
    SubagentActed,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnded,
)
from victor.messages import ToolCall, ToolResult
from victor.protocols import (
    Allow,
    Ask,
    CallReview,
    Checkpoint,
    Deny,
    Emit,
    Mode,
    Rewrite,
    RunTurn,
    ToolEnvironment,
    ToolOutput,
    Verdict,
)
from victor.taint import Taint

if TYPE_CHECKING:
    from victor.agent.coordinator_access import Coordinators
    from victor.config.settings import Settings

OpenChild: TypeAlias = Callable[[Mode, Emit], AbstractAsyncContextManager[RunTurn]]
"""Opens a conversation of its own in a mode, whose events go to the second argument."""


class Subagents:
    """Runs subagents by what `join` was given."""

    def __init__(self) -> None:
        self._open: Callable[[], OpenChild | None] = _nothing

    def join(self, open_child: OpenChild) -> None:
        """Take the method that opens their conversations; whose it is, is not held by this."""
        self._open = WeakMethod(open_child)

    async def run(self, prompt: str, mode: Mode, environment: ToolEnvironment) -> ToolOutput:
        """Return the answer to `prompt` of an agent of its own. Raises `VictorError`.

        What happens to it is published as `SubagentActed` of the call that runs. Foreign words
        that it has read may be in its answer, too.
        """
        open_child = self._open()
        if open_child is None:
            raise ToolError("No agents can be started here.")

        sources: list[str] = []
        private: list[str] = []

        def emit(event: Event) -> None:
            if isinstance(event, ToolCallEnded):
                sources.extend(filter(None, (event.result.source,)))
                private.extend(filter(None, (event.result.private,)))
            environment.emit(SubagentActed(environment.call_id, type(event).__name__, event))

        async with open_child(mode, emit) as chat:
            answer = (await chat(prompt)).content
        source = f"an agent that read {sources[0]}" if sources else ""
        return ToolOutput(answer, source=source, private=private[0] if private else "")


class KeptByParent:
    """Keeps what a subagent is about to change for the parent's turn, which an undo takes back."""

    def __init__(self, checkpoints: CheckpointStage, session_id: str, turn_id: str) -> None:
        self._checkpoints = checkpoints
        self._session_id = session_id
        self._turn_id = turn_id

    async def before(
        self, session_id: str, turn_id: str, paths: tuple[Path, ...], *, workspace: bool = False
    ) -> Checkpoint | None:
        """Keep it as if the parent were about to make the call. Raises `CheckpointError`."""
        before = self._checkpoints.before
        return await before(self._session_id, self._turn_id, paths, workspace=workspace)

    async def after(self, checkpoint: Checkpoint) -> None:
        """Note what the call left behind. Raises `CheckpointError`."""
        await self._checkpoints.after(checkpoint)


class SafetyOfParent:
    """The safety check that an application has put in Victor's place, as a subagent has it.

    What a subagent hears are a model's words, so it is not told them as a person's.
    """

    def __init__(self, safety: SafetyStage) -> None:
        self._safety = safety

    async def review(self, reviews: tuple[CallReview, ...], mode: Mode) -> tuple[Verdict, ...]:
        """Return what it says of the calls. Raises `SafetyError`."""
        return await self._safety.review(reviews, mode)

    async def ask(self, call: ToolCall, verdict: Ask) -> Allow | Deny | Rewrite:
        """Return what a person says."""
        return await self._safety.ask(call, verdict)

    def learn(self, results: tuple[ToolResult, ...]) -> None:
        """Pass on what the subagent has read: its answer may hold it."""
        learn = getattr(self._safety, "learn", None)
        if learn is not None:
            learn(results)


def shared(kept: KeptByParent, safety: SafetyStage) -> Coordinators:
    """Return the coordinators that a subagent has of its parent; `safety` is the parent's.

    That is its safety as well where it is not of Victor's own kind: else a subagent gets one of its
    own, and `hand_down` tells that what it must know.
    """
    from victor.agent.coordinators.safety_coordinator import SafetyCoordinator

    if type(safety) is SafetyCoordinator:
        return {"checkpoint_coordinator": kept}
    return {"checkpoint_coordinator": kept, "safety_coordinator": SafetyOfParent(safety)}


def child_settings(settings: Settings, mode: Mode, config: Mapping[str, Any]) -> Settings:
    """Return the settings of a subagent in `mode`, where those of its parent have come to `config`.

    It leaves no record, starts one generation of agents less, and no servers.
    """
    depth = max(0, config.get("subagent_depth", 1) - 1)
    return settings.changed(
        ephemeral=True,
        mode=mode.value,
        approve=config.get("approve", settings.approve),
        subagent_depth=depth,
        mcp_servers={},
    )


def hand_down(parent: Mapping[str, Any], child: Mapping[str, Any]) -> None:
    """Let a subagent's safety begin with the rules of its parent's, and with what that has heard
    and read, by coordinators.

    And lend it the tools that have come from servers: who has approved them is asked no more.
    """
    above, below = (getattr(one["safety"], "taint", None) for one in (parent, child))
    if isinstance(above, Taint) and isinstance(below, Taint):
        below.inherit(above)
    rules, inherit = (
        getattr(parent["safety"], "rules", None),
        getattr(child["safety"], "inherit", None),
    )
    if rules is not None and inherit is not None:
        inherit(rules)
    borrow = getattr(child["tool"], "borrow", None)
    if borrow is not None:
        borrow(tuple(getattr(parent["tool"], "joined", ())))


def _nothing() -> None:
    return None


class Passing:
    """Hears a subagent's events, and passes on all but pieces of words."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit

    def on_event(self, event: Event) -> None:
        """Pass the event on."""
        if not isinstance(event, TextDelta | ThinkingDelta | ToolCallDelta):
            self._emit(event)

    async def flush(self) -> None:
        """Do nothing: nothing was put off."""
