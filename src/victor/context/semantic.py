"""Compaction by relevance: what speaks of the goal at hand stays, the rest goes."""

from __future__ import annotations

from victor import relevance, steps
from victor.context.targeted import TargetedStrategy
from victor.messages import Context, Message, Text, ToolCall, ToolResult
from victor.protocols import CompactionRequest
from victor.steps import Block, Count, Kind

_READ = 8_000
"""Characters of a block that are looked at, half from either end."""
_EARLIER_GOALS = (0.5, 0.25, 0.125)
"""Weight of the user messages before the newest one, newest first."""
_RECENT_STEPS = 0.15
"""Share of the target that the newest steps get whatever they speak of."""
_AGE = 0.2
"""How much the newest block's place adds to its score, as a share of the best score."""


class SemanticStrategy(TargetedStrategy):
    """Keeps the steps whose words answer the user's newest messages best. Deterministic.

    Relevance is BM25 over the words of each step, tool calls and results included, with a little
    more for what is newer. The user's own words stay.
    """

    async def compact_to(self, context: Context, request: CompactionRequest) -> Context:
        """Return the context with its most relevant steps, in their order."""
        parts = steps.blocks(context.messages, request.count)
        if sum(part.tokens for part in parts) <= request.target_tokens:
            return context
        keep = steps.pinned(parts, request.target_tokens)
        kept = most_relevant(parts, keep, request.target_tokens, request.count)
        return Context(steps.joined(parts, kept))


def most_relevant(parts: tuple[Block, ...], keep: set[int], target: int, count: Count) -> set[int]:
    """Return the indices of the blocks that take `target` tokens at most, those of `keep` first."""
    kept = set(keep)
    room = target - count(steps.LEFT_OUT) - sum(parts[index].tokens for index in kept)
    gap = count(steps.GAP)
    room = _keep_recent(parts, kept, room, int(target * _RECENT_STEPS))
    scores = _scores(parts)
    for index in sorted(range(len(parts)), key=lambda i: (-scores[i], -i)):
        cost = parts[index].tokens + gap
        if index not in kept and parts[index].kind is not Kind.NOTE and cost <= room:
            kept.add(index)
            room -= cost
    return kept


def _keep_recent(parts: tuple[Block, ...], kept: set[int], room: int, recent: int) -> int:
    """Add the newest blocks, as far as `recent` tokens reach; return the room that is left."""
    recent = min(recent, room)
    for index in range(len(parts) - 1, -1, -1):
        if index in kept:
            continue
        if parts[index].tokens > recent:
            break
        kept.add(index)
        recent -= parts[index].tokens
        room -= parts[index].tokens
    return room


def _scores(parts: tuple[Block, ...]) -> list[float]:
    index = relevance.Bm25([relevance.weights(_text(part)) for part in parts])
    scores = index.scores(_goal(parts))
    best = max(scores, default=0.0) or 1.0
    return [score + _AGE * best * (place + 1) / len(parts) for place, score in enumerate(scores)]


def _goal(parts: tuple[Block, ...]) -> dict[str, float]:
    """Return the words of the newest user messages; "go on" is helped by those before it."""
    newest = [part for part in reversed(parts) if part.kind is Kind.USER]
    pairs = zip(newest, (1.0, *_EARLIER_GOALS), strict=False)
    return relevance.merged(*(relevance.weights(_text(part), weight) for part, weight in pairs))


def _text(part: Block) -> str:
    text = "\n".join(_words_of(message) for message in part.messages)
    return text if len(text) <= _READ else f"{text[: _READ // 2]}\n{text[-_READ // 2 :]}"


def _words_of(message: Message) -> str:
    found: list[str] = []
    for part in message.parts:
        match part:
            case Text(text):
                found.append(text)
            case ToolCall(_, name, arguments):
                found.append(f"{name} {' '.join(map(str, arguments.values()))}")
            case ToolResult(_, content):
                found.append(content)
            case _:
                pass
    return "\n".join(found)
