"""Running tool calls: validation, time limits, retries, and one result for every call, always.

Calls that only read run beside each other; a call with effects runs alone and in its place, so
what the model wrote in order happens in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from victor.agent.attachments import Attachments
from victor.agent.known_reads import KnownReads
from victor.agent.outputs import Outputs
from victor.agent.repeats import Repeats
from victor.agent.tool_claims import ToolClaims
from victor.agent.tool_results import ToolResults, encodable
from victor.agent.tool_runs import PlannedCall, batches, run_batch
from victor.errors import ConfigError, ToolError
from victor.messages import Effect, JsonObject, ToolCall, ToolResult, ToolSpec
from victor.protocols import (
    Allow,
    CallReview,
    Emit,
    Executed,
    ITool,
    IToolSource,
    Mode,
    ToolEnvironment,
    Verdict,
)
from victor.tool_digest import unknown_text

FitArguments: TypeAlias = Callable[[ToolSpec, JsonObject], JsonObject]
"""Returns arguments that fit the tool's schema. Raises `ToolError`, naming what does not."""

CHARACTERS_PER_TOKEN = 4


class ToolCoordinator:
    """Runs the calls that safety let pass.

    `output_limit` is in tokens, as `victor.tokens` estimates them. What a result has beyond it
    goes to a file below `spill_folder`; without one it is dropped, and the model is told so.
    `source` gives tools that come later. `plan_of` tells where a session's plan is.
    `fit_arguments` checks arguments against a tool's schema; without it tools check their own.
    """

    def __init__(
        self,
        tools: tuple[ITool, ...] = (),
        workspace: Path | None = None,
        *,
        output_limit: int = 8_000,
        source: IToolSource | None = None,
        spill_folder: Path | None = None,
        fit_arguments: FitArguments | None = None,
        timeout: float = 120.0,
        session_id: str = "",
        plan_of: Callable[[str], Path] | None = None,
    ) -> None:
        self._plan_of = plan_of
        self._claims = ToolClaims()
        self._source = source
        self._joined: dict[str, ITool] = {}
        self._borrowed: tuple[ITool, ...] = ()
        self._specs: tuple[ToolSpec, ...] = ()
        self._fit = fit_arguments or _as_given
        self._outputs = None if spill_folder is None else Outputs(spill_folder)
        self._known = KnownReads()
        self._repeats = Repeats()
        self._environment = ToolEnvironment(
            workspace=(workspace or Path.cwd()).resolve(),
            session_id=session_id,
            timeout=timeout,
            output_limit=output_limit * CHARACTERS_PER_TOKEN,
            output_tokens=output_limit,
        )
        for tool in tools:
            self.add_tool(tool)

    def configure(self, config: Mapping[str, Any]) -> None:
        """Adopt `tool_calling_timeout` (s), `tool_output_limit` (tokens) and `tool_repeat_limit`.

        Raises `ConfigError` and then keeps what holds.
        """
        now = self._environment
        repeats = config.get("tool_repeat_limit", self._repeats.limit)
        if not isinstance(repeats, int) or repeats < 0:
            raise ConfigError(f"tool_repeat_limit must be a whole number, not {repeats!r}.")
        timeout = _positive(config, "tool_calling_timeout", now.timeout)
        limit = int(_positive(config, "tool_output_limit", now.output_tokens))
        self._environment = replace(
            now,
            timeout=timeout,
            output_limit=limit * CHARACTERS_PER_TOKEN,
            output_tokens=limit,
        )
        self._repeats.limit = repeats

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """Every tool there is, in the order added."""
        return self._specs

    @property
    def tools(self) -> tuple[ITool, ...]:
        """The tools themselves, in the same order."""
        return tuple(self._claims.tools.values())

    def add_tool(self, tool: ITool) -> None:
        """Offer `tool`, in the place of one of the same name if there is one."""
        self._claims.tools[tool.spec.name] = tool
        self._specs = tuple(known.spec for known in self._claims.tools.values())

    def join_tools(self) -> Awaitable[None] | None:
        """Take in the tools that have come since, before a turn begins; None: none can come."""
        return None if self._source is None else self._join(self._source)

    async def _join(self, source: IToolSource) -> None:
        for tool in await source.join():
            if self._claims.tools.get(tool.spec.name) is not tool:
                self.add_tool(tool)
                self._joined[tool.spec.name] = tool

    @property
    def joined(self) -> tuple[ITool, ...]:
        """Those that have come from the source, or were borrowed."""
        return tuple(self._joined.values())

    def borrow(self, tools: tuple[ITool, ...]) -> None:
        """Offer tools as well that another conversation holds, which also releases them."""
        for tool in tools:
            self.add_tool(tool)
            self._joined[tool.spec.name] = tool
        self._borrowed = tools

    @property
    def attachments(self) -> Attachments:
        """What a person can name of the source of tools, to go along with what they say."""
        return Attachments(self._source, self._environment, self._outputs)

    def start_session(self, session_id: str) -> None:
        """Tell tools from now on that they run in this session."""
        plan = None if self._plan_of is None else self._plan_of(session_id)
        self._environment = replace(self._environment, session_id=session_id, plan=plan)

    async def forget_session(self, session_id: str) -> None:
        """Delete what the session's tools had set aside. Raises `ToolError`."""
        try:
            if self._outputs is not None:
                await self._outputs.forget(session_id)
        except OSError as error:
            raise ToolError(f"{error.filename} cannot be deleted: {error.strerror}.") from error

    async def aclose(self) -> None:
        """Let tools release what they hold, such as commands in the background."""
        own = (tool for tool in self._claims.tools.values() if tool not in self._borrowed)
        holders = (self._source, *own)
        ends = [getattr(holder, "aclose", None) for holder in holders]
        await asyncio.gather(*(end() for end in ends if end is not None))

    def reviews(self, calls: tuple[ToolCall, ...]) -> tuple[CallReview, ...]:
        """Return what safety needs to know of each call, in order."""
        environment = self._environment
        return tuple(self._claims.review(call, environment) for call in calls)

    def paths(self, calls: tuple[ToolCall, ...]) -> tuple[Path, ...]:
        """Return the paths that the calls may change, each once."""
        environment = self._environment
        found = (path for call in calls for path in self._claims.changes(call, environment))
        return tuple(dict.fromkeys(found))

    def most_seconds(self, calls: tuple[ToolCall, ...]) -> float | None:
        """Return how long any of the calls may take; None: as long as it likes."""
        seconds = [self._claims.most_seconds(call, self._environment) for call in calls]
        return None if None in seconds else max(filter(None, seconds), default=None)

    def start_turn(self, *, sees_images: bool = False) -> None:
        """Note that a turn begins, and whether the model that serves it sees pictures."""
        self._repeats.begin()
        if sees_images is not self._environment.sees_images:
            self._environment = replace(self._environment, sees_images=sees_images)

    @property
    def stuck(self) -> str:
        """Why the turn should end, since the same call gives the same again; empty if not."""
        return self._repeats.stuck

    async def execute(
        self,
        calls: tuple[ToolCall, ...],
        verdicts: tuple[Verdict, ...],
        mode: Mode,
        emit: Emit,
    ) -> AsyncGenerator[Executed, None]:
        """Run the allowed calls and yield one result for every call, as they come.

        Emits `ToolCallStarted` for each call that runs. Closing the generator ends what still runs.
        """
        self._repeats.begin_step()
        environment = self._environment
        if mode is not Mode.BUILD:
            file = environment.plan if mode is Mode.PLAN else None
            environment = replace(environment, writable=False, plan=file)
        planned: list[PlannedCall] = []
        for call, verdict in zip(calls, verdicts, strict=True):
            match self._plan(call, verdict):
                case PlannedCall() as plan:
                    planned.append(plan)
                case refusal:
                    yield self._watched(refusal)
        results = ToolResults(environment.output_tokens, self._outputs, environment.session_id)
        for batch in batches(planned):
            if batch[0].effect is not Effect.READ_ONLY:
                self._known.forget()
            running = run_batch(batch, environment, self._known, emit)
            try:
                async for outcome in running:
                    yield self._watched(await results.of(outcome))
            finally:
                await running.aclose()

    def _plan(self, call: ToolCall, verdict: Verdict) -> PlannedCall | Executed:
        tool = self._claims.tools.get(call.name)
        if tool is None:
            return _refusal(call, unknown_text(call.name, self._claims.tools))
        if call.invalid:
            return _refusal(
                call,
                f"The arguments of {call.name} were not a JSON object, so nothing ran. Call it"
                f" again with valid JSON. What arrived: {_excerpt(call.invalid)}",
            )
        if not isinstance(verdict, Allow):
            return _refusal(call, f"not allowed: {verdict.reason}")
        try:
            arguments = self._fit(tool.spec, call.arguments)
        except ToolError as error:
            return _refusal(call, f"{error} Nothing ran.")
        effect = self._claims.effect(call)
        seconds = self._claims.most_seconds(call, self._environment)
        return PlannedCall(call, tool, effect, arguments, verdict.hidden, seconds)

    def _watched(self, executed: Executed) -> Executed:
        """Return the call with its result, and with a word to the model if it repeats itself."""
        note = self._repeats.note(executed.call, executed.result)
        if not note:
            return executed
        result = executed.result
        return replace(executed, result=replace(result, content=f"{result.content}\n{note}"))


def _refusal(call: ToolCall, text: str) -> Executed:
    return Executed(call, ToolResult(call.id, encodable(text), is_error=True), 0.0)


def _excerpt(text: str) -> str:
    return text if len(text) <= 400 else f"{text[:300]} ... {text[-80:]}"


def _positive(config: Mapping[str, Any], key: str, otherwise: float) -> float:
    value = config.get(key)
    if value is None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ConfigError(f"{key} must be a number greater than 0, not {value!r}.")
    return float(value)


def _as_given(_spec: ToolSpec, arguments: JsonObject) -> JsonObject:
    return arguments
