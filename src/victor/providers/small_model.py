"""The small-model profile: a provider that holds a small model to valid tool calls.

Small models print tool calls as prose. Here each answer is one of the tools offered or a reply,
held by a JSON schema; file contents and other long arguments are written in a generation of their
own; a call that would repeat an earlier one is not let through; and the reply's words stream as
words. Any server that can hold a model to a JSON schema serves: see `ICompletion`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from victor.errors import BadReply, ContextExceeded
from victor.events import ReplyDelta, ReplyFinished, TextDelta, ToolCallDelta
from victor.messages import JsonObject, Request, Role, StopReason, ToolChoice, ToolSpec, Usage
from victor.protocols import ModelInfo
from victor.providers.small_model_decoding import Answer, AnswerReader, FencedBlock
from victor.providers.small_model_prompt import (
    ChatMessage,
    conversation,
    instructions,
    shortened,
    writing_messages,
)
from victor.providers.small_model_schema import (
    REPLY,
    answer_schema,
    long_arguments,
    offered,
)
from victor.providers.small_model_turn import SmallModelTurn

_ATTEMPTS = 4
_WRITING_ATTEMPTS = 3
_ANSWER_TOKENS = 700
_LONGEST_TEXT_TOKENS = 3000
_CHARACTERS_PER_TOKEN = 3


@dataclass(frozen=True, slots=True)
class Completed:
    """The last of a completion: what it took."""

    usage: Usage = field(default_factory=Usage)
    cut: bool = False
    """Whether the token limit ended it."""


CompletionPiece: TypeAlias = str | Completed
"""A piece of the text, or the end. Exactly one end, and only of a whole completion."""


class ICompletion(Protocol):
    """A model server, seen as narrowly as the profile needs it."""

    def complete(
        self,
        *,
        model: str,
        messages: list[ChatMessage],
        schema: JsonObject | None,
        max_tokens: int,
        temperature: float,
        stop: tuple[str, ...],
    ) -> AsyncGenerator[CompletionPiece, None]:
        """Generate text, held to `schema` if there is one. Closing it early ends the generation.

        Raises `ProviderError`.
        """
        ...

    async def aclose(self) -> None:
        """Release the server. Safe to call twice."""
        ...


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
        return ModelInfo(model, self._context_window, self._max_output, 0.0, 0.0)

    async def aclose(self) -> None:
        """Release the server. Safe to call twice."""
        await self._completion.aclose()

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        """Make one model call. Raises `ProviderError`."""
        turn = SmallModelTurn.of(request.messages, request.tools)
        tools = offered(request.tools, self._max_tools, by_parts=turn.has_long_files)
        answering = (
            self._prose(request)
            if not tools or request.tool_choice is ToolChoice.NONE
            else _Exchange(self, request, turn, tools).deltas()
        )
        async with aclosing(answering):
            async for delta in answering:
                yield delta

    async def _prose(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        """Answer in words: for requests without tools, such as summaries."""
        messages = _plain_messages(request)
        self.require_room(request, messages)
        pieces = self.complete(request, messages, None, request.max_tokens or _LONGEST_TEXT_TOKENS)
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, str):
                    yield TextDelta(piece)
                    continue
                reason = StopReason.MAX_TOKENS if piece.cut else StopReason.END
                yield ReplyFinished(reason, piece.usage, request.model)

    def require_room(self, request: Request, messages: list[ChatMessage]) -> None:
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

    def room(self) -> int:
        """Return how many characters of conversation are sent at most."""
        return min(12_000, (self._context_window - 2500) * _CHARACTERS_PER_TOKEN)

    def complete(
        self,
        request: Request,
        messages: list[ChatMessage],
        schema: JsonObject | None,
        max_tokens: int,
        temperature: float | None = None,
    ) -> AsyncGenerator[CompletionPiece, None]:
        """Ask the server. Raises `ProviderError`."""
        wanted = request.temperature if temperature is None else temperature
        return self._completion.complete(
            model=request.model,
            messages=messages,
            schema=schema,
            max_tokens=min(max_tokens, self._max_output),
            temperature=wanted or 0.0,
            stop=(),
        )

    def bad_reply(self, request: Request, what: str) -> BadReply:
        """Return the error for an answer that no repair could save."""
        return BadReply(
            what,
            provider=self._name,
            model=request.model,
            hint="Ask more simply, or use a larger model.",
        )


class _Exchange:
    """One answer held to the tools: chosen, and written out where the choice has a long text."""

    def __init__(
        self,
        profile: SmallModel,
        request: Request,
        turn: SmallModelTurn,
        tools: tuple[ToolSpec, ...],
    ) -> None:
        self._profile = profile
        self._request = request
        self._tools = {spec.name: spec for spec in tools}
        self._turn = turn
        self._usage = Usage()
        self._cut = False
        self._masked: set[str] = set()

    async def deltas(self) -> AsyncGenerator[ReplyDelta, None]:
        """Yield the answer's deltas. Raises `ProviderError`."""
        prompt = instructions(self._request.system, tuple(self._tools.values()))
        messages = [
            {"role": "system", "content": prompt},
            *conversation(self._turn, self._profile.room()),
        ]
        self._profile.require_room(self._request, messages)
        temperature = self._request.temperature or 0.0
        for _ in range(_ATTEMPTS):
            reader = AnswerReader()
            choosing = self._choose(messages, reader, temperature)
            async with aclosing(choosing):
                async for delta in choosing:
                    yield delta
            if reader.spoken:
                yield self._finished(StopReason.MAX_TOKENS if self._cut else StopReason.END)
                return
            answer = reader.answer()
            if answer is None or not self._valid(answer):
                # The same words would come again at the same temperature.
                temperature = min(temperature + 0.3, 1.0)
                continue
            answer = self._read_before_write(answer)
            if self._is_useless(answer):
                self._masked.add(answer.tool)
                continue
            writing = self._answer(answer)
            async with aclosing(writing):
                async for delta in writing:
                    yield delta
            return
        raise self._profile.bad_reply(
            self._request, f"The model gave no usable answer in {_ATTEMPTS} attempts."
        )

    async def _choose(
        self, messages: list[ChatMessage], reader: AnswerReader, temperature: float
    ) -> AsyncGenerator[ReplyDelta, None]:
        """Generate one answer into `reader`, yielding a reply's words as they come."""
        limit = self._request.max_tokens or _ANSWER_TOKENS
        pieces = self._profile.complete(self._request, messages, self._schema(), limit, temperature)
        async with aclosing(pieces):
            async for piece in pieces:
                if not isinstance(piece, str):
                    self._add(piece)
                    continue
                words = reader.feed(piece)
                if words:
                    yield TextDelta(words)

    def _schema(self) -> dict[str, Any]:
        open_tools = tuple(s for s in self._tools.values() if s.name not in self._masked)
        names = frozenset(spec.name for spec in open_tools)
        required = self._request.tool_choice is ToolChoice.REQUIRED
        reply = not open_tools or (not required and self._turn.may_reply(names))
        return answer_schema(open_tools, reply=reply)

    def _valid(self, answer: Answer) -> bool:
        """Return whether the answer is one of those offered, with what it needs."""
        if answer.tool == REPLY:
            return bool(str(answer.arguments.get("message", "")).strip())
        spec = self._tools.get(answer.tool)
        if spec is None or answer.tool in self._masked:
            return False
        long = long_arguments(spec)
        needed = (name for name in spec.parameters.get("required", ()) if name not in long)
        return all(name in answer.arguments for name in needed)

    def _read_before_write(self, answer: Answer) -> Answer:
        """Return a reading in place of the writing of a file that was not looked at."""
        path = answer.arguments.get("path")
        if answer.tool != "write" or "read" not in self._tools or not isinstance(path, str):
            return answer
        return Answer("read", {"path": path}) if self._turn.must_read_first(path) else answer

    def _is_useless(self, answer: Answer) -> bool:
        """Return whether the call was made already, or writes over a file known only in part."""
        if answer.tool == REPLY:
            return False
        if answer.tool == "write":
            # Writing the same file again, with another text, is how a repair goes on.
            return self._turn.is_long(str(answer.arguments.get("path", "")))
        return self._turn.repeats(answer.tool, answer.arguments)

    async def _answer(self, answer: Answer) -> AsyncGenerator[ReplyDelta, None]:
        """Yield a whole answer, writing its long arguments first."""
        if answer.tool == REPLY:
            yield TextDelta(str(answer.arguments["message"]))
            yield self._finished(StopReason.END)
            return
        spec = self._tools[answer.tool]
        call_id = f"call_{uuid.uuid4().hex[:16]}"
        yield ToolCallDelta(0, call_id, answer.tool)
        arguments = dict(answer.arguments)
        required = spec.parameters.get("required", ())
        for name in long_arguments(spec):
            if name not in required:
                continue
            writing = self._write(spec.name, name, arguments)
            async with aclosing(writing):
                async for delta in writing:
                    yield delta
        yield ToolCallDelta(0, arguments=json.dumps(arguments, ensure_ascii=False))
        yield self._finished(StopReason.TOOL_USE)

    async def _write(
        self, tool: str, name: str, arguments: dict[str, Any]
    ) -> AsyncGenerator[ReplyDelta, None]:
        """Generate the long argument `name` into `arguments`, yielding a sign of life each line."""
        path = str(arguments.get("path", ""))
        present = self._turn.present_content(path)
        room = _ANSWER_TOKENS + len(present or "") // 2
        limit = self._request.max_tokens or max(room, _LONGEST_TEXT_TOKENS // 2)
        for attempt in range(_WRITING_ATTEMPTS):
            insist = "" if not attempt else "The text must differ from what the file holds now."
            messages = writing_messages(self._turn, tool, name, arguments, insist=insist)
            block = FencedBlock()
            pieces = self._profile.complete(self._request, messages, None, limit, attempt * 0.4)
            async with aclosing(pieces):
                async for piece in pieces:
                    if not isinstance(piece, str):
                        self._add(piece)
                        continue
                    block.feed(piece)
                    if "\n" in piece:
                        yield ToolCallDelta(0)
            block.finish()
            text = block.content
            if text and not self._cut and text != present:
                arguments[name] = text if tool == "write" else text.rstrip("\n")
                return
        raise self._profile.bad_reply(
            self._request, f"The model could not write `{name}` of {tool} {path}."
        )

    def _add(self, completed: Completed) -> None:
        self._usage = self._usage + completed.usage
        self._cut = completed.cut

    def _finished(self, reason: StopReason) -> ReplyFinished:
        return ReplyFinished(reason, self._usage, self._request.model)


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
