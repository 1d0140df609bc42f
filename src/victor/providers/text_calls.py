"""Tool calls that a model prints as text instead of making them.

Small and local models do so in four ways: between Hermes' tags, in a fenced block, as bare JSON at
the start of a line, and several in one list or one after another. A call is an object with a tool's
name and its arguments, under any of the keys that models use for them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_TAG = "<tool_call>"
_TAG_END = "</tool_call>"
_FENCE = "```"
_INFOS = frozenset({"", "json", "jsonc", "tool", "tool_call", "tool_calls"})
_NAMES = ("name", "tool", "tool_name", "function", "action")
_ARGUMENTS = ("arguments", "parameters", "args", "input", "action_input")
_BESIDE = frozenset({"id", "type", "index"})
_KEYS = frozenset({*_NAMES, *_ARGUMENTS, *_BESIDE, "tool_calls"})

_CANDIDATE = re.compile(r"<tool_call>|```|[{\[]")
_PARTIAL_TAGS = "|".join(re.escape(_TAG[:size]) for size in range(len(_TAG) - 1, 0, -1))
_TAIL = re.compile(rf"\s*({_PARTIAL_TAGS}|`{{1,2}})?\Z")
"""What may still become a call, or the space before one."""
_HEAD = re.compile(
    r'\[?\s*(?:\{\s*(?:"(?P<key>[^"\\]*)(?P<told>"\s*(?::\s*'
    r'(?:"(?P<value>[^"\\]*)(?P<whole>")?)?)?)?)?)?'
)
_NAME_IN = re.compile(r'"(?:name|tool|tool_name|function|action)"\s*:\s*"([^"\\]+)"')
_ARGUMENTS_IN = re.compile(r'"(?:arguments|parameters|args|input|action_input)"\s*:\s*')
_SEPARATORS = " \t\r\n,;"


@dataclass(frozen=True, slots=True)
class PrintedCall:
    """A call that was found in text."""

    name: str
    arguments: str
    """JSON, or what there was of it when the text ended."""


class TextCalls:
    """Takes tool calls out of streamed text; what it gives is the same however the text is cut.

    Text is held back only while it can still be a call, and so is the space before it. Between tags
    any name is a call; elsewhere only the name of one of `tools`, so that JSON which is an answer
    stays one.
    """

    def __init__(self, tools: Iterable[str]) -> None:
        self._tools = frozenset(tools)
        self._held = ""
        self._fresh = True
        """Whether what is held stands at the start of a line."""
        self._called = False
        """Whether a call came last: the space after one belongs to it."""
        self._in_fence = False
        self._candidate: _Candidate | None = None

    def feed(self, text: str) -> Iterator[str | PrintedCall]:
        """Yield what is decided now, as text and calls in their order."""
        self._held += text
        yield from self._decided(over=False)

    def finish(self) -> Iterator[str | PrintedCall]:
        """Yield the rest, when the text is over."""
        yield from self._decided(over=True)
        yield from self._release(len(self._held))

    def _decided(self, *, over: bool) -> Iterator[str | PrintedCall]:
        while self._held:
            if self._in_fence:
                if not (yield from self._through_fence()):
                    return
                self._in_fence = False
                continue
            candidate = self._candidate or (yield from self._to_candidate())
            self._candidate = candidate
            verdict = candidate.decide(self._held, over=over) if candidate else None
            if candidate is None or verdict is None:
                return
            self._candidate = None
            if isinstance(verdict, int):
                self._in_fence = candidate.form is _Form.FENCE
                yield from self._release(verdict)
                continue
            calls, end = verdict
            self._held = self._held[end:]
            self._fresh = self._called = True
            yield from calls

    def _to_candidate(self) -> Generator[str, None, _Candidate | None]:
        """Yield the text before the next place where a call may begin; return that place."""
        held = self._held
        if self._called:
            held = self._held = held.lstrip()
        for found in _CANDIDATE.finditer(held):
            place = found.start()
            if found[0] == _TAG or self._starts_line(place):
                before = len(held[:place].rstrip())
                yield from self._release(before)
                return _Candidate(_FORMS[found[0]], place - before, self._tools)
        tail = _TAIL.search(held)
        undecided = tail.start() if tail else len(held)
        if tail and (tail[1] or "").startswith("`") and not self._starts_line(tail.start(1)):
            undecided = len(held)
        yield from self._release(undecided)
        return None

    def _starts_line(self, place: int) -> bool:
        """Return whether it is the start of a line; at the very start, after any space."""
        before = self._held[:place]
        return before.endswith("\n") or (self._fresh and not before.strip())

    def _through_fence(self) -> Generator[str, None, bool]:
        """Yield the text of a block that is no call, though it may show one; return if it ends."""
        end = self._held.find(_FENCE)
        if end >= 0:
            yield from self._release(end + len(_FENCE))
        else:
            yield from self._release(len(self._held.rstrip("`")))
        return end >= 0

    def _release(self, size: int) -> Iterator[str]:
        text, self._held = self._held[:size], self._held[size:]
        if text:
            self._fresh = self._called = False
            yield text


class _Form(StrEnum):
    TAG = "tag"
    FENCE = "fence"
    BARE = "bare"


_FORMS = {_TAG: _Form.TAG, _FENCE: _Form.FENCE, "{": _Form.BARE, "[": _Form.BARE}


class _Candidate:
    """A place in held text where a call may have begun, and how far it was read."""

    def __init__(self, form: _Form, start: int, tools: frozenset[str]) -> None:
        self.form = form
        self._start = start
        self._tools = tools
        self._opening = {_Form.TAG: len(_TAG), _Form.FENCE: len(_FENCE), _Form.BARE: 0}[form]
        self._value: _Value | None = None
        self._at = start + self._opening
        self._end = self._at
        """Where the last call ends."""
        self._opened = form is not _Form.FENCE
        self._calls: list[PrintedCall] = []

    def decide(self, held: str, *, over: bool) -> tuple[list[PrintedCall], int] | int | None:
        """Return the calls and where they end, or how much is mere text, or None: not known yet."""
        if not self._opened:
            known = self._skip_info(held)
            if not known:
                return self._text() if over or known is False else None
            self._opened = True
        while True:
            if self._value is None:
                place = self._next_value(held)
                if place is None:
                    return self._ended(held, over=over)
                self._value, self._at = _Value(place), place
            if not self._may_be_call(held[self._at : self._at + 200]):
                return self._ended(held, over=over)
            end = self._value.end(held)
            if end is None:
                return self._broken(held) if over else None
            calls = _calls_in(held[self._at : end], self._known, strict=self.form is not _Form.TAG)
            if not calls:
                return self._ended(held, over=over)
            self._calls += calls
            self._value, self._at, self._end = None, end, end

    @property
    def _known(self) -> frozenset[str] | None:
        return None if self.form is _Form.TAG else self._tools

    def _text(self) -> int:
        """Return how much is text for sure: the opening, with the space before it."""
        return self._start + max(1, self._opening)

    def _skip_info(self, held: str) -> bool | None:
        """Go past the line that opens a fence; None while it goes on, False if it is no call's."""
        line, newline, _ = held[self._at :].partition("\n")
        info = line.strip().lower()
        if newline:
            self._at += len(line) + 1 if info in _INFOS else 0
            return info in _INFOS
        return None if any(word.startswith(info) for word in _INFOS) else False

    def _next_value(self, held: str) -> int | None:
        """Return where the next object or list begins; None where there is none, or not yet."""
        place = self._at
        spaces = _SEPARATORS if self._calls else " \t\r\n"
        while place < len(held) and held[place] in spaces:
            place += 1
        return place if place < len(held) and held[place] in "{[" else None

    def _ended(self, held: str, *, over: bool) -> tuple[list[PrintedCall], int] | int | None:
        """Return the verdict where no further value stands."""
        rest = held[self._end :] if self._calls else held[self._at :]
        words = rest.lstrip(_SEPARATORS)
        if not self._calls:
            return self._text() if words or over else None
        closing = {_Form.TAG: _TAG_END, _Form.FENCE: _FENCE, _Form.BARE: ""}[self.form]
        if self.form is _Form.BARE:
            return self._bare_end(rest, words, over=over)
        if words.startswith(closing):
            return self._calls, len(held) - len(words) + len(closing)
        if closing.startswith(words) and not over:
            return None
        # A tag that is not closed is a call all the same; a block that holds more is none.
        whole = not words if self.form is _Form.FENCE else True
        return (self._calls, self._end) if whole else self._text()

    def _bare_end(
        self, rest: str, words: str, *, over: bool
    ) -> tuple[list[PrintedCall], int] | int | None:
        if not words:
            return (self._calls, self._end) if over else None
        return (self._calls, self._end) if "\n" in rest[: len(rest) - len(words)] else self._text()

    def _broken(self, held: str) -> tuple[list[PrintedCall], int] | int:
        """Return the verdict on a value that the end of the text cut off."""
        rest = held[self._at :]
        name = _NAME_IN.search(rest)
        if name is None or (self._known is not None and name[1] not in self._known):
            return self._ended(held, over=True) or self._text()
        arguments = _ARGUMENTS_IN.search(rest)
        cut = PrintedCall(name[1], rest[arguments.end() :] if arguments else rest)
        return [*self._calls, cut], len(held)

    def _may_be_call(self, head: str) -> bool:
        """Return whether a value that begins so can be a call."""
        found = _HEAD.match(head)
        if found is None:
            return False
        more = found.end() < len(head)
        key, told, value, whole = found.group("key", "told", "value", "whole")
        if key is None or told is None:
            return not more and (key is None or any(word.startswith(key) for word in _KEYS))
        if key not in _KEYS:
            return False
        if key not in _NAMES or self._known is None:
            return True
        if value is None:
            return not more or key == "function"
        if whole:
            return value in self._known
        return not more and any(name.startswith(value) for name in self._known)


