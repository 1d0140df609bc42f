"""The port to a model vendor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias, runtime_checkable

from victor.errors import ProviderError
from victor.events import ReplyDelta
from victor.messages import Request, Usage

_MILLION = 1_000_000


class Ability(StrEnum):
    """What a model can do beside reading and writing text."""

    TOOLS = "tools"
    IMAGES = "images"
    PDF = "pdf"
    THINKING = "thinking"
    STRUCTURED_OUTPUT = "structured_output"
    """Its answer can be held to a JSON schema by the vendor."""
    STRUCTURED_WITHOUT_TOOLS = "structured_without_tools"
    """The same, but only in a request that offers no tools."""


@dataclass(frozen=True, slots=True)
class LongPromptPrices:
    """What every token of a call costs when its prompt is a long one."""

    above: int
    """Input tokens, cached or not; a prompt of more than these is a long one."""
    input_price: float
    output_price: float
    cache_read_price: float | None = None
    cache_write_price: float | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a model."""

    name: str
    context_window: int
    """Tokens of input and output together."""
    max_output: int
    """Tokens of one reply."""
    input_price: float | None = None
    """USD for a million input tokens; None where unknown."""
    output_price: float | None = None
    """USD for a million output tokens; None where unknown."""
    cache_read_price: float | None = None
    """USD for a million input tokens read from the vendor's cache; None: as input."""
    cache_write_price: float | None = None
    """USD for a million input tokens written to the vendor's cache; None: as input."""
    known: bool = True
    """False where the figures are the honest default for an unknown model."""
    abilities: frozenset[Ability] = frozenset({Ability.TOOLS})
    long_prompt: LongPromptPrices | None = None
    """None where a long prompt costs no more a token than a short one."""

    def cost(self, usage: Usage) -> float | None:
        """Return what the tokens cost in USD by list price; None where a price is unknown.

        Reasoning is part of the output, and cached tokens are part of the input: each token is
        paid once.
        """
        at: ModelInfo | LongPromptPrices = self
        if self.long_prompt is not None and usage.input > self.long_prompt.above:
            at = self.long_prompt
        if at.input_price is None or at.output_price is None:
            return None
        read_price = at.input_price if at.cache_read_price is None else at.cache_read_price
        write_price = at.input_price if at.cache_write_price is None else at.cache_write_price
        total = (
            (usage.input - usage.cache_read - usage.cache_write) * at.input_price
            + usage.cache_read * read_price
            + usage.cache_write * write_price
            + usage.output * at.output_price
        )
        return total / _MILLION

    def highest_cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """Return the most that a call of these sizes can cost in USD, whatever is cached."""
        plain = self.cost(Usage(tokens_in, tokens_out))
        written = self.cost(Usage(tokens_in, tokens_out, cache_write=tokens_in))
        return None if plain is None or written is None else max(plain, written)


@runtime_checkable
class IProvider(Protocol):
    """One vendor's wire protocol.

    `stream` is an async generator: it yields deltas as they arrive and ends with exactly one
    `ReplyFinished`. Every failure is raised as a `ProviderError`, before or between deltas;
    a stream that breaks off raises `BadReply` and never ends silently. Closing the generator
    early cancels the call.

    Three attributes are optional. By `address` (where the calls go) and `account` (whose they are)
    providers that call the same endpoint share what is known of it; one without an address is an
    endpoint of its own. `most_calls` is how many calls may run there at once.
    """

    @property
    def name(self) -> str:
        """The vendor, such as `anthropic`."""
        ...

    def stream(self, request: Request) -> AsyncIterator[ReplyDelta]:
        """Make one model call. Raises `ProviderError`."""
        ...

    def model_info(self, model: str) -> ModelInfo:
        """Return what is known of `model`, without the network."""
        ...

    async def aclose(self) -> None:
        """Release connections. Safe to call twice."""
        ...


@runtime_checkable
class ITokenCounting(Protocol):
    """A provider whose vendor counts tokens: an optional addition to `IProvider`."""

    async def count_tokens(self, request: Request) -> int:
        """Return the vendor's own count of what the request sends. Raises `ProviderError`."""
        ...


@runtime_checkable
class ICompacting(Protocol):
    """A provider whose vendor sums up conversations itself: an optional addition to `IProvider`."""

    def summarize(self, request: Request, instructions: str = "") -> AsyncIterator[ReplyDelta]:
        """Make a call whose answer is a summary of the conversation, as text.

        `instructions` take the place of the vendor's own. Raises `ProviderError`.
        """
        ...


TextCounter: TypeAlias = Callable[[str], int]
"""Gives the tokens of a text."""


@runtime_checkable
class IVocabulary(Protocol):
    """A provider that knows its models' vocabularies: an optional addition to `IProvider`."""

    def text_counter(self, model: str) -> TextCounter | None:
        """Return what counts by the model's own vocabulary, offline; None where there is none.

        May load for a second, and is asked in a thread.
        """
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model call goes."""

    provider: IProvider
    model: str


class IRetries(Protocol):
    """Decides whether a model call that failed is made again."""

    def wait(self, failure: ProviderError, attempt: int, left: float) -> float:
        """Return the seconds to wait after the failed `attempt`, counted from 1.

        Raises `failure` where another try would not help, or would come later than the `left`
        seconds that the call may still take.
        """
        ...
