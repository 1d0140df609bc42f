"""What a session is called: its title, and the tags that a person puts on it."""

from __future__ import annotations

from victor.errors import SessionError

_TITLE_LENGTH = 60
_TAG_LENGTH = 40


def title(text: str) -> str:
    """Return the first words of `text`, on one line."""
    line = " ".join(text.split())
    if len(line) <= _TITLE_LENGTH:
        return line
    cut = line[: _TITLE_LENGTH - 1]
    return f"{cut.rsplit(' ', 1)[0]}…"


def tag(text: str) -> str:
    """Return the tag as it is kept. Raises `SessionError` for what cannot be one."""
    kept = text.strip()
    if not kept or len(kept) > _TAG_LENGTH or not kept.isprintable() or "," in kept:
        raise SessionError(
            f"{text!r} cannot be a tag.",
            hint=f"A tag has 1 to {_TAG_LENGTH} characters, none of them a comma.",
        )
    return kept
