"""One turn: a user message up to its response. Read `TurnLoop._steps` from top to bottom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from victor.agent.event_bus import EventBus
from victor.agent.fits import MODE, TEXT, WHOLE_NUMBER
from victor.agent.guard import describe
from victor.agent.model_step import ContextRoom, ModelStep
from victor.agent.review_step import ReviewStep
from victor.agent.stages import Stages
from victor.agent.tool_step import ToolStep
from victor.agent.turn import Limits, Turn
from victor.agent.turn_record import TurnRecord
from victor.errors import CompactionError, ContextExceeded, OutputError, ProviderError, VictorError
from victor.events import ContextCompacted, TurnCancelled, TurnEnded, TurnFailed, TurnStarted
from victor.messages import (
    Context,
    Message,
    Reply,
    Response,
    Role,
    StopReason,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
    user,
)
from victor.protocols import Allow, Endpoint, Mode, Record

OVERFLOW_RETRIES = 3
"""How often a request that was too long for the model is made smaller and sent again."""


class TurnLoop:
    """Runs turns, one at a time."""

    def __init__(self, stages: Stages, bus: EventBus) -> None:
        self._stages = stages
        self._bus = bus
        self._publish = bus.publish
        self._guard = bus.guard
        self._model = ModelStep(stages, bus)
        self._reviews = ReviewStep(stages, bus)
        self._tools = ToolStep(stages, bus, self._reviews, self._model.offering)
        self._kept = TurnRecord(stages, bus)
        self._limits = Limits()
        self._told_mode: Mode | None = Mode.BUILD

    def remember(self, records: tuple[Record, ...]) -> None:
        """Let safety know what a recorded conversation has heard and read, and tool selection
        which tools it was told of."""
        self._reviews.remember(records)
        self._model.offering.remember(records)

    def overhear(self, records: tuple[Record, ...]) -> None:
        """Let safety know what the session has read that this one was forked from."""
        self._reviews.overhear(records)

    def hear(self, words: str) -> None:
        """Let safety take note of what a person said outside of a turn."""
        self._reviews.hear(words)

    def calibrate(self, records: tuple[Record, ...]) -> None:
        """Let the estimate of tokens know what vendors counted in a recorded conversation."""
        self._model.context.learn_from(records)

    def forget_mode(self) -> None:
        """Tell the model the mode with the next turn, whatever it was told before."""
        self._told_mode = None

    def configure(self, config: Mapping[str, Any]) -> None:
        """Adopt the limits among the settings."""
        self._limits = self._tools.limits = Limits.of(config)
        self._model.configure(config, self._limits)

    async def run(self, turn: Turn) -> Response:
        """Return the turn's response, publishing what happens.

        Raises `ProviderError`, `SessionError`, `CompactionError`, `CoordinatorError` or
        `BudgetExceeded`; whatever happens, the history is valid and what was recorded stays.
        """
        try:
            response = await self._within_time(turn)
        except asyncio.CancelledError:
            await self._kept.note(turn, Record("cancelled", turn.id, data=turn.figures()))
            self._publish(TurnCancelled(turn.id))
            raise
        except VictorError as failure:
            error = describe(failure)
            data = {"error": error, **turn.figures()}
            await self._kept.note(turn, Record("failed", turn.id, data=data))
            self._publish(TurnFailed(turn.id, error, type(failure).__name__))
            raise
        self._publish(TurnEnded(response, time.monotonic() - turn.started))
        await self._bus.flush()
        return response

    async def join(self) -> None:
        """Let tools that have come since the turn before take part. A person may be asked."""
        await self._tools.join()

    async def run_tool(self, turn: Turn, call: ToolCall) -> ToolResult:
        """Return the result of a call that a workflow makes, reviewed like the model's own.

        It is no part of the conversation: the record keeps it, the model does not see it.
        """
        turn.result_kind = "tool"
        answers: dict[str, ToolResult] = {}
        reviews = self._reviews.reviews((call,))
        reviews, verdicts = await self._reviews.review(reviews)
        await self._tools.execute(turn, reviews, verdicts, answers)
        return answers[call.id]

    async def run_again(self, turn: Turn, calls: tuple[ToolCall, ...]) -> tuple[ToolResult, ...]:
        """Run calls that a crash interrupted, and return the results that are on record now.

        Only those run that are still declared harmless to repeat, and need no person's word.
        """
        reviews = await self._reviews.harmless(calls)
        answers: dict[str, ToolResult] = {}
        allowed = tuple(Allow("interrupted, and safe to repeat") for _ in reviews)
        await self._tools.execute(turn, reviews, allowed, answers)
        return tuple(answers.values())

    async def _within_time(self, turn: Turn) -> Response:
        """Run the steps, and end them when the seconds of a budget are over."""
        if turn.budget is None:
            return await self._steps(turn)
        with turn.budget.running():
            # Where there is no time at all, the first model call says so.
            timer = asyncio.timeout(turn.budget.seconds_left() or None)
            try:
                async with timer:
                    return await self._steps(turn)
            except TimeoutError:
                over = turn.budget.out_of_time()
                if over is None or not timer.expired():
                    raise
                raise over from None

    async def _steps(self, turn: Turn) -> Response:
        await self._tools.join()
        if turn.heard:
            self._reviews.hear(turn.text)
        said = await self._message(turn)
        sources = tuple(dict.fromkeys(one.source for one in turn.attached))
        self._reviews.read_from(sources)
        data: dict[str, Any] = {"sources": list(sources)} if sources else {}
        data |= {} if turn.heard else {"heard": False}
        await self._kept.record(turn, Record("user", turn.id, message=said, data=data))
        self._kept.append(turn, said)
        self._publish(TurnStarted(turn.session_id, turn.id, turn.text))

        for turn.step in range(1, self._most_steps() + 1):
            reply = await self._ask(turn, ToolChoice.AUTO)
            calls = reply.message.tool_calls
            reviews = turn.reviews = self._reviews.reviews(calls) if calls else ()
            await self._kept.reply(turn, reply, reviews)
            if not calls and await self._goes_back(turn, reply):
                continue
            if not calls:
                return await self._kept.end(turn, reply, reply.stop_reason)

            self._model.offering.called(calls)
            answers: dict[str, ToolResult] = {}
            try:
                reviews, verdicts = await self._reviews.review(reviews)
                await self._tools.execute(turn, reviews, verdicts, answers)
            finally:
                # The context gets the whole step, also where it was cut short halfway.
                self._kept.append(turn, reply.message, self._tools.message(calls, answers))
            await self._bus.flush()
            if self._tools.stuck():
                break

        why = StopReason.TOOL_LOOP if self._tools.stuck() else StopReason.MAX_TOOL_ITERATIONS
        turn.step += 1
        reply = _without_calls(await self._ask(turn, ToolChoice.NONE))
        await self._kept.reply(turn, reply, ())
        while await self._goes_back(turn, reply):
            turn.step += 1
            reply = _without_calls(await self._ask(turn, ToolChoice.NONE))
            await self._kept.reply(turn, reply, ())
        return await self._kept.end(turn, reply, why)

    async def _goes_back(self, turn: Turn, reply: Reply) -> bool:
        """Return whether the answer went back to the model, not being the output asked for.

        Raises `OutputError` once that is given up.
        """
        if turn.output is None:
            return False
        try:
            objection = turn.output.objection(turn.id, reply, self._publish)
        except OutputError:
            self._kept.append(turn, reply.message)
            raise
        if objection is None:
            return False
        self._kept.append(turn, reply.message)
        await self._kept.record(turn, Record("user", turn.id, message=objection))
        self._kept.append(turn, objection)
        return True

    async def _message(self, turn: Turn) -> Message:
        """Return the user's message; behind their words, what has changed since it was told."""
        notes = (self._mode_told(), turn.note, await self._tools.note(turn))
        told = (*notes, *(one.text for one in turn.attached))
        behind = tuple(Text(f"\n\n{text}") for text in told if text)
        images = tuple(image for one in turn.attached for image in one.images)
        if not behind and not images:
            return user(turn.text)
        return Message(Role.USER, (Text(turn.text), *behind, *images))

    def _mode_told(self) -> str:
        """Return what the model is told of the mode; nothing where it knows."""
        mode = self._stages.mode
        current = self._guard.read("mode", "current", lambda: mode.current, Mode.PLAN, fits=MODE)
        if current is self._told_mode:
            return ""
        self._told_mode = current
        return self._guard.read("mode", "instructions", mode.instructions, "", fits=TEXT)

    def _most_steps(self) -> int:
        """Return how many steps may use tools: the setting, stretched by the mode."""
        set_limit = self._limits.max_tool_iterations
        stretch = self._stages.mode.tool_iterations
        return self._guard.read(
            "mode", "tool_iterations", lambda: stretch(set_limit), set_limit, fits=WHOLE_NUMBER
        )

    async def _ask(self, turn: Turn, tool_choice: ToolChoice) -> Reply:
        """Make the step's model call, from the next provider where the current one cannot."""
        model = self._model
        endpoint = model.endpoint()
        window, _ = model.context.window(endpoint)
        tools = await model.offering.select(turn, window)
        system = await model.system_prompt(turn)
        overflow: ContextExceeded | None = None
        tries = OVERFLOW_RETRIES
        while True:
            context = await self._fit(turn, endpoint, system, tools, overflow)
            try:
                return await model.reply(turn, endpoint, system, context, tools, tool_choice)
            except asyncio.CancelledError:
                await self._kept.shown(turn)
                raise
            except ContextExceeded as failure:
                if not tries:
                    raise _in_vain(failure) from None
                tries -= 1
                overflow = failure  # The estimate was off: once more, with half of it.
            except ProviderError as failure:
                # What a person has begun to read cannot be taken back by another model.
                if failure.partial:
                    await self._kept.partial(turn, failure.partial)
                    raise
                if not model.fall_back(failure):
                    raise
                endpoint = model.endpoint()

    async def _fit(
        self,
        turn: Turn,
        endpoint: Endpoint,
        system: str,
        tools: tuple[ToolSpec, ...],
        overflow: ContextExceeded | None,
    ) -> Context:
        """Return a context that fits, smaller than the last one where that was an `overflow`."""
        before = self._kept.in_force()
        try:
            context = await self._model.context.fit(
                turn, endpoint, system, tools, was_too_long=overflow is not None
            )
        except CompactionError:
            if overflow is None:
                raise
            raise _in_vain(overflow) from None
        if context is not before:
            await self._kept.compacted(turn, before)
        return context

    async def room(self, turn: Turn) -> ContextRoom:
        """Return what a request would be made of now; nothing is sent."""
        return await self._model.room(await self._model.system_prompt(turn))

    async def compact(self, turn: Turn, focus: str = "") -> ContextCompacted | None:
        """Make the context smaller now; return what was done, None where nothing could be.

        Raises `CompactionError` or `SessionError`.
        """
        model, before = self._model, self._kept.in_force()
        system = await model.system_prompt(turn)
        endpoint = model.endpoint()
        window, _ = model.context.window(endpoint)
        tools = model.offering.offered(window)
        done = await model.context.compact(turn, endpoint, system, tools, focus)
        turn.compaction = done
        await self._kept.compacted(turn, before)
        return done


def _in_vain(failure: ContextExceeded) -> ContextExceeded:
    failure.hint = f"It was compacted and sent again, in vain. {failure.hint}"
    return failure


def _without_calls(reply: Reply) -> Reply:
    """Return the reply without the tool calls that the model was told not to make."""
    if not reply.message.tool_calls:
        return reply
    parts = tuple(part for part in reply.message.parts if isinstance(part, Text))
    silence = (Text("I have reached the limit of tool calls for one turn."),)
    message = Message(reply.message.role, parts or silence)
    return Reply(message, reply.stop_reason, reply.usage, reply.model, reply.provider)
