"""The second half of a step: run the tool calls of a reply, each restorable."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from victor import plans
from victor.agent.event_bus import EventBus
from victor.agent.fits import NONE, TEXT
from victor.agent.offering import FOUND, SEARCH, Offering
from victor.agent.review_step import ReviewStep
from victor.agent.stages import Stages
from victor.agent.turn import Limits, Turn
from victor.budget import Amounts
from victor.events import (
    CheckpointTaken,
    PlanWritten,
    ToolCallEnded,
)
from victor.messages import Effect, Message, ToolCall, ToolResult, tool_results
from victor.pairing import interrupted
from victor.protocols import (
    Ability,
    Allow,
    CallReview,
    Checkpoint,
    Executed,
    Record,
    Verdict,
)
from victor.tool_digest import found_text

REPORTING_SECONDS = 10.0
"""How much longer than its tool the tool coordinator may take to give a result."""


class ToolStep:
    """Sees to it that every call has a result, and that what it changes can be put back."""

    def __init__(
        self, stages: Stages, bus: EventBus, reviews: ReviewStep, offering: Offering
    ) -> None:
        self._stages = stages
        self._offering = offering
        self._publish = bus.publish
        self._guard = bus.guard
        self._reviews = reviews
        self.limits = Limits()
        self._turn: Turn | None = None
        """The turn that the tools were last told of."""

    async def execute(
        self,
        turn: Turn,
        reviews: tuple[CallReview, ...],
        verdicts: tuple[Verdict, ...],
        answers: dict[str, ToolResult],
    ) -> None:
        """Run the allowed calls; put a result for every call into `answers`, each on record.

        What a call may change is kept right before it, and what it left is noted right after it,
        so that an undo can tell its work from a person's. Raises `BudgetExceeded` where not all
        of the calls may run; then none does.
        """
        allowed = sum(isinstance(verdict, Allow) for verdict in verdicts)
        if turn.budget is not None:
            turn.budget.spend(Amounts(tool_calls=allowed))
        turn.tool_calls += allowed
        for portion in _portions(reviews, verdicts):
            checkpoint = None
            try:
                portion, checkpoint = await self._checkpoint(turn, portion)
                await self._run(turn, portion, answers)
            finally:
                await self._settle(checkpoint)

    def message(self, calls: tuple[ToolCall, ...], answers: Mapping[str, ToolResult]) -> Message:
        """Return one result for every call, in order; what is missing was interrupted."""
        return tool_results(*[answers.get(call.id) or interrupted(call) for call in calls])

    async def _checkpoint(self, turn: Turn, portion: _Portion) -> tuple[_Portion, Any]:
        """Keep what a call may change. Where that fails, a person is asked once more about it."""
        stage = self._stages.checkpoint
        review, verdict = portion[0]
        if stage is None or not _changes(review, verdict):
            return portion, None
        paths = self._guard.read(
            "tool", "paths", lambda: self._stages.tool.paths((review.call,)), _NO_PATHS, fits=_tuple
        )
        starts = bool(review.access.command)
        if not paths and not starts:
            return portion, None
        kept = await self._guard.optional(
            "checkpoint",
            "before",
            lambda: stage.before(turn.session_id, turn.id, paths, workspace=starts),
            _FAILED,
            fits=lambda value: value is None or isinstance(value, Checkpoint),
        )
        if kept is _FAILED:
            return ((review, await self._reviews.ask_without_undo(review)),), None
        if kept is not None:
            self._publish(CheckpointTaken(kept.id, turn.id, tuple(map(str, paths))))
        return portion, kept

    async def _settle(self, checkpoint: Checkpoint | None) -> None:
        stage = self._stages.checkpoint
        if stage is not None and checkpoint is not None:
            await self._guard.optional("checkpoint", "after", lambda: stage.after(checkpoint), None)

    async def _run(self, turn: Turn, portion: _Portion, answers: dict[str, ToolResult]) -> None:
        calls = tuple(review.call for review, _ in portion)
        verdicts = tuple(verdict for _, verdict in portion)
        for review, verdict in portion:
            turn.decided[review.call.id] = _decision(verdict)
        mode = self._reviews.mode()
        self._start_turn(turn)
        seconds = self._seconds(calls)
        executed = self._guard.read(
            "tool",
            "execute",
            lambda: self._stages.tool.execute(calls, verdicts, mode, self._publish),
            None,
            fits=lambda value: hasattr(value, "__anext__"),
        )
        try:
            while (
                executed is not None and (done := await self._next(executed, seconds)) is not None
            ):
                await self._answer(turn, done, answers)
        finally:
            close = getattr(executed, "aclose", None)
            if close is not None:
                await self._guard.optional("tool", "aclose", close, None)
        for call in calls:
            if call.id not in answers:
                result = ToolResult(call.id, f"{call.name} gave no result.", is_error=True)
                await self._answer(turn, Executed(call, result, 0.0), answers)

    def stuck(self) -> str:
        """Return why the turn should end, going round in circles; empty where it does not."""
        stage = self._stages.tool
        return self._guard.read("tool", "stuck", lambda: getattr(stage, "stuck", ""), "", fits=TEXT)

    def _start_turn(self, turn: Turn) -> None:
        """Tell the tools, before the first of a turn runs, what the model that serves it sees."""
        start = getattr(self._stages.tool, "start_turn", None)
        if start is None or self._turn is turn:
            return
        self._turn = turn
        provider = self._stages.provider
        abilities = self._guard.read(
            "provider",
            "model_info",
            lambda: provider.model_info(provider.current).abilities,
            frozenset[Ability](),
            fits=lambda value: isinstance(value, frozenset),
        )
        sees = Ability.IMAGES in abilities
        self._guard.read("tool", "start_turn", lambda: start(sees_images=sees), None, fits=NONE)

    def _seconds(self, calls: tuple[ToolCall, ...]) -> float | None:
        """Return how long to wait for a result; None where a call may take as long as it likes."""
        usual = self.limits.tool_calling_timeout
        ask = getattr(self._stages.tool, "most_seconds", None)
        if ask is None:
            return usual + REPORTING_SECONDS
        most = self._guard.read("tool", "most_seconds", lambda: ask(calls), usual, fits=_seconds)
        return None if most is None else most + REPORTING_SECONDS

    async def _next(self, executed: Any, seconds: float | None) -> Executed | None:
        """Return the next result; None when there is none, or when the coordinator failed."""
        return await self._guard.optional(
            "tool",
            "execute",
            lambda: anext(executed, None),
            None,
            fits=lambda value: value is None or isinstance(value, Executed),
            seconds=seconds,
        )

    async def _answer(self, turn: Turn, done: Executed, answers: dict[str, ToolResult]) -> None:
        """Put a result on record, and only then show it as done."""
        done = self._told_of_rewrite(turn, await self._noted(turn, done))
        why = turn.decided.get(done.call.id, {})
        if done.search:
            done, found = await self._found(done)
            why = {**why, SEARCH: done.search, FOUND: found}
        record = Record(turn.result_kind, turn.id, result=done.result, data=why)
        store = self._stages.session.record
        await self._guard.critical("session", "record", lambda: store(turn.session_id, record))
        answers[done.call.id] = done.result
        self._reviews.learn(done.result)
        if done.plan:
            await self._keep_plan(turn, done)
        self._publish(ToolCallEnded(done.call, done.result, done.seconds, done.display))

    async def _keep_plan(self, turn: Turn, done: Executed) -> None:
        """Put the plan that the call has written on record, and only then show it."""
        record = plans.record(done.plan, turn.id)
        store = self._stages.session.record
        await self._guard.critical("session", "record", lambda: store(turn.session_id, record))
        self._publish(PlanWritten(str(done.call.arguments.get("path", "")), done.plan))

    async def _found(self, done: Executed) -> tuple[Executed, list[str]]:
        """Return the search with what it has found in front of its result, and the names of that,
        which is sent from the next step on."""
        found = await self._offering.find(done.search)
        tools = [one.tool for one in found.tools]
        names = [tool.name for tool in tools]
        told = found_text(done.search, tools, found.further)
        result = replace(done.result, content=f"{told}\n\n{done.result.content}")
        return replace(done, result=result, display=", ".join(names) or "nothing"), names

    def _told_of_rewrite(self, turn: Turn, done: Executed) -> Executed:
        """Return the result with what the model should know of the call that gave it."""
        reason = self._reviews.rewritten.pop(done.call.id, "")
        if not reason:
            return done
        arguments = json.dumps(dict(done.call.arguments), ensure_ascii=False, default=repr)
        ran = turn.decided.get(done.call.id, {}).get("allowed")
        what = "ran than the one you made" if ran else "than the one you made was refused"
        told = f"[Another call {what} ({reason}): {arguments}]"
        content = f"{told}\n{done.result.content}"
        return replace(done, result=replace(done.result, content=content))

    async def join(self) -> None:
        """Let tools that have come since the turn before take part. A person may be asked."""
        join = getattr(self._stages.tool, "join_tools", None)
        if join is not None:
            await self._guard.optional("tool", "join_tools", join, None, seconds=None)

    async def note(self, turn: Turn, paths: tuple[str, ...] = ()) -> str:
        """Return what the model should be told behind the conversation; mostly nothing.

        `paths` are files that a tool has just read or changed; none where a turn begins.
        """
        note = self._stages.prompt.note
        return await self._guard.optional(
            "prompt", "note", lambda: note(turn.facts, paths), "", fits=TEXT
        )

    async def _noted(self, turn: Turn, done: Executed) -> Executed:
        """Return the result with what the model should be told of the files at work."""
        review = next((one for one in turn.reviews if one.call.id == done.call.id), None)
        if review is None or done.result.is_error or not review.access.paths:
            return done
        note = await self.note(turn, review.access.paths)
        if not note:
            return done
        return replace(
            done, result=replace(done.result, content=f"{done.result.content}\n\n{note}")
        )


_Portion: TypeAlias = tuple[tuple[CallReview, Verdict], ...]
"""Calls that are run together."""

_FAILED: Any = object()

_NO_PATHS: tuple[Path, ...] = ()


def _decision(verdict: Verdict) -> Mapping[str, Any]:
    """Return what the record keeps of why a call ran, or did not."""
    return {"allowed": isinstance(verdict, Allow), "because": verdict.reason}


def _portions(reviews: tuple[CallReview, ...], verdicts: tuple[Verdict, ...]) -> Iterator[_Portion]:
    """Split the calls, in order: each that may change something stands alone."""
    together: list[tuple[CallReview, Verdict]] = []
    for one in zip(reviews, verdicts, strict=True):
        if not _changes(*one):
            together.append(one)
            continue
        if together:
            yield tuple(together)
            together = []
        yield (one,)
    if together:
        yield tuple(together)


def _changes(review: CallReview, verdict: Verdict) -> bool:
    return isinstance(verdict, Allow) and review.effect is not Effect.READ_ONLY


def _seconds(value: object) -> bool:
    return value is None or isinstance(value, int | float)


def _tuple(value: object) -> bool:
    return isinstance(value, tuple)
