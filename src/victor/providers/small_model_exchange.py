"""One answer of a small model: chosen under a schema, then written out."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from victor.errors import BadReply
from victor.events import ReplyDelta, ReplyFinished, TextDelta, ToolCallDelta
from victor.messages import Request, StopReason, ToolChoice, ToolSpec
from victor.providers.small_model_decoding import Answer, AnswerReader, goes_in_circles
from victor.providers.small_model_port import Generation
from victor.providers.small_model_prompt import ChatMessage, diagnosis_messages, writing_messages
from victor.providers.small_model_schema import REPLY, answer_schema, long_arguments
from victor.providers.small_model_turn import SmallModelTurn

_ATTEMPTS = 5
_WRITING_ATTEMPTS = 3
_ANSWER_TOKENS = 700
_TEXT_TOKENS = 1500
_DIAGNOSIS_TOKENS = 100


class Exchange:
    """Gets one answer out of the model that is of use now: a call of `tools`, or a reply."""

    def __init__(
        self,
        generation: Generation,
        request: Request,
        turn: SmallModelTurn,
        tools: tuple[ToolSpec, ...],
        *,
        provider: str,
    ) -> None:
        self._generation = generation
        self._request = request
        self._tools = {spec.name: spec for spec in tools}
        self._turn = turn
        self._provider = provider
        self._masked: set[str] = set()

    def unasked(self) -> Iterator[ReplyDelta]:
        """Yield the call that comes first, whatever the model would say; often nothing."""
        look = self._turn.first_look(frozenset(self._tools))
        if look:
            yield from self._whole(Answer("list", {"path": look}))

    async def deltas(self, messages: list[ChatMessage]) -> AsyncGenerator[ReplyDelta, None]:
        """Yield the deltas of the answer to `messages`. Raises `ProviderError`."""
        temperature = self._request.temperature or 0.0
        for _ in range(_ATTEMPTS):
            reader = AnswerReader()
            choosing = self._choose(messages, reader, temperature)
            async with aclosing(choosing):
                async for delta in choosing:
                    yield delta
            if reader.spoken:
                cut = self._generation.cut
                yield self._finished(StopReason.MAX_TOKENS if cut else StopReason.END)
                return
            answer = reader.answer()
            if answer is None or not self._valid(answer):
                # The same words would come again at the same temperature.
                temperature = min(temperature + 0.3, 1.0)
                continue
            answer = self._read_before_write(answer)
            if self._is_useless(answer) or not await self._write_out(answer):
                self._masked.add(answer.tool)
                continue
            for delta in self._whole(answer):
                yield delta
            return
        raise BadReply(
            f"The model gave no usable answer in {_ATTEMPTS} attempts.",
            provider=self._provider,
            model=self._request.model,
            hint="Ask more simply, or use a larger model.",
        )

    async def _choose(
        self, messages: list[ChatMessage], reader: AnswerReader, temperature: float
    ) -> AsyncGenerator[ReplyDelta, None]:
        """Generate one answer into `reader`, yielding a reply's words as they come.

        A reply that says the same for the third time ends there: small models never stop by
        themselves then.
        """
        limit = self._request.max_tokens or _ANSWER_TOKENS
        said = ""
        pieces = self._generation.pieces(messages, limit, temperature, self._schema())
        async with aclosing(pieces):
            async for piece in pieces:
                words = reader.feed(piece)
                if not words:
                    continue
                yield TextDelta(words)
                said += words
                if goes_in_circles(said):
                    return

    def _schema(self) -> dict[str, Any]:
        turn = self._turn
        known = turn.known
        paths = {
            "read": self._fresh("read", known.files),
            "edit": known.files,
            "list": self._fresh("list", known.folders),
            "grep": (*known.folders, *known.files),
        }
        if not turn.is_making:
            paths["write"] = turn.writable()
        if turn.is_question:
            paths |= {"write": (), "edit": ()}
        # A tool that has no path to go to is of no use yet.
        open_tools = tuple(
            spec
            for spec in self._tools.values()
            if spec.name not in self._masked
            and paths.get(spec.name, True)
            and not turn.has_enough_of(spec.name)
        )
        if turn.must_run_first:
            open_tools = tuple(s for s in open_tools if s.name == "shell") or open_tools
        names = frozenset(spec.name for spec in open_tools)
        required = self._request.tool_choice is ToolChoice.REQUIRED
        reply = not open_tools or (not required and turn.may_reply(names))
        return answer_schema(open_tools, reply=reply, paths=paths)

    def _fresh(self, tool: str, paths: tuple[str, ...]) -> tuple[str, ...]:
        """Return the paths that the tool was not just called with."""
        return tuple(path for path in paths if not self._turn.repeats(tool, {"path": path}))

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
        first = path if self._turn.must_read_first(path) else self._turn.unread_test()
        return Answer("read", {"path": first}) if first else answer

    def _is_useless(self, answer: Answer) -> bool:
        """Return whether the call was made already, or writes over a file known only in part."""
        if answer.tool == REPLY:
            return False
        if answer.tool == "write":
            # Writing the same file again, with another text, is how a repair goes on.
            return self._turn.is_long(str(answer.arguments.get("path", "")))
        return self._turn.repeats(answer.tool, answer.arguments)

    def _whole(self, answer: Answer) -> Iterator[ReplyDelta]:
        """Yield an answer that is known as a whole."""
        if answer.tool == REPLY:
            yield TextDelta(str(answer.arguments["message"]))
            yield self._finished(StopReason.END)
            return
        call_id = f"call_{uuid.uuid4().hex[:16]}"
        arguments = json.dumps(answer.arguments, ensure_ascii=False)
        yield ToolCallDelta(0, call_id, answer.tool, arguments)
        yield self._finished(StopReason.TOOL_USE)

    async def _write_out(self, answer: Answer) -> bool:
        """Generate the answer's long arguments into it; return whether that went well."""
        spec = self._tools.get(answer.tool)
        if spec is None:
            return True
        required = spec.parameters.get("required", ())
        for name in long_arguments(spec):
            if name in required and not await self._write_argument(answer, name):
                return False
        return True

    async def _write_argument(self, answer: Answer, name: str) -> bool:
        path = str(answer.arguments.get("path", ""))
        present = self._turn.present_content(path)
        room = _ANSWER_TOKENS + len(present or "") // 2
        limit = self._request.max_tokens or max(room, _TEXT_TOKENS)
        for attempt in range(_WRITING_ATTEMPTS):
            warmth = attempt * 0.4
            diagnosis = ""
            # Most texts come out right at once; thinking first costs as much as writing.
            if present and (attempt or self._turn.has_written(path)):
                diagnosis = await self._generation.text(
                    diagnosis_messages(self._turn, path), _DIAGNOSIS_TOKENS, warmth
                )
            messages = writing_messages(
                self._turn, answer.tool, name, answer.arguments, diagnosis=diagnosis
            )
            text = await self._generation.block(messages, limit, warmth)
            if text and text != present and not self._turn.loses_text(path, text):
                answer.arguments[name] = text if answer.tool == "write" else text.rstrip("\n")
                return True
        return False

    def _finished(self, reason: StopReason) -> ReplyFinished:
        return ReplyFinished(reason, self._generation.usage, self._request.model)
