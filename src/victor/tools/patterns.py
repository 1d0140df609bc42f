"""File name patterns: `*`, `?`, `[...]`, `{a,b}` within a name and `**` across folders."""

from __future__ import annotations

import functools
import re

from victor.errors import ToolError

MOST_STARS = 3
"""In one name: each further one multiplies how long an unlucky name takes by its length."""
_STARS = re.compile(r"\*+")


@functools.lru_cache(maxsize=64)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return a regular expression to `fullmatch` relative paths, `/` between their parts.

    A pattern without a slash matches the name at any depth. Raises `ToolError`.
    """
    text = pattern.removeprefix("./").lstrip("/")
    if not text:
        raise ToolError("The pattern is empty. For example: **/*.py")
    if "/" not in text:
        text = f"**/{text}"
    parts = text.split("/")
    if any(len(_STARS.findall(part)) > MOST_STARS for part in parts) or (
        parts.count("**") > MOST_STARS
    ):
        raise ToolError(
            f"The pattern {pattern!r} could take for ever: write at most {MOST_STARS} * in a name,"
            f" and at most {MOST_STARS} **."
        )
    try:
        return re.compile(_regex(text), re.DOTALL)
    except re.error as error:
        raise ToolError(f"The pattern {pattern!r} is not valid: {error}.") from error


def _regex(text: str) -> str:
    pieces: list[str] = []
    position = depth = 0
    while position < len(text):
        piece, position, depth = _piece(text, position, depth)
        pieces.append(piece)
    if depth:
        raise re.error("a brace is not closed")
    return "".join(pieces)


def _piece(text: str, position: int, depth: int) -> tuple[str, int, int]:
    """Return (the expression for what stands at `position`, where it ends, open braces)."""
    if text.startswith("**/", position):
        return "(?:[^/]+/)*", position + 3, depth
    if text.startswith("**", position):
        alone = position + 2 == len(text) and text[position - 1 : position] in ("", "/")
        return ".*" if alone else "[^/]*", position + 2, depth
    match text[position]:
        case "*":
            return "[^/]*", position + 1, depth
        case "?":
            return "[^/]", position + 1, depth
        case "[":
            return *_set(text, position), depth
        case "{":
            return "(?:", position + 1, depth + 1
        case "}" if depth:
            return ")", position + 1, depth - 1
        case "," if depth:
            return "|", position + 1, depth
        case character:
            return re.escape(character), position + 1, depth


def _set(text: str, position: int) -> tuple[str, int]:
    end = text.find("]", position + 2)
    if end < 0:
        return re.escape("["), position + 1
    inside = text[position + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
    if inside.startswith("!"):
        inside = f"^{inside[1:]}"
    return f"(?!/)[{inside}]", end + 1
