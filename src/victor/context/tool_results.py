"""Compaction by eliding old tool results: what was asked and done stays, what came back goes."""

from __future__ import annotations

from victor import steps
from victor.context.targeted import TargetedStrategy
from victor.messages import Context, Message, Role, ToolCall
from victor.protocols import CompactionRequest
from victor.steps import Count

RECENT = 0.25
"""Share of the target within which the newest steps keep their results."""


class ToolResultsStrategy(TargetedStrategy):
    """Puts one line in the place of each old tool result, oldest first. Deterministic.

    The line says which call it was, how the result began, and how to get it again.
    """

    async def compact_to(self, context: Context, request: CompactionRequest) -> Context:
        """Return the context with as many old results elided as the target asks for."""
        return Context(elide_old_results(context.messages, request.target_tokens, request.count))


def elide_old_results(
    messages: tuple[Message, ...],
    target: int,
    count: Count,
    spared: frozenset[int] = frozenset(),
) -> tuple[Message, ...]:
    """Return `messages` with results elided, oldest first, until they take `target` tokens.

    The last step's results, those within the newest quarter of the target, and those of the
    messages whose `id` is `spared` are kept.
    """
    sizes = [count(message) for message in messages]
    total = sum(sizes)
    if total <= target:
        return messages
    shorter = list(messages)
    calls: dict[str, ToolCall] = {}
    for index in range(_start_of_recent(messages, sizes, target)):
        message = messages[index]
        calls.update((call.id, call) for call in message.tool_calls)
        if message.role is not Role.TOOL or id(message) in spared:
            continue
        results = (
            steps.elided(result, calls.get(result.call_id)) for result in message.tool_results
        )
        made = Message(Role.TOOL, tuple(results))
        size = count(made)
        if size >= sizes[index]:
            continue
        shorter[index] = made
        total -= sizes[index] - size
        if total <= target:
            break
    return tuple(shorter)


def _start_of_recent(messages: tuple[Message, ...], sizes: list[int], target: int) -> int:
    """Return the index from which on results are kept: at least those of the last step."""
    recent = int(target * RECENT)
    start = len(messages)
    for index in range(len(messages) - 1, -1, -1):
        recent -= sizes[index]
        if recent < 0:
            break
        start = index
    last_results = max(
        (index for index, message in enumerate(messages) if message.role is Role.TOOL),
        default=len(messages),
    )
    return min(start, last_results)
