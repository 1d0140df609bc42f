"""Deltas joined into one reply."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from victor.errors import BadReply
from victor.events import ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import (
    JsonObject,
    Message,
    Part,
    Reply,
    Role,
    StopReason,
    Text,
    Thinking,
    ToolCall,
)

_CUTS_CALLS = (StopReason.MAX_TOKENS, StopReason.CONTEXT_EXCEEDED, StopReason.PAUSE)
"""The last call of a reply that ends so may lack its end, however whole it looks."""

_TAKES_CALLS_BACK = (StopReason.REFUSAL, StopReason.CONTENT_FILTER)
"""The calls of a reply that ends so are not meant."""


class ReplyAssembly:
    """The reply so far: finished parts, the text that still grows, and fragments of calls."""

    __slots__ = ("_calls", "_parts", "_provider", "_thinking", "finished", "text")

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._parts: list[Part] = []
        self._thinking: list[str] = []
        self._calls: dict[int, list[ToolCallDelta]] = {}
        self.text: list[str] = []
        self.finished: ReplyFinished | None = None

    def add(self, delta: object) -> None:
        """Take in a delta. Raises `BadReply` for anything else."""
        match delta:
            case TextDelta():
                self.text.append(delta.content)
            case ThinkingDelta():
                self._close_text()
                self._thinking.append(delta.content)
                if delta.signature:
                    self._close_thinking(delta.signature)
            case ToolCallDelta():
                self._calls.setdefault(delta.index, []).append(delta)
            case ReplyFinished():
                self.finished = delta
            case _:
                raise BadReply(
                    f"The provider streamed {type(delta).__name__}, which is no part of a reply.",
                    provider=self._provider,
                )

    def visible(self) -> str:
        """Return the text that a person has seen by now."""
        done = [part.text for part in self._parts if isinstance(part, Text)]
        return encodable("".join(done + self.text))

    def reply(self, finished: ReplyFinished, taken_ids: set[str]) -> Reply:
        """Return the whole reply; its calls get ids that are not in `taken_ids`, and join it.

        A call that must not run is marked `invalid`. Whether there are calls decides what the
        reply is, whatever its stop reason says of that.
        """
        self._close_thinking("")
        self._close_text()
        reason = finished.stop_reason
        calls = {} if reason in _TAKES_CALLS_BACK else self._calls
        for index, fragments in sorted(calls.items()) if calls else ():
            cut = reason in _CUTS_CALLS and index == max(calls)
            self._parts.append(_call(fragments, taken_ids, cut=cut))
        if reason in (StopReason.END, StopReason.TOOL_USE):
            reason = StopReason.TOOL_USE if calls else StopReason.END
        message = Message(Role.ASSISTANT, tuple(self._parts))
        return Reply(message, reason, finished.usage, finished.model, self._provider)

    def _close_text(self) -> None:
        if text := "".join(self.text):
            self._parts.append(Text(encodable(text)))
        self.text.clear()

    def _close_thinking(self, signature: str) -> None:
        if self._thinking or signature:
            thought = encodable("".join(self._thinking))
            self._parts.append(Thinking(thought, signature, self._provider))
        self._thinking.clear()


def encodable(text: str) -> str:
    """Return `text` without lone surrogates, which no store, terminal and vendor accepts."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _call(fragments: list[ToolCallDelta], taken_ids: set[str], *, cut: bool) -> ToolCall:
    name = encodable(next((part.name for part in fragments if part.name), ""))
    given = encodable(next((part.id for part in fragments if part.id), ""))
    wanted = given or f"call_{len(taken_ids) + 1}"
    call_id = wanted
    while call_id in taken_ids:
        call_id = f"{wanted}_{len(taken_ids) + 1}"
    taken_ids.add(call_id)
    raw = "".join(part.arguments for part in fragments)
    arguments = None if cut else _json_object(raw or "{}")
    if arguments is None:
        text = f"(cut off) {raw}" if cut else raw
        return ToolCall(call_id, name, {}, invalid=encodable(text))
    return ToolCall(call_id, name, arguments)


def _json_object(raw: str) -> JsonObject | None:
    """Return the object; None where it is none, or where one reader takes it for another's."""
    try:
        value: Any = _DECODER.decode(raw)
        if not raw.isascii() or "\\u" in raw:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    listed = list(pairs)
    value = dict(listed)
    if len(value) != len(listed):
        raise ValueError("a key twice")
    return value


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


# Made once: `json.loads` with hooks makes a decoder for each call.
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_number)
