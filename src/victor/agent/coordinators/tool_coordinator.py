"""Running tool calls: validation, time limits, retries, and one result for every call, always.

Calls that only read run beside each other; a call with effects runs alone and in its place, so
what the model wrote in order happens in order.
"""

from __future__ import annotations

import asyncio
import errno
import re
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from victor.agent.outputs import Outputs
from victor.errors import ConfigError, ToolError, VictorError
from victor.events import ToolCallStarted
from victor.messages import Effect, JsonObject, ToolCall, ToolResult, ToolSpec
from victor.protocols import (
    Access,
    Allow,
    CallReview,
    Emit,
    Executed,
    ITool,
    IToolAccess,
    Mode,
    ToolEnvironment,
    ToolOutput,
    Verdict,
)

FitArguments: TypeAlias = Callable[[ToolSpec, JsonObject], JsonObject]
"""Returns arguments that fit the tool's schema. Raises `ToolError`, naming what does not."""

CHARACTERS_PER_TOKEN = 4
GRACE_SECONDS = 2.0
"""How long a cancelled tool may clean up before it is abandoned."""
RETRY_PAUSE_SECONDS = 0.05
PARALLEL_CALLS = 16

_TRANSIENT = (ConnectionError, TimeoutError, BlockingIOError, InterruptedError)
_TRANSIENT_CODES = (errno.EBUSY, errno.EHOSTUNREACH, errno.ENETUNREACH)


@dataclass(frozen=True, slots=True)
class _Planned:
    """A call that is going to run."""

    call: ToolCall
    tool: ITool
    arguments: JsonObject
    hidden: tuple[re.Pattern[str], ...]
    """Files that must not be shown by it."""


