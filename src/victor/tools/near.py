"""Saying why a text was not found in a file: what differs, and the lines that are nearest to it."""

from __future__ import annotations

import difflib
import re
import unicodedata

from victor.tools.matching import COUNTED_PLACES, plain_ends

LISTED_PLACES = 10
_SHOWN_LINES = 20
_MARGIN = 3
_LINE_CHARACTERS = 300
_COMPARED_LINES = 20_000
_LIKE = 0.6
_NUMBERED = re.compile(r"\s*\d+\t")
_LOOK_ALIKE = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", None),
    }
)


def several(text: str, starts: list[int], what: str, name: str) -> str:
    """Return what to tell of something that stands at several places, which begin at `starts`."""
    numbers = [str(text.count("\n", 0, start) + 1) for start in starts[:LISTED_PLACES]]
    more = " and more" if len(starts) > LISTED_PLACES else ""
    count = f"more than {COUNTED_PLACES:,}" if len(starts) > COUNTED_PLACES else len(starts)
    return (
        f"{what} stands {count} times in {name}, at lines {', '.join(numbers)}{more}; nothing"
        " was changed."
    )


def missing(text: str, old: str, what: str, name: str) -> str:
    """Return what to tell of `old`, called `what`, that does not stand in `text`."""
    said = f"{what} is not in {name}; nothing was changed."
    lines, wanted = plain_ends(text).split("\n"), old.split("\n")
    words = [line for line in wanted if line.strip()]
    if not words:
        return f"{said} It holds only white space. Copy some words with it."
    if all(_NUMBERED.match(line) for line in words):
        return (
            f"{said} It starts with line numbers, which are not part of the file: leave them out."
        )
    same = _find(lines, words)
    if same is not None:
        return (
            f"{said} The same words stand at line {same + 1}{_differing(lines[same:], words)}:\n"
            f"{excerpt(lines, same, len(wanted))}\nCopy them exactly."
        )
    nearest = _nearest(lines, wanted)
    if nearest is None:
        return f"{said} Nothing in it is similar. Read the file again, or grep for the place."
    return (
        f"{said} The nearest lines are:\n{excerpt(lines, nearest, len(wanted))}\n"
        "Copy them exactly, without the line numbers."
    )


def excerpt(lines: list[str], start: int, count: int) -> str:
    """Return the lines from `start` on, with their numbers and a few around them."""
    first = max(0, start - 1)
    last = min(len(lines), start + min(count, _SHOWN_LINES) + _MARGIN - 1)
    return "\n".join(
        f"{number + 1}\t{lines[number][:_LINE_CHARACTERS]}" for number in range(first, last)
    )


def _blurred(line: str) -> str:
    """Return the line without white space, and with its characters as the plainest alike."""
    if line.isascii():
        return "".join(line.split())
    return "".join(unicodedata.normalize("NFKC", line).translate(_LOOK_ALIKE).split())


def _find(lines: list[str], words: list[str]) -> int | None:
    """Return where the lines with words in them are those of `words`, but for their spelling."""
    kept = [(number, blurred) for number, line in enumerate(lines) if (blurred := _blurred(line))]
    window = [_blurred(line) for line in words]
    for position in range(len(kept) - len(window) + 1):
        if all(kept[position + step][1] == line for step, line in enumerate(window)):
            return kept[position][0]
    return None


def _differing(lines: list[str], words: list[str]) -> str:
    """Return in what the first line that differs, differs: white space, or which characters."""
    kept = (line for line in lines if _blurred(line))
    for line, wanted in zip(kept, words, strict=False):
        if line.split() == wanted.split():
            continue
        theirs = [mark for mark in line if not mark.isascii() and mark not in wanted]
        ours = [mark for mark in wanted if not mark.isascii() and mark not in line]
        if theirs or ours:
            return f" with other characters (the file has {_codes(theirs)}, old has {_codes(ours)})"
        break
    return " with other white space"


def _codes(marks: list[str]) -> str:
    codes = [f"U+{ord(mark):04X}" for mark in dict.fromkeys(marks)]
    return " ".join(codes[:LISTED_PLACES]) or "plain ones"


def _nearest(lines: list[str], wanted: list[str]) -> int | None:
    """Return the line where a line most like the most telling one of `wanted` stands."""
    telling = max(wanted, key=lambda line: len(line.strip()))
    before = wanted.index(telling)
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(telling.strip()[:_LINE_CHARACTERS])
    best, best_ratio = None, _LIKE
    for number, line in enumerate(lines[:_COMPARED_LINES]):
        matcher.set_seq1(line.strip()[:_LINE_CHARACTERS])
        if matcher.real_quick_ratio() <= best_ratio or matcher.quick_ratio() <= best_ratio:
            continue
        ratio = matcher.ratio()
        if ratio > best_ratio:
            best, best_ratio = number, ratio
    return None if best is None else max(0, best - before)