class _Value:
    """Finds the end of a JSON object or list, reading each character once."""

    def __init__(self, start: int) -> None:
        self._at = start
        self._depth = 0
        self._in_string = False

    def end(self, text: str) -> int | None:
        """Return the place after the value; None while it goes on."""
        while found := (_IN_STRING if self._in_string else _OUTSIDE).search(text, self._at):
            self._at = found.end()
            match found[0]:
                case '"':
                    self._in_string = not self._in_string
                case "{" | "[":
                    self._depth += 1
                case "}" | "]":
                    self._depth -= 1
                    if self._depth == 0:
                        return self._at
        self._at = len(text) - (1 if self._in_string and _open_escape(text) else 0)
        return None


_OUTSIDE = re.compile(r'["{}\[\]]')
_IN_STRING = re.compile(r'\\.|"', re.DOTALL)


def _open_escape(text: str) -> bool:
    """Return whether the text ends between a backslash and what it stands before."""
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _calls_in(text: str, known: frozenset[str] | None, *, strict: bool) -> list[PrintedCall]:
    """Return the calls that the JSON is; empty where it is none, or not only calls."""
    try:
        value: Any = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return []
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        value = value["tool_calls"]
    entries = value if isinstance(value, list) else [value]
    calls = [_call(entry, known, strict=strict) for entry in entries]
    return [call for call in calls if call] if all(calls) else []


def _call(entry: object, known: frozenset[str] | None, *, strict: bool) -> PrintedCall | None:
    if not isinstance(entry, dict) or not entry.keys() <= _KEYS:
        return None
    inner = entry.get("function")
    if isinstance(inner, dict):
        return _call(inner, known, strict=strict)
    name = next((entry[key] for key in _NAMES if isinstance(entry.get(key), str)), "")
    if not name or (known is not None and name not in known):
        return None
    key = next((key for key in _ARGUMENTS if key in entry), None)
    if key is None:
        return None if strict else PrintedCall(name, "{}")
    arguments = _arguments(entry[key])
    return None if arguments is None else PrintedCall(name, arguments)


def _arguments(value: object) -> str | None:
    if isinstance(value, str):
        try:
            value = json.loads(value, strict=False)
        except ValueError:
            return None
    if value is None:
        return "{}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else None
