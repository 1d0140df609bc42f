"""What it costs to add a message to the context and to read its size, however long it is."""

from __future__ import annotations

import time
from statistics import median

from benchmarks.script import Figures
from victor.agent.coordinators.context_coordinator import ContextCoordinator
from victor.messages import assistant

WORDS = "the quick brown fox jumps over the lazy dog and runs on " * 5


def counting(messages: int, repeats: int = 15) -> Figures:
    """Return the microseconds of one more message, and how many more it takes behind `messages`.

    Blocks of messages to the long conversation alternate with blocks to young ones.
    """
    block = max(min(200, messages), 1)
    grown = ContextCoordinator()
    grown.append(*(assistant(f"{number} {WORDS}") for number in range(messages)))
    old: list[float] = []
    young: list[float] = []
    for _ in range(repeats):
        old.append(_seconds(grown, block))
        young.append(_seconds(ContextCoordinator(), block))
    each = median(young)
    return {"counting": 1e6 * each, "counting_growth": 1e6 * (median(old) - each)}


def _seconds(context: ContextCoordinator, block: int) -> float:
    said = [assistant(f"{number} {WORDS}") for number in range(block)]
    cpu = time.process_time()
    for message in said:
        context.append(message)
        context.token_count()
    return (time.process_time() - cpu) / block
