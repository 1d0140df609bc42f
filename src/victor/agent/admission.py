"""Model calls that wait until their endpoint can take them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from victor.endpoints import Admission
from victor.errors import RateLimitError
from victor.events import ModelCallDelayed, ReplyDelta
from victor.messages import Request
from victor.protocols import Emit, IProvider
from victor.rate_limits import Demand, RateLimit
from victor.wrapped_provider import WrappedProvider


class AdmittedProvider(WrappedProvider):
    """A provider whose every call first waits for its turn at the endpoint. Fits `IProvider`.

    Calls are let in one after another, in the order in which they came: each when there is a place
    for it, and when what the vendor said of its rate limits has room for it. It holds the place
    until its answer has ended, however that ends. Each wait is told by `ModelCallDelayed`.
    """

    def __init__(
        self,
        provider: IProvider,
        admission: Admission,
        demand: Demand,
        emit: Emit,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Admit calls that take about `demand` by `admission`."""
        super().__init__(provider)
        self._admission = admission
        self._demand = demand
        self._emit = emit
        self._sleep = sleep

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        """Make one model call when it is let in.

        Raises `ProviderError`; `RateLimitError` where it would wait longer than it may.
        """
        await self._enter(request.model)
        try:
            async with self._call(request) as deltas:
                async for delta in deltas:
                    yield delta
        finally:
            self._leave()

    async def _enter(self, model: str) -> None:
        """Take a place, and what the rate limits have room for."""
        record, most = self._admission.record, self._admission.most_calls
        if most is not None and not record.places.has_room(most):
            self._tell(model, f"{record.places.taken} running there already", None)
        elif not record.door.has_room(1):
            self._tell(model, "others wait there already", None)
        await record.door.take(1)
        try:
            if most is not None:
                await record.places.take(most)
            try:
                await self._await_room(model)
            except BaseException:
                self._leave()
                raise
        finally:
            record.door.release()

    def _leave(self) -> None:
        if self._admission.most_calls is not None:
            self._admission.record.places.release()

    async def _await_room(self, model: str) -> None:
        limits = self._admission.record.limits
        left = self._admission.longest_wait
        while limits:
            seconds, limit = limits.wait(self._demand)
            if limit is None:
                limits.take(self._demand)
                return
            if seconds > left:
                raise self._refusal(model, seconds, limit)
            self._tell(model, f"its limit on {limit.name} is reached for now", seconds)
            await self._sleep(seconds)
            left -= seconds

    def _tell(self, model: str, reason: str, seconds: float | None) -> None:
        self._emit(ModelCallDelayed(self.name, model, reason, seconds))

    def _refusal(self, model: str, seconds: float, limit: RateLimit) -> RateLimitError:
        return RateLimitError(
            f"The vendor's rate limit has no room for this call for {seconds:,.0f} s ({limit}).",
            provider=self.name,
            model=model,
            retry_after=seconds,
            hint=f"max_retry_wait is {self._admission.longest_wait:g} s. Try again then, or"
            " configure a fallback provider.",
        )
