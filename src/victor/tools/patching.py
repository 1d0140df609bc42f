"""Where the hunks of a patch belong in a text, and what the text becomes."""

from __future__ import annotations

from itertools import accumulate

from victor.errors import ToolError
from victor.tools.matching import (
    Closeness,
    Span,
    body,
    line_places,
    lines_of,
    replaced_lines,
    usual_end,
)
from victor.tools.near import missing, several
from victor.tools.patch import Hunk
from victor.tools.replacing import Replaced, Replacement, applied

_CLOSING = ("}", ")", "]", "end")


def patched(text: str, hunks: list[Hunk], name: str) -> Replaced:
    """Return the text, called `name` in errors, with the hunks applied, each after the one before.

    Raises `ToolError` where a hunk stands nowhere, or at several places.
    """
    lines = lines_of(text)
    offsets = list(accumulate(map(len, lines), initial=0))
    made: list[Replacement] = []
    position = 0
    for number, hunk in enumerate(hunks, 1):
        label = "The hunk" if len(hunks) == 1 else f"Hunk {number}"
        if not hunk.old:
            start, closeness = _insertion(lines, hunk, label, name), Closeness.EXACT
        else:
            start, closeness = _place(text, lines, hunk, position, label, name)
        stop = start + len(hunk.old)
        becomes = _becomes(lines, start, stop, hunk, usual_end(text))
        if becomes is None:
            raise ToolError(missing(text, "\n".join(hunk.old), label, name))
        span = Span(offsets[start], offsets[stop])
        made.append(Replacement(span, "".join(becomes), label, closeness))
        position = stop
    return applied(text, made, name)


def _becomes(lines: list[str], start: int, stop: int, hunk: Hunk, end: str) -> list[str] | None:
    if not hunk.old:
        return [line + end for line in hunk.new]
    made = replaced_lines(lines[start:stop], hunk.old, hunk.new, end)
    if made and stop == len(lines) and hunk.new_unended:
        made[-1] = body(made[-1])
    elif made and stop == len(lines) and hunk.old_unended:
        made[-1] = body(made[-1]) + end
    return made


def _insertion(lines: list[str], hunk: Hunk, label: str, name: str) -> int:
    """Return where lines go that come with none around them: into an empty file or to an end."""
    if not lines or (hunk.at_end and lines[-1].endswith("\n")):
        return len(lines)
    raise ToolError(
        f"{label} only puts lines in, and does not say where in {name}; nothing was changed. Add"
        " lines that are there already, beginning with a space."
    )


def _place(
    text: str, lines: list[str], hunk: Hunk, position: int, label: str, name: str
) -> tuple[int, Closeness]:
    found: list[int] = []
    for closeness in Closeness:
        found = list(line_places(lines, hunk.old, closeness, position))
        if hunk.at_end:
            found = [start for start in found if start + len(hunk.old) == len(lines)]
        if found:
            break
    if not found:
        raise ToolError(missing(text, "\n".join(hunk.old), label, name))
    if hunk.anchors:
        found = _anchored(lines, hunk, found, position, f"{label} for {name}")
    if len(found) > 1:
        starts = [sum(map(len, lines[:start])) for start in found]
        raise ToolError(
            f"{several(text, starts, f'What {label.lower()} is about', name)}"
            " Add more lines around it, or a line @@ with the line that its function or class"
            " begins with."
        )
    return found[0], closeness


def _anchored(
    lines: list[str], hunk: Hunk, found: list[int], position: int, label: str
) -> list[int]:
    """Return those of the places that stand in what the anchors begin; or else, after them."""
    blocks = [(position, len(lines))]
    for anchor in hunk.anchors:
        wanted = anchor.strip()
        blocks = [
            (index + 1, _block_end(lines, index, stop))
            for start, stop in blocks
            for index in range(start, stop)
            if lines[index].strip() == wanted
        ]
    if not blocks and hunk.optional_anchors:
        return found
    if not blocks:
        raise ToolError(
            f"{label} is to stand after {hunk.anchors[-1]!r}, which is no line there; nothing was"
            " changed."
        )
    inside = {start for start in found for first, stop in blocks if first <= start < stop}
    after = {start for start in found if any(first <= start for first, _ in blocks)}
    if not inside and not after and not hunk.optional_anchors:
        raise ToolError(f"{label} does not stand after {hunk.anchors[-1]!r}; nothing was changed.")
    return sorted(inside or after or found)


def _block_end(lines: list[str], head: int, stop: int) -> int:
    """Return where the block ends that the line `head` begins: before what is no deeper than it."""
    depth = _depth(lines[head])
    for index in range(head + 1, stop):
        if lines[index].strip() and _depth(lines[index]) <= depth:
            return index + lines[index].strip().startswith(_CLOSING)
    return stop


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))
