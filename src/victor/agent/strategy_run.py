"""One attempt of a compaction strategy, which may be anybody's: checked, repaired, and reported."""

from __future__ import annotations

import asyncio
from typing import Any

from victor.agent.bounded import really_cancelled
from victor.errors import CompactionError
from victor.events import CoordinatorFailed, HistoryRepaired
from victor.messages import Context, Message
from victor.pairing import repair
from victor.protocols import CompactionRequest, Emit, ICompactionStrategy
from victor.protocols.context import BaseCompactionStrategy

WORTHWHILE = 0.95
"""A strategy's result must not be larger than this share of what it was given."""


async def attempt(
    strategy: ICompactionStrategy,
    name: str,
    context: Context,
    request: CompactionRequest,
    emit: Emit,
) -> tuple[Message, ...] | None:
    """Return what the strategy leaves, valid and smaller; None, and reported, if it fails."""
    try:
        return await _compacted(strategy, name, context, request, emit)
    except asyncio.CancelledError:
        if really_cancelled():
            raise
        error = "CancelledError, though nobody had cancelled it"
    except Exception as failure:  # noqa: BLE001  # a strategy of anybody's: truncation follows
        error = f"{type(failure).__name__}: {failure}"
    emit(CoordinatorFailed("context", f"compact ({name})", error))
    return None


async def _compacted(
    strategy: ICompactionStrategy,
    name: str,
    context: Context,
    request: CompactionRequest,
    emit: Emit,
) -> tuple[Message, ...]:
    if isinstance(strategy, BaseCompactionStrategy):
        result: Any = await strategy.compact_to(context, request)
    else:
        result = await strategy.compact(context)
    valid, repairs = repair(_messages(result))
    before, after = (sum(map(request.count, messages)) for messages in (context.messages, valid))
    if not valid or after > before * WORTHWHILE:
        raise CompactionError(f"It left {after:,} of {before:,} tokens.")
    if repairs:
        emit(HistoryRepaired(name, repairs))
    return valid


def _messages(result: Any) -> tuple[Message, ...]:
    if isinstance(result, Context) and all(isinstance(one, Message) for one in result.messages):
        return result.messages
    raise CompactionError(f"It returned {type(result).__name__}, which is no context of messages.")
