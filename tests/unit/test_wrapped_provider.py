"""What stands before a provider answers for it, and its calls end with whoever reads them."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from victor.events import ReplyDelta
from victor.messages import Request
from victor.protocols import IProvider
from victor.testing import ScriptedProvider
from victor.wrapped_provider import WrappedProvider

pytestmark = pytest.mark.anyio


class Noting(WrappedProvider):
    asked = 0

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        self.asked += 1
        async with self._call(request) as deltas:
            async for delta in deltas:
                yield delta


async def test_it_passes_on_what_it_does_not_do_itself() -> None:
    inner = ScriptedProvider("Yes.", name="inner", context_window=5_000)
    outer = Noting(inner)
    assert isinstance(outer, IProvider)
    assert (outer.name, outer.model_info("m").context_window) == ("inner", 5_000)
    request = Request(model="m", messages=())
    assert [type(delta).__name__ async for delta in outer.stream(request)] == [
        "TextDelta",
        "ReplyFinished",
    ]
    assert (outer.asked, inner.requests) == (1, [request])
    await outer.aclose()
    assert inner.closed


async def test_a_call_that_is_left_early_is_closed_at_once() -> None:
    class Slow(ScriptedProvider):
        closed_call = False

        async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
            try:
                async for delta in super().stream(request):
                    yield delta
            finally:
                self.closed_call = True

    inner = Slow("Yes.")
    stream = Noting(inner).stream(Request(model="m", messages=()))
    await anext(stream)
    await stream.aclose()
    assert inner.closed_call
