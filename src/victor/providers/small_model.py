"""The small-model profile: a provider that holds a small model to valid tool calls.

Small models print tool calls as prose. Here each answer is one of the tools offered or a reply,
held by a JSON schema; file contents and other long arguments are written in a generation of their
own; a call that would repeat an earlier one is not let through; and the reply's words stream as
words. Any server that can hold a model to a JSON schema serves: see `ICompletion`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from victor.errors import ContextExceeded
from victor.events import ReplyDelta, ReplyFinished, TextDelta
from victor.messages import Request, Role, StopReason, ToolChoice, ToolSpec
from victor.protocols import Ability, ModelInfo
from victor.providers.small_model_exchange import Exchange
from victor.providers.small_model_port import (
    Completed,
    CompletionPiece,
    Generation,
    ICompletion,
)
from victor.providers.small_model_prompt import (
    ChatMessage,
    conversation,
    instructions,
    shortened,
)
from victor.providers.small_model_schema import offered
from victor.providers.small_model_turn import SmallModelTurn

__all__ = ["Completed", "CompletionPiece", "ICompletion", "SmallModel"]

_LONGEST_TEXT_TOKENS = 3000
_CHARACTERS_PER_TOKEN = 3


class SmallModel:
    """Makes a provider (it fits `IProvider`) of a small model behind `completion`.

    Of the tools in a request at most `max_tools` are offered. `context_window` is in tokens.
    """

    def __init__(
        self,
        completion: ICompletion,
        *,
        name: str = "local",
        context_window: int = 8192,
        max_output: int = _LONGEST_TEXT_TOKENS,
        max_tools: int = 8,
    ) -> None:
        self._completion = completion
        self._name = name
        self._context_window = context_window
        self._max_output = max_output
        self._max_tools = max_tools

    @property
    def name(self) -> str:
        """The vendor's name."""
        return self._name

    def model_info(self, model: str) -> ModelInfo:
        """Return the window that the server was started with; running it costs nothing."""
        abilities = frozenset({Ability.TOOLS, Ability.STRUCTURED_OUTPUT})
        return ModelInfo(
            model, self._context_window, self._max_output, 0.0, 0.0, abilities=abilities
        )

    async def aclose(self) -> None:
        """Release the server. Safe to call twice."""
        await self._completion.aclose()

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        """Make one model call. Raises `ProviderError`."""
        turn = SmallModelTurn.of(request.messages, request.tools)
        tools = offered(request.tools, self._max_tools, by_parts=turn.has_long_files)
        generation = Generation(self._completion, request, self._max_output)
        answering = (
            self._prose(request, generation)
            if not tools or request.tool_choice is ToolChoice.NONE
            else self._held(request, turn, tools, generation)
        )
        if tools and request.tool_choice is not ToolChoice.NONE and request.output_schema:
            answering = self._said_in_form(request, answering, generation)
        async with aclosing(answering):
            async for delta in answering:
                yield delta

    async def _prose(
        self, request: Request, generation: Generation
    ) -> AsyncGenerator[ReplyDelta, None]:
        """Answer in words, or in the form asked for: for requests without tools."""
        pieces = self._pieces(request, _plain_messages(request), generation)
        async with aclosing(pieces):
            async for piece in pieces:
                yield TextDelta(piece)
        reason = StopReason.MAX_TOKENS if generation.cut else StopReason.END
        yield ReplyFinished(reason, generation.usage, request.model)

    def _pieces(
        self, request: Request, messages: list[ChatMessage], generation: Generation
    ) -> AsyncGenerator[str, None]:
        self._require_room(request, messages)
        limit = request.max_tokens or self._max_output
        warmth = request.temperature or 0.0
        return generation.pieces(messages, limit, warmth, request.output_schema)

    async def _said_in_form(
        self,
        request: Request,
        answering: AsyncGenerator[ReplyDelta, None],
        generation: Generation,
    ) -> AsyncGenerator[ReplyDelta, None]:
        """Let a call pass; what the model would reply in words, it says in the form asked for."""
        words: list[str] = []
        async with aclosing(answering):
            async for delta in answering:
                if isinstance(delta, TextDelta):
                    words.append(delta.content)
                elif not (words and isinstance(delta, ReplyFinished)):
                    yield delta
        if not words:
            return
        messages = _plain_messages(request)
        messages.append({"role": "assistant", "content": "".join(words)})
        messages.append({"role": "user", "content": "Give that answer as JSON."})
        pieces = self._pieces(request, messages, generation)
        async with aclosing(pieces):
            async for piece in pieces:
                yield TextDelta(piece)
        reason = StopReason.MAX_TOKENS if generation.cut else StopReason.END
        yield ReplyFinished(reason, generation.usage, request.model)

    async def _held(
        self,
        request: Request,
        turn: SmallModelTurn,
        tools: tuple[ToolSpec, ...],
        generation: Generation,
    ) -> AsyncGenerator[ReplyDelta, None]:
        """Answer with a tool call or a reply."""
        exchange = Exchange(generation, request, turn, tools, provider=self._name)
        unasked = tuple(exchange.unasked())
        for delta in unasked:
            yield delta
        if unasked:
            return
        messages = [
            {"role": "system", "content": instructions(request.system, tools)},
            *conversation(turn, self._room()),
        ]
        self._require_room(request, messages)
        answering = exchange.deltas(messages)
        async with aclosing(answering):
            async for delta in answering:
                yield delta

    def _require_room(self, request: Request, messages: list[ChatMessage]) -> None:
        """Raise `ContextExceeded` where the prompt cannot fit the window."""
        size = sum(len(message["content"]) for message in messages)
        if size > self._context_window * 6:
            raise ContextExceeded(
                f"The prompt has {size:,} characters; the model holds {self._context_window:,} "
                "tokens.",
                provider=self._name,
                model=request.model,
                hint="Shorten it, or put the text into a file and ask about the file.",
            )

    def _room(self) -> int:
        """Return how many characters of conversation are sent at most."""
        return min(12_000, (self._context_window - 2500) * _CHARACTERS_PER_TOKEN)


def _plain_messages(request: Request) -> list[ChatMessage]:
    """Return the request's messages as plain text, tool traffic included."""
    sent: list[ChatMessage] = []
    if request.system:
        sent.append({"role": "system", "content": request.system})
    for message in request.messages:
        results = [shortened(result.content, 1200) for result in message.tool_results]
        text = "\n".join([message.text, *results]).strip()
        if text:
            role = "assistant" if message.role is Role.ASSISTANT else "user"
            sent.append({"role": role, "content": text})
    return sent
