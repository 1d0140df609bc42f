"""One try of one task: a fresh folder, a fresh conversation, one turn, then the checks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

from victor.errors import EvaluationError
from victor.evaluation.scorers import score
from victor.evaluation.suite import Check, Outcome, Task
from victor.evaluation.workspace import workspace_of
from victor.messages import Response, Usage
from victor.protocols.evaluation import ITask, NewChat, Trial

_T = TypeVar("_T")

_GRACE: Final = 5.0
"""Seconds that a cancelled conversation is given to close before it is left behind."""

_SHOWN: Final = 2_000


class TrialRunner:
    """Tries the tasks of `victor.evaluation.suite`."""

    def __init__(self, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock

    async def run(self, task: ITask, number: int, new_chat: NewChat) -> Trial:
        """Try a task once and score it. Whatever breaks is a trial that did not pass.

        `seconds` are those of the turn, without the checks.
        """
        if not isinstance(task, Task):
            return Trial(task.id, number, passed=False, seconds=0.0, reason="it is not a Task")
        ended, reason = await _outcome(self._try(task, number, new_chat), None)
        if ended is not None:
            return ended
        return Trial(task.id, number, passed=False, seconds=0.0, reason=reason)

    async def _try(self, task: Task, number: int, new_chat: NewChat) -> Trial:
        async with workspace_of(task) as folder:
            began = self._clock()
            turn = _turn(task.prompt, folder, new_chat)
            response, reason = await _outcome(turn, task.timeout)
            seconds = self._clock() - began
            usage, answer = Usage(), ""
            if isinstance(response, Response):
                usage, answer = response.usage, response.content
                reason = await _failures(task.checks, Outcome(answer, folder))
            elif not reason:
                reason = f"the chat gave {type(response).__name__}, not a Response"
        return Trial(
            task.id,
            number,
            passed=not reason,
            seconds=seconds,
            reason=reason,
            usage=usage,
            answer=answer[:_SHOWN],
        )


async def _turn(prompt: str, folder: Path, new_chat: NewChat) -> Response:
    async with new_chat(folder) as chat:
        return await chat(prompt)


async def _failures(checks: tuple[Check, ...], outcome: Outcome) -> str:
    """Return why the outcome fails, each check's reason on a line; empty where all passed."""
    reasons = []
    for check in checks:
        reason, broken = await _outcome(score(check, outcome), None)
        reasons.append(broken or reason)
    return "\n".join(filter(None, reasons))


async def _outcome(work: Coroutine[Any, Any, _T], limit: float | None) -> tuple[_T | None, str]:
    """Return what `work` gave, or why it gave nothing.

    The failure is read off the task, so that whatever a check or a conversation raises, a stray
    cancellation too, is a reason and not the end of the run.
    """
    task = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=limit)
        if not done:
            return None, f"not done within {limit:g} s"
    finally:
        if not task.done():
            await _end(task)
    if task.cancelled():
        return None, "it cancelled itself"
    failure = task.exception()
    if failure is None:
        return task.result(), ""
    if isinstance(failure, EvaluationError):
        return None, str(failure)
    return None, f"{type(failure).__name__}: {failure}"


async def _end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    # One that swallows its cancellation may still raise when nobody waits any more.
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    await asyncio.wait({task}, timeout=_GRACE)
