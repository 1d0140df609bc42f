"""Compaction by relevance: what speaks of the goal at hand stays, the rest goes."""

from __future__ import annotations

import asyncio

from victor import relevance, steps
from victor.context.targeted import TargetedStrategy
from victor.messages import Context, Message, Text, ToolCall, ToolResult
from victor.protocols import CompactionRequest
from victor.protocols.likeness import ITextLikeness
from victor.steps import Block, Kind

_READ = 8_000
"""Characters of a block that are looked at, half from either end."""
_COMPARED = 2_000
"""Characters of a block whose meaning is compared, half from either end: it costs more."""
_EARLIER_GOALS = (0.5, 0.25, 0.125)
"""Weight of the user messages before the newest one, newest first."""
_FOCUS = 4.0
"""Weight of what the person wants to be kept above all."""
_FOCUSED = 0.4
"""Share of the target within which what speaks of the focus keeps its results."""
_SPEAKS_OF_IT = 0.3
"""Score from which on a step speaks of the focus; the best has 1."""
_RECENT_STEPS = 0.15
"""Share of the target that the newest steps get whatever they speak of."""
_AGE = 0.2
"""How much the newest block's place adds to its score; the best of the others has 1."""


class SemanticStrategy(TargetedStrategy):
    """Keeps the steps that answer the user's newest messages best. Deterministic.

    Relevance is shared words (BM25) and, where word embeddings are installed, likeness of meaning,
    over each step with its tool calls and results, and a little more for what is newer. The user's
    own words stay.
    """

    def __init__(self, likeness: ITextLikeness | None = None) -> None:
        self._likeness = likeness

    async def compact_to(self, context: Context, request: CompactionRequest) -> Context:
        """Return the context with its most relevant steps, in their order."""
        parts = steps.blocks(context.messages, request.count)
        if sum(part.tokens for part in parts) <= request.target_tokens:
            return context
        keep = steps.pinned(parts, request.target_tokens)
        kept = await most_relevant(parts, keep, request.target_tokens, request, self._likeness)
        return Context(steps.joined(parts, kept))


async def most_relevant(
    parts: tuple[Block, ...],
    keep: set[int],
    target: int,
    request: CompactionRequest,
    likeness: ITextLikeness | None = None,
) -> set[int]:
    """Return the indices of the blocks that take `target` tokens at most, those of `keep` first.

    What the request's focus speaks of goes before what the user's newest messages speak of.
    """
    count = request.count
    # Thousands of blocks take a second, for which nothing else should have to wait.
    scores = await asyncio.to_thread(_scores, parts, request.focus, likeness)
    kept = set(keep)
    room = target - count(steps.LEFT_OUT) - sum(parts[index].tokens for index in kept)
    gap = count(steps.GAP)
    room = _keep_recent(parts, kept, room, int(target * _RECENT_STEPS))
    for index in sorted(range(len(parts)), key=lambda i: (-scores[i], -i)):
        cost = parts[index].tokens + gap
        if index not in kept and parts[index].kind is not Kind.NOTE and cost <= room:
            kept.add(index)
            room -= cost
    return kept


async def matching(
    parts: tuple[Block, ...], request: CompactionRequest, likeness: ITextLikeness | None = None
) -> set[int]:
    """Return the indices of the blocks that speak of the focus most; none without a focus.

    They take a part of the target that leaves room for what must be kept.
    """
    if not request.focus:
        return set()
    goals = [(request.focus, 1.0)]
    scores = await asyncio.to_thread(_likeness, [_text(part) for part in parts], goals, likeness)
    room = int(request.target_tokens * _FOCUSED)
    found: set[int] = set()
    for index in sorted(range(len(parts)), key=lambda i: (-scores[i], -i)):
        if scores[index] < _SPEAKS_OF_IT:
            break
        if parts[index].tokens <= room:
            found.add(index)
            room -= parts[index].tokens
    return found


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


def _scores(parts: tuple[Block, ...], focus: str, likeness: ITextLikeness | None) -> list[float]:
    texts = [_text(part) for part in parts]
    scores = _likeness(texts, _goals(parts, texts, focus), likeness)
    return [score + _AGE * (place + 1) / len(parts) for place, score in enumerate(scores)]


def _likeness(
    texts: list[str], goals: list[tuple[str, float]], likeness: ITextLikeness | None
) -> list[float]:
    """Return how well each text answers the goals, each with its weight; the best has about 1."""
    index = relevance.Bm25([relevance.weights(text) for text in texts])
    weighed = (relevance.weights(text, weight) for text, weight in goals)
    scores = _of_best(index.scores(relevance.merged(*weighed)))
    if likeness is None:
        return scores
    compared = likeness.index(tuple(_ends(text, _COMPARED) for text in texts))
    alike = [0.0] * len(texts)
    for text, weight in goals:
        for place, score in enumerate(compared.scores(_ends(text, _COMPARED))):
            alike[place] += weight * max(score, 0.0)
    return [(one + other) / 2 for one, other in zip(scores, _of_best(alike), strict=True)]


def _of_best(scores: list[float]) -> list[float]:
    best = max(scores, default=0.0) or 1.0
    return [score / best for score in scores]


def _goals(parts: tuple[Block, ...], texts: list[str], focus: str) -> list[tuple[str, float]]:
    """Return the focus, if there is one, and the newest user messages, each with its weight.

    The older ones help where the newest says "go on".
    """
    newest = (
        text
        for part, text in zip(reversed(parts), reversed(texts), strict=True)
        if part.kind is Kind.USER
    )
    said = zip(newest, (1.0, *_EARLIER_GOALS), strict=False)
    return [(focus, _FOCUS), *said] if focus else list(said)


def _text(part: Block) -> str:
    return _ends("\n".join(_words_of(message) for message in part.messages), _READ)


def _ends(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2]}\n{text[-most // 2 :]}"


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
