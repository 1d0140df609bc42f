"""What a search looks for, and whether a text has it: the same in every store."""

from __future__ import annotations

import re

from victor.protocols import Record, SessionInfo, SessionMatch

_WORDS = re.compile(r'"([^"]+)"|([^\s"]+)')
_BEFORE, _AFTER = 30, 90
"""Characters of an excerpt on both sides of the place."""


def terms(text: str) -> tuple[str, ...]:
    """Return what must be found: words, and what stands in double quotes, in lower case."""
    found = (quoted or word for quoted, word in _WORDS.findall(text.lower()))
    return tuple(dict.fromkeys(term for term in found if term.strip()))


def has(text: str, wanted: tuple[str, ...]) -> bool:
    """Return whether each of the terms stands in the text, in any case."""
    lower = text.lower()
    return all(term in lower for term in wanted)


def words_of(record: Record) -> str:
    """Return what the user or the model said in the record: what is searched."""
    if record.kind not in {"user", "reply"} or record.message is None:
        return ""
    return record.message.text


def matched(info: SessionInfo, record: Record | None, wanted: tuple[str, ...]) -> SessionMatch:
    """Return the match: in the record, or in the title alone."""
    if record is None:
        return SessionMatch(info)
    return SessionMatch(info, record.turn_id, excerpt(words_of(record), wanted))


def excerpt(text: str, wanted: tuple[str, ...]) -> str:
    """Return the words around the first of the terms, on one line."""
    lower = text.lower()
    place = min((at for term in wanted if (at := lower.find(term)) >= 0), default=0)
    start, end = max(0, place - _BEFORE), place + _AFTER
    if start:
        # Not from the middle of a word.
        space = text.find(" ", start, place)
        start = space + 1 if space >= 0 else start
    line = " ".join(text[start:end].split())
    return f"{'…' if start else ''}{line}{'…' if end < len(text) else ''}"
