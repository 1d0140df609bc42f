"""Changing a part of a file: `edit` replaces one exact text, or says loudly why it did not."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from victor.errors import ToolError
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import Access, ToolEnvironment, ToolOutput
from victor.tools.document import encodable, load, replace_file, unified_diff
from victor.tools.files import changed, reached, refuse_unless_writable
from victor.tools.threads import in_thread_to_its_end
from victor.tools.workspace import Workspace

LISTED_PLACES = 10
NEAREST_LINES = 3
_COMPARED_LINES = 20_000
_NUMBERED = re.compile(r"\s*\d+\t")


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces a text that stands exactly once in a file."""

    workspace: Workspace

    spec: ClassVar[ToolSpec] = ToolSpec(
        "edit",
        "Change a part of a file: put `new` where `old` stands. `old` must be copied exactly from"
        " the file, without line numbers, and stand there once; add lines around it if need be.",
        {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "File, from the top of the workspace"},
                "old": {"type": "string", "description": "The text to replace, exactly as it is"},
                "new": {"type": "string", "description": "The text to put there"},
                "all": {
                    "type": "boolean",
                    "description": "Replace every occurrence instead of just one",
                },
            },
            "required": ["path", "old", "new"],
            "additionalProperties": False,
        },
        Effect.EFFECTFUL,
    )

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return the file, links resolved."""
        return changed(self.workspace, arguments.get("path", ""))

    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        """Return the file."""
        return reached(self.workspace, arguments.get("path", ""))

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Change the file at once and whole. `display` is the diff. Raises `ToolError`."""
        refuse_unless_writable(environment)
        return await in_thread_to_its_end(self._edit, arguments)

    def _edit(self, arguments: JsonObject) -> ToolOutput:
        self.workspace.resolve(arguments["path"])
        file = self.workspace.file(arguments["path"])
        name = self.workspace.name(file)
        old, new = _plain_ends(arguments["old"]), _plain_ends(arguments["new"])
        if not old:
            raise ToolError(f"old is empty. Copy it from {name}, or use write for a whole file.")
        if old == new:
            raise ToolError("old and new are the same, so there is nothing to change.")
        encodable(new)
        document = load(file, name)
        places = _places(document.text, old)
        if not places:
            raise ToolError(_none_found(document.text, old, name))
        if len(places) > 1 and not arguments.get("all"):
            raise ToolError(_several_found(document.text, places, name))
        text = _replaced(document.text, places, new)
        replace_file(file, document.encode(text), name)
        line = _line_number(document.text, places[0].start())
        where = f"at line {line}" if len(places) == 1 else f"at {len(places)} places"
        return ToolOutput(f"Changed {name} {where}.", unified_diff(document.text, text, name))


def _plain_ends(text: str) -> str:
    return text.replace("\r\n", "\n")


def _places(text: str, old: str) -> list[re.Match[str]]:
    """Return where `old` stands in `text`, whichever line ends `text` has.

    Overlapping occurrences all count, since each could be the one that is meant.
    """
    lines = r"\r?\n".join(re.escape(line) for line in old.split("\n"))
    expression = re.compile(lines)
    found: list[re.Match[str]] = []
    position = 0
    while (match := expression.search(text, position)) is not None:
        found.append(match)
        position = match.start() + 1
    return found


def _replaced(text: str, places: list[re.Match[str]], new: str) -> str:
    pieces: list[str] = []
    position = 0
    for match in places:
        if match.start() < position:
            continue
        pieces += (text[position : match.start()], _with_ends(new, text, match))
        position = match.end()
    pieces.append(text[position:])
    return "".join(pieces)


def _with_ends(new: str, text: str, match: re.Match[str]) -> str:
    """Return `new` with the line ends of what it replaces, or else of the file's majority."""
    sample = match.group() if "\n" in match.group() else text
    if sample.count("\r\n") * 2 > sample.count("\n"):
        return new.replace("\n", "\r\n")
    return new


def _line_number(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _several_found(text: str, places: list[re.Match[str]], name: str) -> str:
    numbers = [str(_line_number(text, place.start())) for place in places[:LISTED_PLACES]]
    more = " and more" if len(places) > LISTED_PLACES else ""
    return (
        f"old stands {len(places)} times in {name}, at lines {', '.join(numbers)}{more}; nothing"
        " was changed. Add the lines around the one you mean to old, or set all to true."
    )


def _none_found(text: str, old: str, name: str) -> str:
    lines = _plain_ends(text).split("\n")
    said = f"old is not in {name}; nothing was changed."
    wanted = old.split("\n")
    if not old.strip():
        return f"{said} It holds only white space. Copy some words with it."
    if all(_NUMBERED.match(line) for line in wanted if line.strip()):
        return (
            f"{said} It starts with line numbers, which are not part of the file: leave them out."
        )
    blurred = [_blurred(line) for line in lines]
    window = [_blurred(line) for line in wanted if line.strip()]
    start = _find(blurred, window)
    if start is not None:
        return (
            f"{said} The same words stand at line {start + 1} with other white space:\n"
            f"{_excerpt(lines, start, len(wanted))}\nCopy them exactly."
        )
    nearest = _nearest(lines, wanted)
    if nearest is None:
        return f"{said} Nothing in it is similar. Read the file again, or grep for the place."
    return (
        f"{said} The nearest lines are:\n{_excerpt(lines, nearest, len(wanted))}\n"
        "Copy them exactly, without the line numbers."
    )


def _blurred(line: str) -> str:
    return "".join(line.split())


def _find(lines: list[str], window: list[str]) -> int | None:
    """Return where the non-empty `lines` hold `window`."""
    kept = [(number, line) for number, line in enumerate(lines) if line]
    for position in range(len(kept) - len(window) + 1):
        if all(kept[position + step][1] == line for step, line in enumerate(window)):
            return kept[position][0]
    return None


def _nearest(lines: list[str], wanted: list[str]) -> int | None:
    """Return the line where a line most like the most telling one of `wanted` stands."""
    telling = max(wanted, key=lambda line: len(line.strip()))
    before = wanted.index(telling)
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(telling.strip()[:300])
    best, best_ratio = None, 0.6
    for number, line in enumerate(lines[:_COMPARED_LINES]):
        matcher.set_seq1(line.strip()[:300])
        if matcher.real_quick_ratio() <= best_ratio or matcher.quick_ratio() <= best_ratio:
            continue
        ratio = matcher.ratio()
        if ratio > best_ratio:
            best, best_ratio = number, ratio
    return None if best is None else max(0, best - before)


def _excerpt(lines: list[str], start: int, count: int) -> str:
    first = max(0, start - 1)
    last = min(len(lines), start + min(count, 20) + NEAREST_LINES - 1)
    return "\n".join(f"{number + 1}\t{lines[number][:300]}" for number in range(first, last))