class ToolCoordinator:
    """Runs the calls that safety let pass.

    `output_limit` is in tokens, estimated at four characters each. What a result has beyond it
    goes to a file below `spill_folder`; without one it is dropped, and the model is told so.
    `fit_arguments` checks arguments against a tool's schema; without it tools check their own.
    """

    def __init__(
        self,
        tools: tuple[ITool, ...] = (),
        workspace: Path | None = None,
        *,
        output_limit: int = 8_000,
        spill_folder: Path | None = None,
        fit_arguments: FitArguments | None = None,
        timeout: float = 120.0,
        session_id: str = "",
    ) -> None:
        self._tools: dict[str, ITool] = {}
        self._telling: dict[str, IToolAccess] = {}
        self._specs: tuple[ToolSpec, ...] = ()
        self._fit = fit_arguments or _as_given
        self._outputs = None if spill_folder is None else Outputs(spill_folder)
        self._environment = ToolEnvironment(
            workspace=(workspace or Path.cwd()).resolve(),
            session_id=session_id,
            timeout=timeout,
            output_limit=output_limit * CHARACTERS_PER_TOKEN,
        )
        for tool in tools:
            self.add_tool(tool)

    def configure(self, config: Mapping[str, Any]) -> None:
        """Adopt `tool_calling_timeout` (seconds) and `tool_output_limit` (tokens).

        Raises `ConfigError` and then keeps what holds.
        """
        now = self._environment
        timeout = _positive(config, "tool_calling_timeout", now.timeout)
        limit = _positive(config, "tool_output_limit", now.output_limit / CHARACTERS_PER_TOKEN)
        self._environment = replace(
            now, timeout=timeout, output_limit=int(limit * CHARACTERS_PER_TOKEN)
        )

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """Every tool there is, in the order added."""
        return self._specs

    def add_tool(self, tool: ITool) -> None:
        """Offer `tool`, in the place of one of the same name if there is one."""
        name = tool.spec.name
        self._tools[name] = tool
        self._telling.pop(name, None)
        if isinstance(tool, IToolAccess):
            self._telling[name] = tool
        self._specs = tuple(known.spec for known in self._tools.values())

    def start_session(self, session_id: str) -> None:
        """Tell tools from now on that they run in this session."""
        self._environment = replace(self._environment, session_id=session_id)

    async def forget_session(self, session_id: str) -> None:
        """Delete what the session's tools had set aside. Raises `ToolError`."""
        try:
            if self._outputs is not None:
                await self._outputs.forget(session_id)
        except OSError as error:
            raise ToolError(f"{error.filename} cannot be deleted: {error.strerror}.") from error

    def reviews(self, calls: tuple[ToolCall, ...]) -> tuple[CallReview, ...]:
        """Return what safety needs to know of each call, in order."""
        return tuple(self._review(call) for call in calls)

    def paths(self, calls: tuple[ToolCall, ...]) -> tuple[Path, ...]:
        """Return the paths that the calls may change, each once."""
        found: dict[Path, None] = {}
        for call in calls:
            tool = self._tools.get(call.name)
            if tool is not None and tool.spec.effect is not Effect.READ_ONLY:
                found.update(dict.fromkeys(self._paths(tool, call) or ()))
        return tuple(found)

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
        environment = self._environment
        if mode is not Mode.BUILD:
            environment = replace(environment, writable=False)
        planned: list[_Planned] = []
        for call, verdict in zip(calls, verdicts, strict=True):
            match self._plan(call, verdict):
                case _Planned() as plan:
                    planned.append(plan)
                case refusal:
                    yield refusal
        for batch in _batches(planned):
            running = self._run_batch(batch, environment, emit)
            try:
                async for executed in running:
                    yield executed
            finally:
                await running.aclose()

    def _plan(self, call: ToolCall, verdict: Verdict) -> _Planned | Executed:
        tool = self._tools.get(call.name)
        if tool is None:
            names = ", ".join(self._tools) or "none"
            return _refusal(call, f"There is no tool {call.name!r}. The tools are: {names}.")
        if call.invalid:
            return _refusal(
                call,
                f"The arguments of {call.name} were not a JSON object, so nothing ran. Call it"
                f" again with valid JSON. What arrived: {_excerpt(call.invalid)}",
            )
        if not isinstance(verdict, Allow):
            return _refusal(call, f"not allowed: {verdict.reason}")
        try:
            return _Planned(call, tool, self._fit(tool.spec, call.arguments), verdict.hidden)
        except ToolError as error:
            return _refusal(call, f"{error} Nothing ran.")

    async def _run_batch(
        self, batch: list[_Planned], environment: ToolEnvironment, emit: Emit
    ) -> AsyncGenerator[Executed, None]:
        started = time.perf_counter()
        running: dict[asyncio.Task[ToolOutput], _Planned] = {}
        for plan in batch:
            emit(ToolCallStarted(plan.call))
            running[asyncio.create_task(_attempts(plan, environment))] = plan
        deadline = started + environment.timeout
        try:
            while running:
                left = max(0.0, deadline - time.perf_counter())
                done, _ = await asyncio.wait(
                    running, timeout=left, return_when=asyncio.FIRST_COMPLETED
                )
                for task in [task for task in running if task in done]:
                    call = running.pop(task).call
                    yield await self._executed(call, _outcome(call, task), started)
                if not done:
                    break
            overdue, running = running, {}
            ended = await _end(overdue) if overdue else frozenset()
            for task, plan in overdue.items():
                output = _overdue(plan.call, environment.timeout, abandoned=task not in ended)
                yield await self._executed(plan.call, output, started)
        finally:
            if running:
                await _end(running)

    async def _executed(self, call: ToolCall, output: ToolOutput, started: float) -> Executed:
        seconds = time.perf_counter() - started
        content = _encodable(output.content) or ("Failed." if output.is_error else "Done.")
        full_output = ""
        if len(content) > self._environment.output_limit:
            content, full_output = await self._cap(call, content)
        result = ToolResult(call.id, content, output.is_error, full_output)
        return Executed(call, result, seconds, _encodable(output.display))

    async def _cap(self, call: ToolCall, content: str) -> tuple[str, str]:
        """Return the beginning and the end of `content`, and the file that holds all of it."""
        limit = self._environment.output_limit
        head = _whole_lines(content[: limit * 2 // 3])
        tail = _whole_lines(content[-(limit // 3) :][::-1])[::-1]
        path, kept = "", "The rest was dropped; ask for less."
        if self._outputs is not None:
            try:
                file = await self._outputs.keep(self._environment.session_id, call, content)
            except OSError as error:
                kept = f"The rest could not be kept ({error.strerror}); ask for less."
            else:
                path, kept = str(file), f"All of it is in {file}: grep it, or read parts of it."
        left_out = len(content) - len(head) - len(tail)
        return f"{head}\n[... {left_out:,} characters left out. {kept} ...]\n{tail}", path

    def _review(self, call: ToolCall) -> CallReview:
        tool = self._tools.get(call.name)
        if tool is None:
            return CallReview(call, Effect.EFFECTFUL, known=False)
        effect = tool.spec.effect
        paths = self._paths(tool, call)
        undoable = effect is Effect.READ_ONLY or bool(paths)
        access = self._access(call, paths)
        return CallReview(call, effect, undoable=undoable, access=access)

    def _paths(self, tool: ITool, call: ToolCall) -> tuple[Path, ...] | None:
        """Return what the call may change; None where the tool could not tell."""
        try:
            return tuple(tool.paths(call.arguments, self._environment))
        except Exception:  # noqa: BLE001  # a tool of anybody's; its arguments are not checked yet
            return None

    def _access(self, call: ToolCall, paths: tuple[Path, ...] | None) -> Access:
        telling = self._telling.get(call.name)
        try:
            if telling is not None:
                return telling.access(call.arguments, self._environment)
        except Exception:  # noqa: BLE001  # as above
            return Access(known=False)
        if paths is None:
            return Access(known=False)
        root = self._environment.workspace
        names = (path.relative_to(root) if path.is_relative_to(root) else path for path in paths)
        texts = (text for text in call.arguments.values() if isinstance(text, str))
        return Access(tuple(name.as_posix() for name in names) or tuple(texts))


def _batches(planned: list[_Planned]) -> Iterator[list[_Planned]]:
    """Group neighbours that only read; every other call stands alone."""
    batch: list[_Planned] = []
    for plan in planned:
        reads = plan.tool.spec.effect is Effect.READ_ONLY
        if batch and (not reads or len(batch) == PARALLEL_CALLS):
            yield batch
            batch = []
        if reads:
            batch.append(plan)
        else:
            yield [plan]
    if batch:
        yield batch


async def _attempts(plan: _Planned, environment: ToolEnvironment) -> ToolOutput:
    """Run the tool, once more where that is safe and may help. Never raises but to be cancelled."""
    if plan.hidden:
        environment = replace(environment, hidden=plan.hidden)
    try:
        try:
            output = await plan.tool.run(plan.arguments, environment)
        except (OSError, VictorError) as error:
            if plan.tool.spec.effect is Effect.EFFECTFUL or not _transient(error):
                raise
            await asyncio.sleep(RETRY_PAUSE_SECONDS)
            output = await plan.tool.run(plan.arguments, environment)
    except ToolError as error:
        return ToolOutput(str(error), is_error=True)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return _failure(plan.call, error)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a tool does, the model is told
        return _failure(plan.call, error)
    return _as_output(output)


def _as_output(output: object) -> ToolOutput:
    """Return what a tool gave; one that breaks its promise is told as text."""
    if isinstance(output, ToolOutput):
        return output
    return ToolOutput(
        output.decode("utf-8", "replace") if isinstance(output, bytes) else str(output)
    )


def _outcome(call: ToolCall, task: asyncio.Task[ToolOutput]) -> ToolOutput:
    """Return what the ended task gave; a tool may even have cancelled itself."""
    if task.cancelled():
        return _failure(call, asyncio.CancelledError("it cancelled itself"))
    return task.result()


async def _end(running: Mapping[asyncio.Task[ToolOutput], object]) -> frozenset[Any]:
    """Cancel the tasks and return those that ended in time; the others are abandoned."""
    for task in running:
        task.cancel()
    done, pending = await asyncio.wait(running, timeout=GRACE_SECONDS)
    for task in (*done, *pending):
        task.add_done_callback(_retrieve)
    return frozenset(done)


def _retrieve(task: asyncio.Task[ToolOutput]) -> None:
    # Otherwise the event loop complains, long after, of an exception that nobody looked at.
    if not task.cancelled():
        task.exception()


def _overdue(call: ToolCall, timeout: float, *, abandoned: bool) -> ToolOutput:
    rest = " It did not stop when told to and may still be running." if abandoned else ""
    return ToolOutput(
        f"{call.name} took longer than {timeout:g} s and was ended.{rest}"
        " Ask for less, or raise the setting tool_calling_timeout.",
        is_error=True,
    )


def _failure(call: ToolCall, error: BaseException) -> ToolOutput:
    return ToolOutput(f"{call.name} failed: {type(error).__name__}: {error}", is_error=True)


def _refusal(call: ToolCall, text: str) -> Executed:
    return Executed(call, ToolResult(call.id, _encodable(text), is_error=True), 0.0)


def _transient(error: OSError | VictorError) -> bool:
    if isinstance(error, VictorError):
        return error.retryable
    return isinstance(error, _TRANSIENT) or error.errno in _TRANSIENT_CODES


def _encodable(text: str) -> str:
    """Return `text` without lone surrogates, which no store and no vendor accepts."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _excerpt(text: str) -> str:
    return text if len(text) <= 400 else f"{text[:300]} ... {text[-80:]}"


def _whole_lines(text: str) -> str:
    """Drop the line that was cut, unless that would drop much."""
    end = text.rfind("\n")
    return text[:end] if end > len(text) // 2 else text


def _positive(config: Mapping[str, Any], key: str, otherwise: float) -> float:
    value = config.get(key)
    if value is None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ConfigError(f"{key} must be a number greater than 0, not {value!r}.")
    return float(value)


def _as_given(_spec: ToolSpec, arguments: JsonObject) -> JsonObject:
    return arguments
