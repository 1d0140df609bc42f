"""What turns cost: each function measures one subject, in this process, in CPU time.

A figure is the median of several conversations. Nothing is believed: each turn's answer is
compared with the script, and the tool counts how often it ran.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.script import PROMPT, Conversation, Figures, Script, Subject


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is measured."""

    conversations: int = 15
    """How many a median is taken of."""
    turns: int = 20
    """Turns of each; the first, which opens the session, is not among them."""
    pieces: int = 1_000
    long: int = 500
    """Turns of the long conversation."""
    longest: int = 5_000
    """Turns of Victor's even longer one."""
    crowd: int = 200
    """Conversations at once."""
    messages: int = 10_000
    """Messages of the recorded session."""
    processes: int = 9
    """Fresh processes that a median is taken of."""


QUICK = Counts(2, 3, 10, 12, 24, 3, 8, 1)
"""Enough to see that everything runs; the figures mean nothing."""


async def text_turn(subject: Subject, counts: Counts) -> Figures:
    """Return the milliseconds of a turn that is one model call."""
    return {"text_turn": 1e3 * await _turn_seconds(subject, counts, 0)}


async def tool_turn(subject: Subject, counts: Counts) -> Figures:
    """Return the milliseconds of a turn with one tool call."""
    return {"tool_turn": 1e3 * await _turn_seconds(subject, counts, 1)}


async def parallel_turn(subject: Subject, counts: Counts) -> Figures:
    """Return the milliseconds of a turn with eight tool calls in one step."""
    return {"parallel_turn": 1e3 * await _turn_seconds(subject, counts, 8)}


async def chunk(subject: Subject, counts: Counts) -> Figures:
    """Return the microseconds that one streamed chunk adds to a turn."""
    streamed: list[float] = []
    for _ in range(counts.conversations):
        many = await _stream_seconds(subject, Script(pieces=counts.pieces))
        one = await _stream_seconds(subject, Script())
        streamed.append((many - one) / (counts.pieces - 1))
    return {"chunk": 1e6 * median(streamed)}


async def growth(subject: Subject, counts: Counts) -> Figures:
    """Return what a long conversation adds to the cost of a turn, and to the memory in use.

    Blocks of its last turns alternate with blocks of young conversations, so that a machine that
    slows down meanwhile slows both.
    """
    return await _growth(subject, counts.long, "growth", "memory")


async def long_growth(subject: Subject, counts: Counts) -> Figures:
    """Return the same of an even longer conversation."""
    return await _growth(subject, counts.longest, "long_growth", "long_memory")


async def crowd(subject: Subject, counts: Counts) -> Figures:
    """Return what many conversations at once take, CPU and wall, in milliseconds.

    They exist already, and have had a turn; the model sleeps 50 ms before it answers.
    """
    figures: dict[str, list[float]] = {}
    for _ in range(max(2, counts.conversations // 3)):
        script = Script()
        each = [subject.open_conversation(script) for _ in range(counts.crowd)]
        for moment in ("crowd_first", "crowd"):
            gc.collect()
            script.seconds = 0.05
            started, cpu = time.perf_counter(), time.process_time()
            answers = await asyncio.gather(*[one.turn(PROMPT) for one in each])
            figures.setdefault(f"{moment}_cpu", []).append(time.process_time() - cpu)
            figures.setdefault(f"{moment}_wall", []).append(time.perf_counter() - started)
            _check(answers == [script.answer] * counts.crowd, "answers of a crowd")
    return {key: 1e3 * median(values) for key, values in figures.items()}


Measure = Callable[[Subject, Counts], Coroutine[Any, Any, Figures]]

MEASURES: dict[str, Measure] = {
    "text_turn": text_turn,
    "tool_turn": tool_turn,
    "parallel_turn": parallel_turn,
    "chunk": chunk,
    "growth": growth,
    "long_growth": long_growth,
    "crowd": crowd,
}


async def _turn_seconds(subject: Subject, counts: Counts, calls: int) -> float:
    each: list[float] = []
    for _ in range(counts.conversations):
        script = Script(calls=calls)
        conversation = subject.open_conversation(script)
        await _take_turns(conversation, script, 1)
        each.append(await _take_turns(conversation, script, counts.turns))
        _check(script.looks == calls * (counts.turns + 1), "tool calls that ran")
    return median(each)


async def _take_turns(conversation: Conversation, script: Script, turns: int) -> float:
    """Return the CPU seconds of a turn."""
    answer = ""
    cpu = time.process_time()
    for _ in range(turns):
        answer = await conversation.turn(PROMPT)
    seconds = (time.process_time() - cpu) / turns
    _check(answer == script.answer, "answer")
    return seconds


async def _stream_seconds(subject: Subject, script: Script) -> float:
    conversation = subject.open_conversation(script)
    await conversation.stream(PROMPT)
    cpu = time.process_time()
    arrived = await conversation.stream(PROMPT)
    seconds = time.process_time() - cpu
    _check(arrived == len(script.answer), "streamed text")
    return seconds


async def _growth(subject: Subject, turns: int, slope: str, memory: str) -> Figures:
    late = max(turns // 5, 2)
    block = min(10, late)
    warm, script = Script(), Script()
    await _take_turns(subject.open_conversation(warm), warm, 2 * block)
    conversation = subject.open_conversation(script)
    await _take_turns(conversation, script, 1)
    gc.collect()
    before = resident_megabytes()
    await _take_turns(conversation, script, turns - late)
    old: list[float] = []
    young: list[float] = []
    for _ in range(late // block):
        old.append(await _take_turns(conversation, script, block))
        fresh = subject.open_conversation(script)
        await _take_turns(fresh, script, 1)
        young.append(await _take_turns(fresh, script, block))
    gc.collect()
    after = resident_megabytes()
    age = turns - late / 2 - block / 2
    return {
        slope: 1e6 * (median(old) - median(young)) / age,
        memory: after - before,
        f"{slope}_old": 1e3 * median(old),
        f"{slope}_young": 1e3 * median(young),
    }


def resident_megabytes() -> float:
    """Return the memory that this process has in use."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * 4096 / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(f"The subject did not do its work: {what}.")
