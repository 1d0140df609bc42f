"""Where in a text the lines stand that a model means, and what they become.

A text is found exactly, whichever line ends the file has; or else as whole lines that differ in
nothing but the white space around them. Lines that are not meant to change stay as they are, to
the byte: their line ends, trailing spaces and indentation are the file's own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

COUNTED_PLACES = 1_000
"""So many occurrences are told apart at most."""
_WHITE = " \t"
_DEEPEST = 16


class Closeness(StrEnum):
    """How alike two lines must be."""

    EXACT = ""
    TRAILING = "white space at the ends of lines"
    INDENTED = "indentation"

    def form(self, line: str) -> str:
        """Return what of a line, its end left out, is compared."""
        match self:
            case Closeness.EXACT:
                return line
            case Closeness.TRAILING:
                return line.rstrip(_WHITE)
            case Closeness.INDENTED:
                return line.strip(_WHITE)


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text, from the character `start` to before `stop`."""

    start: int
    stop: int


def lines_of(text: str) -> list[str]:
    """Return the lines of a text with their ends; only a line feed ends one."""
    lines = text.split("\n")
    last = lines.pop()
    ended = [f"{line}\n" for line in lines]
    return [*ended, last] if last else ended


def body(line: str) -> str:
    """Return a line without its end."""
    return line.removesuffix("\n").removesuffix("\r")


def plain_ends(text: str) -> str:
    """Return the text with a line feed at the end of each line."""
    return text.replace("\r\n", "\n")


def exact_places(text: str, old: str) -> list[Span]:
    """Return where `old`, with plain line ends, stands in `text`, whichever ends that has.

    Overlapping occurrences all count, since each could be the one that is meant; no more than
    `COUNTED_PLACES` + 1 are looked for.
    """
    found: list[Span] = []
    expression = _expression(old)
    position = 0
    while len(found) <= COUNTED_PLACES and (match := expression.search(text, position)) is not None:
        found.append(Span(*match.span()))
        position = match.start() + 1
    return found


def every_place(text: str, old: str) -> list[Span]:
    """Return where `old` stands, however often, each occurrence behind the one before it."""
    return [Span(*match.span()) for match in _expression(old).finditer(text)]


def may_overlap(old: str) -> bool:
    """Return whether two occurrences of `old` can share characters."""
    borders = [0] * len(old)
    for index in range(1, len(old)):
        length = borders[index - 1]
        while length and old[index] != old[length]:
            length = borders[length - 1]
        borders[index] = length + (old[index] == old[length])
    return bool(borders) and borders[-1] > 0


def _expression(old: str) -> re.Pattern[str]:
    return re.compile(r"\r?\n".join(re.escape(line) for line in old.split("\n")))


def line_places(
    lines: list[str], wanted: list[str], closeness: Closeness, first: int = 0
) -> Iterator[int]:
    """Yield the indices, from `first` on, where whole `lines` are as `wanted` says.

    Nothing is found where `wanted` has no line with words.
    """
    forms = [closeness.form(line) for line in wanted]
    telling = max(range(len(forms)), key=lambda index: len(forms[index].strip()), default=0)
    if not forms or not forms[telling].strip():
        return
    for start in range(first, len(lines) - len(forms) + 1):
        if closeness.form(body(lines[start + telling])) == forms[telling] and all(
            closeness.form(body(lines[start + step])) == form for step, form in enumerate(forms)
        ):
            yield start


def replaced_exactly(found: str, old: str, new: str, end: str) -> str:
    """Return what `found`, which is `old` but for line ends, becomes; `end` ends new lines."""
    if "\n" not in found:
        return new.replace("\n", end)
    ends = "\r\n" if found.count("\r\n") * 2 > found.count("\n") else "\n"
    lines, pieces = lines_of(found), list[str]()
    was, becomes = lines_of(old), lines_of(new)
    for tag, start, stop, first, last in _differences(was, becomes):
        if tag == "equal":
            pieces += lines[start:stop]
        else:
            pieces += [line.replace("\n", ends) for line in becomes[first:last]]
    return "".join(pieces)


def replaced_lines(found: list[str], old: list[str], new: list[str], end: str) -> list[str] | None:
    """Return what the whole lines `found` become, which are `old` but for white space.

    `old` and `new` have no line ends. What is new is indented as the lines found are; None where
    it cannot be told how. The last line ends as the last one found did.
    """
    indent = _Indentation.of(found, old)
    made: list[str] = []
    for tag, start, stop, first, last in _differences(old, new):
        if tag == "equal":
            made += found[start:stop]
            continue
        for line in new[first:last]:
            indented = indent.applied(line)
            if indented is None:
                return None
            made.append(indented + end)
    if made:
        # A line that was last and had no end may stand in the middle now, and the other way round.
        made = [line if line.endswith("\n") else line + end for line in made]
        made[-1] = body(made[-1]) + found[-1][len(body(found[-1])) :]
    return made


def _differences(old: list[str], new: list[str]) -> Sequence[tuple[str, int, int, int, int]]:
    if len(old) == len(new) == 1 and old != new:
        return [("replace", 0, 1, 0, 1)]
    return difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()


def usual_end(text: str) -> str:
    """Return the line end that most lines of the text have."""
    return "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"


@dataclass(frozen=True, slots=True)
class _Indentation:
    """How the indentation of given lines is turned into that of the file."""

    known: dict[str, str] | None
    """By what is given, what the file has; None where that contradicts itself."""
    added: str | None = None
    """What the file has in front of everything that is given."""
    left_out: str | None = None
    """What is given in front of everything that the file has."""
    unit: tuple[str, str] | None = None
    """(One level as given, one level in the file)."""

    @classmethod
    def of(cls, found: list[str], given: list[str]) -> _Indentation:
        """Return the rule that the pairs of lines follow."""
        known: dict[str, str] = {}
        for line, wanted in zip(found, given, strict=True):
            if not wanted.strip(_WHITE):
                continue
            ours, theirs = _indent(body(line)), _indent(wanted)
            if known.setdefault(theirs, ours) != ours:
                return cls(None)
        return cls(known, _added(known), _added({b: a for a, b in known.items()}), _unit(known))

    def applied(self, line: str) -> str | None:
        """Return the line as the file would have it; None where that cannot be told."""
        if not line.strip(_WHITE):
            return line
        given = _indent(line)
        rest = line[len(given) :]
        if self.known is None:
            return None
        if given in self.known:
            return self.known[given] + rest
        if self.added is not None:
            return self.added + line
        if self.left_out is not None and given.startswith(self.left_out):
            return line[len(self.left_out) :]
        if self.unit is not None:
            level, own = self.unit
            count, left = divmod(len(given), len(level))
            if not left and given == level * count:
                return own * count + rest
        return None


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(_WHITE))]


def _added(pairs: dict[str, str]) -> str | None:
    """Return what each second has in front of its first; None where that is not one thing."""
    added = {
        second[: len(second) - len(first)] if second.endswith(first) else None
        for first, second in pairs.items()
    }
    return added.pop() if len(added) == 1 else None


def _unit(known: dict[str, str]) -> tuple[str, str] | None:
    """Return the levels that all pairs are the same multiples of; None where there are none."""
    given = min((theirs for theirs in known if theirs), key=len, default="")
    own = known.get(given, "")
    for count in range(_DEEPEST, 0, -1):
        if not given or not own or len(given) % count or len(own) % count:
            continue
        level, ours = given[: len(given) // count], own[: len(own) // count]
        if all(
            theirs == level * (len(theirs) // len(level))
            and mine == ours * (len(theirs) // len(level))
            for theirs, mine in known.items()
        ):
            return level, ours
    return None
