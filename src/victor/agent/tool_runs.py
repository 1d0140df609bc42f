"""Running tools side by side: in time, again where that is safe, and each with an outcome."""

from __future__ import annotations

import asyncio
import errno
import re
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from victor.agent.known_reads import KnownReads
from victor.agent.tool_progress import ToolProgress
from victor.errors import ToolError, VictorError
from victor.events import ToolCallStarted
from victor.messages import Effect, JsonObject, ToolCall
from victor.protocols import Emit, ITool, ToolEnvironment, ToolOutput
from victor.values import quick

GRACE_SECONDS = 2.0
"""How long a cancelled tool may clean up before it is abandoned."""
RETRY_PAUSE_SECONDS = 0.05
PARALLEL_CALLS = 16

_TRANSIENT = (ConnectionError, TimeoutError, BlockingIOError, InterruptedError)
_TRANSIENT_CODES = (errno.EBUSY, errno.EHOSTUNREACH, errno.ENETUNREACH)


@quick
@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call that is going to run."""

    call: ToolCall
    tool: ITool
    effect: Effect
    """What this call may do, which may be less than its tool may."""
    arguments: JsonObject
    hidden: tuple[re.Pattern[str], ...]
    """Files that must not be shown by it."""
    seconds: float | None
    """How long it may take; None: as long as it likes."""


@quick
@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What a call came to."""

    call: ToolCall
    output: ToolOutput
    seconds: float


def batches(planned: list[PlannedCall]) -> Iterator[list[PlannedCall]]:
    """Group neighbours that only read; every other call stands alone."""
    batch: list[PlannedCall] = []
    for plan in planned:
        reads = plan.effect is Effect.READ_ONLY
        if batch and (not reads or len(batch) == PARALLEL_CALLS):
            yield batch
            batch = []
        if reads:
            batch.append(plan)
        else:
            yield [plan]
    if batch:
        yield batch


async def run_batch(
    batch: list[PlannedCall], environment: ToolEnvironment, known: KnownReads, emit: Emit
) -> AsyncGenerator[CallOutcome, None]:
    """Run the calls beside each other and yield the outcome of each, as they come.

    Closing the generator ends what still runs.
    """
    started = time.perf_counter()
    running: dict[asyncio.Task[ToolOutput], PlannedCall] = {}
    for plan in batch:
        emit(ToolCallStarted(plan.call))
        running[asyncio.create_task(_reported(plan, environment, known, emit))] = plan
    try:
        await asyncio.sleep(0)  # What has nothing to wait for is done by then.
        while running:
            if not any(task.done() for task in running):
                seconds = _time_left(running.values(), started)
                await asyncio.wait(running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in running if task.done()]:
                call = running.pop(task).call
                yield CallOutcome(call, _outcome(call, task), time.perf_counter() - started)
            taken = time.perf_counter() - started
            overdue = {task: plan for task, plan in running.items() if _over(plan, taken)}
            ended = await _end(overdue) if overdue else frozenset()
            for task, plan in overdue.items():
                del running[task]
                output = _overdue(plan, abandoned=task not in ended)
                yield CallOutcome(plan.call, output, time.perf_counter() - started)
    finally:
        if running:
            await _end(running)


def _time_left(plans: Any, started: float) -> float | None:
    """Return for how long to wait until a call's time is over; None where none is bounded."""
    limits = [plan.seconds for plan in plans if plan.seconds is not None]
    return max(0.0, started + min(limits) - time.perf_counter()) if limits else None


def _over(plan: PlannedCall, taken: float) -> bool:
    return plan.seconds is not None and taken >= plan.seconds


async def _reported(
    plan: PlannedCall, environment: ToolEnvironment, known: KnownReads, emit: Emit
) -> ToolOutput:
    progress = ToolProgress(plan.call, emit)
    environment = replace(
        environment,
        call_id=plan.call.id,
        hidden=plan.hidden,
        progress=progress.say,
        emit=emit,
        timeout=environment.timeout if plan.seconds is None else plan.seconds,
    )
    try:
        return await _attempts(plan, environment, known)
    finally:
        progress.end()


async def _attempts(
    plan: PlannedCall, environment: ToolEnvironment, known: KnownReads
) -> ToolOutput:
    """Run the tool, once more where that is safe and may help. Never raises but to be cancelled."""
    try:
        try:
            output = await known.run(plan.tool, plan.arguments, environment)
        except (OSError, VictorError) as error:
            if plan.effect is Effect.EFFECTFUL or not _transient(error):
                raise
            await asyncio.sleep(RETRY_PAUSE_SECONDS)
            output = await plan.tool.run(plan.arguments, environment)
    except ToolError as error:
        return ToolOutput(str(error), is_error=True, source=error.source)
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


def _overdue(plan: PlannedCall, *, abandoned: bool) -> ToolOutput:
    rest = " It did not stop when told to and may still be running." if abandoned else ""
    return ToolOutput(
        f"{plan.call.name} took longer than {plan.seconds:g} s and was ended.{rest}"
        " Ask for less, or raise the setting tool_calling_timeout.",
        is_error=True,
    )


def _failure(call: ToolCall, error: BaseException) -> ToolOutput:
    return ToolOutput(f"{call.name} failed: {type(error).__name__}: {error}", is_error=True)


def _transient(error: OSError | VictorError) -> bool:
    if isinstance(error, VictorError):
        return error.retryable
    return isinstance(error, _TRANSIENT) or error.errno in _TRANSIENT_CODES
