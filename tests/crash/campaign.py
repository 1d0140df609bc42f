"""Kill many processes, look at what each left, and let the next one finish the conversation."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Self

from tests.crash import earlier
from tests.crash.child import NOTES, Order, as_line
from tests.crash.judge import problems
from tests.crash.places import IN_A_MIGRATION, IN_A_RESUME, PLACES

AT_RANDOM = "at random"
ROOT = Path(__file__).parents[2]
KILLED = -signal.SIGKILL

_MOST = {"compacted": 2, "shutdown": 1, "migration": 1, "resume": 1}
"""How often a place of this kind is surely reached; the others are at least once in each turn."""


@dataclass(frozen=True)
class Kill:
    """One death that is wanted."""

    number: int
    place: str
    count: int
    moment: float
    """Where it is at random: at which part of the time that a conversation takes."""


@dataclass
class Outcome:
    """What the deaths at one place came to."""

    kills: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass
class Report:
    """What all the deaths came to, by place."""

    places: dict[str, Outcome] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return sum(outcome.kills for outcome in self.places.values())

    @property
    def problems(self) -> list[str]:
        """Everything that was wrong, with its place."""
        return [f"{place}: {text}" for place, o in self.places.items() for text in o.problems]

    def table(self) -> str:
        """Return the kills and what went wrong, by place."""
        width = max(map(len, self.places), default=0)
        lines = [f"{'Killed':{width}}  times  wrong"]
        lines += [
            f"{place:{width}}  {outcome.kills:5}  {len(outcome.problems):5}"
            for place in (AT_RANDOM, *PLACES)
            if (outcome := self.places.get(place)) is not None
        ]
        lines.append(f"{'in all':{width}}  {self.kills:5}  {len(self.problems):5}")
        return "\n".join(lines)


def kills(count: int, seed: int) -> Iterator[Kill]:
    """Yield as many deaths: half of them at random, half at the named places in turn."""
    chance = random.Random(seed)
    named = islice(cycle(PLACES), count // 2)
    for number, place in enumerate([*named, *[AT_RANDOM] * (count - count // 2)]):
        most = _MOST.get(place.split(":")[0], 11)
        yield Kill(number, place, chance.randint(1, most), chance.random())


def run(
    count: int,
    folder: Path,
    *,
    seed: int = 1,
    workers: int = 4,
    tell: Callable[[int], None] = lambda _: None,
) -> Report:
    """Kill `count` processes, with all their files in `folder`, and return what came of it.

    The folder of a death that lost something is kept, and named in the report.
    Processes wait for the disk most of the time, so more `workers` than processors are faster.
    """
    report, started = Report(), time.monotonic()
    wanted: SimpleQueue[Kill] = SimpleQueue()
    for kill in kills(count, seed):
        wanted.put(kill)
    lock = threading.Lock()

    def work() -> None:
        with Processes() as processes:
            while True:
                try:
                    kill = wanted.get_nowait()
                except Empty:
                    return
                home = folder / f"{kill.number:04}"
                died, found = _one(processes, kill, home)
                with lock:
                    outcome = report.places.setdefault(kill.place, Outcome())
                    outcome.kills += died
                    outcome.problems += [f"{text} (see {home})" for text in found]
                    tell(report.kills)
                if not found:
                    shutil.rmtree(home)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report.seconds = time.monotonic() - started
    return report


class Processes:
    """A process that forks others, each to be killed, and tells how they ended."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.seconds = 1.0
        """How long a whole conversation takes, as last seen."""
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, order: Order) -> int:
        """Return how a process ended that does what is ordered: its exit code, or -9."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        started = time.monotonic()
        self._process.stdin.write(as_line(order))
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        if status == 0 and order.kill_after is None:
            self.seconds = time.monotonic() - started
        return status


def _one(processes: Processes, kill: Kill, home: Path) -> tuple[int, list[str]]:
    """Return whether a process was killed (0 or 1), and what was wrong afterwards."""
    (home / "workspace").mkdir(parents=True)
    (home / "workspace" / "notes.txt").write_text(NOTES)
    if kill.place in IN_A_MIGRATION:
        earlier.write(home / "sessions.db")
    if not _kill(processes, kill, home):
        return 0, [f"the place was not reached at time {kill.count}: {_log(home)}"]
    found = list(asyncio.run(problems(home)))
    status = processes.run(Order(str(home)))
    if status:
        found.append(f"after it, a process ended with {status}: {_log(home)}")
    return 1, found + list(asyncio.run(problems(home, whole=True)))


def _kill(processes: Processes, kill: Kill, home: Path) -> bool:
    if kill.place == AT_RANDOM:
        while True:
            # A machine may have been slow when the time was taken: then it was over too soon.
            after = kill.moment * processes.seconds
            if processes.run(Order(str(home), kill_after=after)) == KILLED:
                return True
            processes.seconds *= 0.8
            _start_over(home)
    if kill.place in IN_A_RESUME:
        first = Order(str(home), "effect: done, and no result yet", 1 + int(kill.moment * 11))
        if processes.run(first) != KILLED:
            return False
    return processes.run(Order(str(home), kill.place, kill.count)) == KILLED


def _start_over(home: Path) -> None:
    shutil.rmtree(home)
    (home / "workspace").mkdir(parents=True)
    (home / "workspace" / "notes.txt").write_text(NOTES)


def _log(home: Path) -> str:
    log = home / "log"
    return log.read_text()[-2_000:] if log.exists() else "it said nothing"
