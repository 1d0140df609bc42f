"""A provider that fails in the ways that providers fail, by plan."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any, cast

from victor.errors import AuthenticationError, BadReply, ProviderUnavailable, RateLimitError
from victor.events import ReplyDelta, ReplyFinished, TextDelta, ToolCallDelta
from victor.messages import Request, StopReason
from victor.testing.scripted import ScriptedProvider, ScriptedReply


class Chaos(StrEnum):
    """A way to fail."""

    UNAVAILABLE = "unavailable"
    """`ProviderUnavailable`, before anything arrived."""
    RATE_LIMITED = "rate_limited"
    """`RateLimitError` with a `retry_after` of 0 seconds."""
    WRONG_KEY = "wrong_key"
    """`AuthenticationError`, that no retry cures."""
    RAISES = "raises"
    """A `RuntimeError`: a bug in the adapter."""
    BREAKS_OFF = "breaks_off"
    """Some text, then `BadReply`."""
    ENDS_SILENTLY = "ends_silently"
    """Some text, then the end of the stream without `ReplyFinished`, against the port."""
    HANGS = "hangs"
    """Never answers."""
    HANGS_MIDWAY = "hangs_midway"
    """Some text, then nothing more."""
    HANGS_STUBBORNLY = "hangs_stubbornly"
    """Never answers, and swallows the first cancellation."""
    GARBAGE = "garbage"
    """Something that is no delta at all."""
    BROKEN_ARGUMENTS = "broken_arguments"
    """A tool call whose arguments are cut JSON."""
    CANCELLED = "cancelled"
    """A stray `CancelledError` that nobody asked for."""


class ChaosProvider(ScriptedProvider):
    """Follows a plan of failures and of scripted replies, one for each model call.

    The last entry is played again when the plan is used up.
    """

    def __init__(self, *plan: Chaos | ScriptedReply, name: str = "chaos") -> None:
        super().__init__(
            *("" if isinstance(entry, Chaos) else entry for entry in plan), repeat=True, name=name
        )
        self._plan = plan

    async def stream(self, request: Request) -> AsyncIterator[ReplyDelta]:
        """Fail, or answer, as planned for this call."""
        entry = self._plan[min(self._played, len(self._plan) - 1)] if self._plan else Chaos.RAISES
        if not isinstance(entry, Chaos):
            async for delta in super().stream(request):
                yield delta
            return
        self._played += 1
        self.requests.append(request)
        for piece in _before(entry):
            yield piece
        await _fail(entry, self.name)


def _before(entry: Chaos) -> tuple[ReplyDelta, ...]:
    """Return what arrives before the failure."""
    match entry:
        case Chaos.BREAKS_OFF | Chaos.ENDS_SILENTLY | Chaos.HANGS_MIDWAY:
            return (TextDelta("It was a dark "),)
        case Chaos.GARBAGE:
            return (cast("Any", "not a delta"),)
        case Chaos.BROKEN_ARGUMENTS:
            broken = ToolCallDelta(0, "call_broken", "read", '{"path": "a.t')
            return (broken, ReplyFinished(StopReason.TOOL_USE))
        case _:
            return ()


async def _fail(entry: Chaos, provider: str) -> None:
    match entry:
        case Chaos.UNAVAILABLE:
            raise ProviderUnavailable("The vendor is overloaded.", provider=provider, status=529)
        case Chaos.RATE_LIMITED:
            raise RateLimitError("Too many requests.", provider=provider, retry_after=0.0)
        case Chaos.WRONG_KEY:
            raise AuthenticationError("The key is not valid.", provider=provider, status=401)
        case Chaos.RAISES:
            raise RuntimeError("chaos")
        case Chaos.BREAKS_OFF:
            raise BadReply("The stream broke off.", provider=provider)
        case Chaos.CANCELLED:
            raise asyncio.CancelledError
        case Chaos.HANGS | Chaos.HANGS_MIDWAY:
            await asyncio.Event().wait()
        case Chaos.HANGS_STUBBORNLY:
            await _hang_stubbornly()
        case _:
            return


async def _hang_stubbornly() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()
