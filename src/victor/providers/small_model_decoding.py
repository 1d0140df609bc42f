"""Reading what a small model writes while it writes it: JSON strings, answers, fenced blocks.

Nothing here waits or raises: text goes in piece by piece, and what can be known comes out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_PLAIN = re.compile(r'[^"\\]+')
_SURROGATE = re.compile("[\ud800-\udfff]")
_CODE = re.compile("[0-9a-fA-F]{4}")
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_REPLACEMENT = "\ufffd"
_REPLY_START = re.compile(
    r'\s*\{\s*"tool"\s*:\s*"reply"\s*,\s*"arguments"\s*:\s*\{\s*"message"\s*:\s*"'
)
_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})\s*([\w.+#-]*)[^`]*$")
_SAME = 80
_SAME_WORDS = 8
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer: a tool's name and its arguments. The tool `reply` carries `message`."""

    tool: str
    arguments: dict[str, Any]


class JsonStringDecoder:
    """Decodes the inside of a JSON string that arrives in pieces, cut anywhere.

    A lone surrogate becomes U+FFFD, so what comes out can always be encoded.
    """

    __slots__ = ("_held", "closed")

    def __init__(self) -> None:
        self._held = ""
        self.closed = False
        """Whether the closing quote was seen; what follows it is ignored."""

    def feed(self, piece: str) -> str:
        """Return the text that became certain with `piece`."""
        if self.closed:
            return ""
        text = self._held + _SURROGATE.sub(_REPLACEMENT, piece)
        self._held = ""
        decoded: list[str] = []
        position = 0
        while position < len(text):
            plain = _PLAIN.match(text, position)
            if plain:
                decoded.append(plain.group())
                position = plain.end()
                continue
            if text[position] == '"':
                self.closed = True
                break
            character, end = _escape(text, position)
            if end == position:
                self._held = text[position:]
                break
            decoded.append(character)
            position = end
        return "".join(decoded)


def _escape(text: str, position: int) -> tuple[str, int]:
    """Return what the escape at `position` means and where it ends: at `position` if it is cut."""
    kind = text[position + 1 : position + 2]
    if not kind:
        return "", position
    if kind != "u":
        return _SIMPLE.get(kind, kind), position + 2
    digits = text[position + 2 : position + 6]
    if len(digits) < 4:
        return "", position
    code = _code(digits)
    end = position + 6
    if code is None or 0xDC00 <= code <= 0xDFFF:
        return _REPLACEMENT, end
    if code < 0xD800 or code > 0xDFFF:
        return chr(code), end
    return _pair(text, position, code)


def _pair(text: str, position: int, high: int) -> tuple[str, int]:
    """Return the character whose high surrogate stands at `position`, as `_escape` does."""
    end = position + 6
    rest = text[end : end + 6]
    if len(rest) < 6 and rest[:2] == "\\u"[: len(rest[:2])]:
        return "", position
    low = _code(rest[2:]) if rest.startswith("\\u") else None
    if low is None or not 0xDC00 <= low <= 0xDFFF:
        return _REPLACEMENT, end
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)), end + 6


def _code(digits: str) -> int | None:
    return int(digits, 16) if _CODE.fullmatch(digits) else None


def goes_in_circles(text: str) -> bool:
    """Return whether the last 80 characters stand twice in the text before them.

    Lines and tables, which have few words, may come as often as they like.
    """
    last = text[-_SAME:]
    if len(set(_WORD.findall(last))) < _SAME_WORDS:
        return False
    before = text[:-_SAME].rfind(last)
    return before > 0 and last in text[:before]


class AnswerReader:
    """Reads one answer as it is generated: a reply's words come out at once, a call at the end."""

    __slots__ = ("_decoder", "_raw", "spoken")

    def __init__(self) -> None:
        self._raw = ""
        self._decoder: JsonStringDecoder | None = None
        self.spoken = False
        """Whether any words of a reply came out."""

    @property
    def is_reply(self) -> bool:
        """Whether the answer turned out to be a reply."""
        return self._decoder is not None

    @property
    def closed(self) -> bool:
        """Whether a reply's message is complete."""
        return self._decoder is not None and self._decoder.closed

    def feed(self, piece: str) -> str:
        """Return the words of the reply that became certain with `piece`."""
        if self._decoder is None:
            self._raw += piece
            start = _REPLY_START.match(self._raw)
            if not start:
                return ""
            piece = self._raw[start.end() :]
            self._decoder = JsonStringDecoder()
        words = self._decoder.feed(piece)
        self.spoken = self.spoken or bool(words.strip())
        return words

    def answer(self) -> Answer | None:
        """Return the whole answer, None where the text holds none.

        Text around the JSON object, such as a fence, is passed over; a text with no object in it
        at all is taken as the reply itself.
        """
        raw = self._raw.strip()
        start = raw.find("{")
        if start < 0:
            return Answer("reply", {"message": raw}) if raw else None
        try:
            value, _ = json.JSONDecoder(strict=False).raw_decode(raw, start)
        except ValueError:
            return None
        return _as_answer(value)


def _as_answer(value: Any) -> Answer | None:
    """Return the answer in a decoded object; other common spellings of a call are understood."""
    if not isinstance(value, dict):
        return None
    name = value.get("tool", value.get("name"))
    arguments = value.get("arguments", value.get("parameters", {}))
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    if name == "reply" and not isinstance(arguments.get("message"), str):
        return None
    return Answer(name, arguments)


class FencedBlock:
    """Takes the one fenced block out of a text that arrives in pieces.

    Words before the block are passed over. A block within the block, opened with a language,
    belongs to it.
    """

    __slots__ = ("_depth", "_fence", "_lines", "_partial", "_preface", "closed")

    def __init__(self) -> None:
        self._partial = ""
        self._fence = ""
        self._depth = 0
        self._lines: list[str] = []
        self._preface: list[str] = []
        self.closed = False
        """Whether the block is complete; what follows it is ignored."""

    def feed(self, piece: str) -> None:
        """Take the next piece."""
        if self.closed:
            return
        *lines, self._partial = (self._partial + piece).split("\n")
        for line in lines:
            if not self.closed:
                self._take(line)

    def _take(self, line: str) -> None:
        fence = _FENCE.match(line)
        if not self._fence:
            if fence:
                self._fence = fence.group(1)
            else:
                self._preface.append(line)
            return
        if fence and fence.group(1)[0] == self._fence[0]:
            if fence.group(2):
                self._depth += 1
            elif self._depth:
                self._depth -= 1
            else:
                self.closed = True
                return
        self._lines.append(line)

    def finish(self) -> None:
        """Take what was held back for want of a line's end."""
        if self._partial and not self.closed:
            partial, self._partial = self._partial, ""
            self._take(partial)

    @property
    def opened(self) -> bool:
        """Whether a block began."""
        return bool(self._fence)

    @property
    def content(self) -> str:
        """The block's text, ending in one line break; empty where there was no block."""
        text = "\n".join(self._lines)
        return f"{text}\n" if text.strip() else ""

    @property
    def preface(self) -> str:
        """The words before the block."""
        return "\n".join(self._preface)
