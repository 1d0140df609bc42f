"""Model calls that draw on a budget: the worst is set aside before each, the truth counted."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from dataclasses import replace

from victor import tokens
from victor.budget import NOTHING, Amounts, Budget, Kind, Reservation
from victor.errors import ConfigError
from victor.events import ReplyDelta, ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import Request, Usage
from victor.protocols import IProvider, ModelInfo
from victor.wrapped_provider import WrappedProvider

INPUT_MARGIN = 1.3
"""What is sent may be more than the estimate says; of 100 texts, 95 are within this factor."""

MOST_OUTPUT = 32_000
"""Tokens of a reply that are set aside where nobody has limited it; it is then limited to them."""

GOOD_OUTPUT = 4_096
"""Room for a reply that is worth waiting for, while others still hold what they may give back."""

LEAST_OUTPUT = 256
"""Room for a reply below which a call is not worth its input."""

_MILLION = 1_000_000
_NO_LIMIT = 2**31


class MeteredProvider(WrappedProvider):
    """A provider whose every call draws on a budget. Fits `IProvider`.

    Where tokens or dollars are limited, a reply is limited to what can still be paid, and waits for
    others under the same budget to give back what they do not need. Each try counts as a call. A
    try that was refused takes no tokens; one that broke off, what was sent and what had arrived.
    """

    def __init__(
        self, provider: IProvider, info: ModelInfo, budget: Budget, sent: Request, size: int
    ) -> None:
        """Draw on `budget` at the prices of `info`. The request `sent` has about `size` tokens."""
        super().__init__(provider)
        self._info = info
        self._budget = budget
        self._sent = sent
        self._size = size
        self.taken = NOTHING
        """What its tries took up to now, those that failed included."""

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        """Make one model call.

        Raises `ProviderError`; `BudgetExceeded` where the call could take more than is left, and
        `ConfigError` where dollars are limited and the model's price is unknown.
        """
        size = self._size_of(request)
        reservation, request = await self._reserve(request, math.ceil(size * INPUT_MARGIN))
        arrived: list[str] = []
        usage: Usage | None = None
        try:
            async with self._call(request) as deltas:
                async for delta in deltas:
                    match delta:
                        case TextDelta(content) | ThinkingDelta(content):
                            arrived.append(content)
                        case ToolCallDelta():
                            arrived.append(delta.arguments)
                        case ReplyFinished():
                            usage = delta.usage
                    yield delta
        finally:
            taken = self._taken(usage, size, arrived)
            self.taken = self.taken + taken
            reservation.settle(taken)

    def _size_of(self, request: Request) -> int:
        """Return the estimate of what is sent; what a repeated call adds is counted by itself."""
        added = request.messages[len(self._sent.messages) :]
        return self._size + sum(map(tokens.of_message, added))

    async def _reserve(self, request: Request, size: int) -> tuple[Reservation, Request]:
        budget = self._budget
        limited = budget.holds(Kind.TOKENS) or budget.holds(Kind.USD)
        if not limited:
            return budget.reserve(Amounts(model_calls=1)), request
        self._check_price(request.model)
        wanted = request.max_tokens or min(self._info.max_output, MOST_OUTPUT)
        while self._affordable(size) < min(wanted, GOOD_OUTPUT) and budget.contended:
            await budget.changed()
        granted = max(min(wanted, self._affordable(size)), min(wanted, LEAST_OUTPUT))
        most = Amounts(size + granted, self._info.highest_cost(size, granted) or 0.0, model_calls=1)
        return budget.reserve(most), replace(request, max_tokens=granted)

    def _check_price(self, model: str) -> None:
        holder = self._budget.holds(Kind.USD)
        if holder and self._info.highest_cost(1, 1) is None:
            name = f"{self._provider.name}:{model}"
            raise ConfigError(
                f"{holder} cannot be held: the price of {name} is not known.",
                hint=f'Say it in the setting models, as in models = {{"{name}" = '
                "{input_price = 1.0, output_price = 4.0}}, or remove the budget.",
            )

    def _affordable(self, size: int) -> int:
        """Return how many tokens of a reply can be paid beside `size` tokens of input."""
        room = self._budget.room(Kind.TOKENS) - size
        dollars = self._budget.room(Kind.USD)
        none, one = self._info.highest_cost(size, 0), self._info.highest_cost(size, _MILLION)
        if none is not None and one is not None and one > none and not math.isinf(dollars):
            room = min(room, (dollars - none) / (one - none) * _MILLION)
        return _NO_LIMIT if math.isinf(room) else int(room)

    def _taken(self, usage: Usage | None, size: int, arrived: list[str]) -> Amounts:
        if usage is None and not arrived:
            return Amounts(model_calls=1)
        if usage is None or not usage.total:
            # A call that broke off is billed all the same; some servers tell no usage at all.
            usage = Usage(size, tokens.of_text("".join(arrived)))
        return Amounts(usage.total, self._info.cost(usage) or 0.0, model_calls=1)
