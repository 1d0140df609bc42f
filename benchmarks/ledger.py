"""The overhead ledger: what each of the fifteen coordinators costs in a turn.

Every coordinator is replaced by a stand-in that passes each call on and takes the time. The time is
exclusive: where one part calls back into another, the clock of the first one stands still. What is
left of the turn is the turn itself: its order, the guard, the events.
"""

from __future__ import annotations

import inspect
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.model import InProcessModel
from benchmarks.script import PROMPT, Script
from benchmarks.subjects.victor import WORKSPACE, looking
from victor.agent.coordinator_access import COORDINATORS
from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings

MODEL_CALL_SECONDS = 0.1
"""The model call that the guide's promise is about: all coordinators cost under 5 % of it."""

PROMISED_SHARE = 0.05


class Clock:
    """Counts time for the part that runs now, and for no other."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._running = ["turn"]
        self._since = time.perf_counter()

    def enter(self, part: str) -> None:
        self._charge()
        self._running.append(part)

    def leave(self) -> None:
        self._charge()
        self._running.pop()

    def read(self) -> dict[str, float]:
        """Return the seconds of each part since it was read last."""
        self._charge()
        seconds = dict(self.seconds)
        self.seconds.clear()
        return seconds

    def _charge(self) -> None:
        now = time.perf_counter()
        self.seconds[self._running[-1]] += now - self._since
        self._since = now


class Timed:
    """Stands in for a part and takes the time of each call."""

    def __init__(self, part: Any, name: str, clock: Clock) -> None:
        self._part = part
        self._name = name
        self._clock = clock

    def __getattr__(self, attribute: str) -> Any:
        self._clock.enter(self._name)
        try:
            value = getattr(self._part, attribute)
        finally:
            self._clock.leave()
        if not inspect.ismethod(value):
            return value
        timed = self._timed(value)
        # The next call finds it without coming here.
        setattr(self, attribute, timed)
        return timed

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        clock, name = self._clock, self._name

        def timed(*args: Any, **named: Any) -> Any:
            clock.enter(name)
            try:
                result = method(*args, **named)
            finally:
                clock.leave()
            if hasattr(result, "__anext__"):
                return _TimedIterator(result, name, clock)
            return _TimedAwaitable(result, name, clock) if inspect.isawaitable(result) else result

        return timed


class _TimedAwaitable:
    """Takes the time while the work runs, not while it waits."""

    def __init__(self, work: Any, name: str, clock: Clock) -> None:
        # `anext` with a default asks for the iterator at each step, and must find the same one.
        self._steps = _timed_steps(work, name, clock)

    def __await__(self) -> Any:
        return self._steps


def _timed_steps(work: Any, name: str, clock: Clock) -> Generator[Any, Any, Any]:
    steps = work.__await__()
    step: Callable[[], Any] = lambda: next(steps)  # noqa: E731
    while True:
        clock.enter(name)
        try:
            waiting_for = step()
        except StopIteration as done:
            return done.value
        finally:
            clock.leave()
        try:
            sent = yield waiting_for
        except BaseException as thrown:  # noqa: BLE001  # passed on to the work
            step = _throwing(steps, thrown)
        else:
            step = _sending(steps, sent)


class _TimedIterator:
    """An async generator of a part, each of its steps timed."""

    def __init__(self, steps: Any, name: str, clock: Clock) -> None:
        self._steps = steps
        self._name = name
        self._clock = clock

    def __aiter__(self) -> Any:
        return self

    def __anext__(self) -> _TimedAwaitable:
        return _TimedAwaitable(self._steps.__anext__(), self._name, self._clock)

    def aclose(self) -> _TimedAwaitable:
        return _TimedAwaitable(self._steps.aclose(), self._name, self._clock)


def _throwing(steps: Any, thrown: BaseException) -> Callable[[], Any]:
    return lambda: steps.throw(thrown)


def _sending(steps: Any, sent: Any) -> Callable[[], Any]:
    return lambda: steps.send(sent)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the parts of a turn cost."""

    calls: int
    """Tool calls of the turn."""
    seconds: dict[str, float]
    """Of each coordinator, of the `model`, and of the `turn`: all the rest, tools included."""

    @property
    def model_calls(self) -> int:
        return 2 if self.calls else 1

    @property
    def coordinators(self) -> float:
        """Seconds of all coordinators together."""
        return sum(self.seconds[name] for name in COORDINATORS)

    def share(self, seconds: float) -> float:
        """Return the share of the turn's model calls of 100 ms."""
        return seconds / (MODEL_CALL_SECONDS * self.model_calls)


async def ledger(calls: int, turns: int) -> Ledger:
    """Return the ledger of a turn with so many tool calls: medians of `turns` turns."""
    clock = Clock()
    script = Script(calls=calls)
    orchestrator = _timed_orchestrator(script, clock)
    read: list[dict[str, float]] = []
    for _ in range(turns + 1):
        clock.read()
        await orchestrator.chat(PROMPT)
        read.append(clock.read())
    parts = (*COORDINATORS, "turn", "model")
    # The first turn opens the session.
    return Ledger(calls, {part: median([one.get(part, 0.0) for one in read[1:]]) for part in parts})


def _timed_orchestrator(script: Script, clock: Clock) -> AgentOrchestrator:
    model: Any = Timed(InProcessModel(script), "model", clock)
    tool = looking(script)
    settings = Settings(ephemeral=True)
    plain = AgentOrchestrator(settings, model, "model", tools=(tool,), workspace=WORKSPACE)
    stand_ins: Any = {
        f"{name}_coordinator": Timed(getattr(plain, f"{name}_coordinator"), name, clock)
        for name in COORDINATORS
    }
    return AgentOrchestrator(
        settings, model, "model", tools=(tool,), workspace=WORKSPACE, **stand_ins
    )
