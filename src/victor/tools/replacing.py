"""What a text becomes by replacing pieces of it: each found for certain, or none replaced."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from victor.errors import ToolError
from victor.tools.matching import (
    COUNTED_PLACES,
    Closeness,
    Span,
    every_place,
    exact_places,
    line_places,
    lines_of,
    may_overlap,
    plain_ends,
    replaced_exactly,
    replaced_lines,
    usual_end,
)
from victor.tools.near import missing, several


@dataclass(frozen=True, slots=True)
class Wish:
    """A piece of a text to replace."""

    old: str
    new: str
    every: bool = False
    """Whether all occurrences are meant."""
    label: str = "old"
    """What `old` is called in errors."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """A piece of the text that is replaced."""

    span: Span
    text: str
    label: str
    closeness: Closeness = Closeness.EXACT


@dataclass(frozen=True, slots=True)
class Replaced:
    """A text with all its replacements made."""

    text: str
    lines: tuple[int, ...]
    """Where they begin, counted from 1 in the text as it was."""
    loosely: tuple[Closeness, ...] = ()
    """How the pieces were found that did not stand there exactly."""


def replaced(text: str, wishes: Iterable[Wish], name: str) -> Replaced:
    """Return the text, called `name` in errors, with every wish fulfilled.

    All are found in the text as it is, so that their order does not matter. Raises `ToolError`
    where one is not found, is ambiguous or overlaps another.
    """
    found = [replacement for wish in wishes for replacement in _found(text, wish, name)]
    return applied(text, found, name)


def applied(text: str, replacements: list[Replacement], name: str) -> Replaced:
    """Return the text with the replacements made. Raises `ToolError` where they overlap."""
    ordered = sorted(replacements, key=lambda one: (one.span.start, one.span.stop))
    for one, next_one in pairwise(ordered):
        if next_one.span.start < one.span.stop:
            line = text.count("\n", 0, next_one.span.start) + 1
            which = " and ".join(sorted({one.label, next_one.label}))
            raise ToolError(
                f"{which} overlap at line {line} of {name}; nothing was changed."
                " Replace what belongs together in one edit."
            )
    pieces: list[str] = []
    lines: list[int] = []
    position, line = 0, 1
    for one in ordered:
        between = text[position : one.span.start]
        line += between.count("\n")
        lines.append(line)
        pieces += (between, one.text)
        line += text.count("\n", one.span.start, one.span.stop)
        position = one.span.stop
    pieces.append(text[position:])
    loosely = dict.fromkeys(one.closeness for one in ordered if one.closeness)
    return Replaced("".join(pieces), tuple(lines), tuple(loosely))


def _found(text: str, wish: Wish, name: str) -> list[Replacement]:
    old, new = plain_ends(wish.old), plain_ends(wish.new)
    if not old:
        raise ToolError(
            f"{wish.label} is empty. Copy it from {name}, or use write for a whole file."
        )
    if old == new:
        raise ToolError(f"{wish.label} and its replacement are the same: nothing to change.")
    places = every_place(text, old) if wish.every else exact_places(text, old)
    if not places:
        return _found_loosely(text, wish, old, new, name)
    if len(places) > 1 and not wish.every:
        raise ToolError(_ambiguous(text, [place.start for place in places], wish.label, name))
    if wish.every and _overlapping(text, old, places):
        raise ToolError(
            f"Places of {wish.label} in {name} overlap, so it is not certain which are meant;"
            " nothing was changed. Replace them one by one."
        )
    end = usual_end(text)
    return [
        Replacement(
            place,
            replaced_exactly(text[place.start : place.stop], old, new, end),
            wish.label,
        )
        for place in places
    ]


def _overlapping(text: str, old: str, places: list[Span]) -> bool:
    """Return whether there are, or may be, more places than those behind one another."""
    if not may_overlap(old):
        return False
    return len(places) > COUNTED_PLACES or len(exact_places(text, old)) > len(places)


def _found_loosely(text: str, wish: Wish, old: str, new: str, name: str) -> list[Replacement]:
    """Return the replacements of whole lines that are `old` but for white space around them."""
    if old.endswith("\n") and new and not new.endswith("\n"):
        # It would join the next line to the last new one, which is no change of whole lines.
        raise ToolError(missing(text, old, wish.label, name))
    lines = lines_of(text)
    wanted = old.removesuffix("\n").split("\n")
    becomes = (new.removesuffix("\n") if old.endswith("\n") else new).split("\n") if new else []
    for closeness in (Closeness.TRAILING, Closeness.INDENTED):
        starts = list(line_places(lines, wanted, closeness))
        if starts:
            break
    else:
        raise ToolError(missing(text, old, wish.label, name))
    offsets = _offsets(lines)
    if len(starts) > 1 and not wish.every:
        where = [offsets[start] for start in starts]
        raise ToolError(_ambiguous(text, where, f"{wish.label} (but for {closeness})", name))
    end = usual_end(text)
    made: list[Replacement] = []
    for start in starts:
        stop = start + len(wanted)
        rewritten = replaced_lines(lines[start:stop], wanted, becomes, end)
        if rewritten is None:
            raise ToolError(missing(text, old, wish.label, name))
        span = Span(offsets[start], offsets[stop])
        made.append(Replacement(span, "".join(rewritten), wish.label, closeness))
    return made


def _ambiguous(text: str, starts: list[int], what: str, name: str) -> str:
    return (
        f"{several(text, starts, what, name)} Add the lines around the one you mean,"
        " or set all to true."
    )


def _offsets(lines: list[str]) -> list[int]:
    """Return where each line begins, and where the last one ends."""
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line))
    return offsets
