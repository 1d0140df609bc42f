"""Finding things: `glob` finds files by name, `grep` finds lines by a regular expression."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeAlias

from victor.errors import ToolError, WorkspaceError
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import ToolEnvironment, ToolOutput
from victor.tools.document import encoding_of, read_bytes
from victor.tools.files import ReadingTool, files_said, hidden_in
from victor.tools.line_matcher import LineMatcher
from victor.tools.patterns import MOST_STARS, compile_pattern
from victor.tools.ripgrep import Match, Ripgrep, SearchFailed
from victor.tools.threads import Stop, in_thread, in_thread_until
from victor.tools.workspace import Workspace

FOUND_FILES = 500
FOUND_LINES = 200
LINE_CHARACTERS = 300
SEARCHED_BYTES = 10_000_000
"""Larger files are not searched."""

Wanted: TypeAlias = Callable[[Path], bool]
"""Says whether lines of a file may be shown, and were asked for."""


@dataclass(frozen=True, slots=True)
class Glob(ReadingTool):
    """Finds files by name."""

    bounds: ClassVar[tuple[str, ...]] = (
        f"{FOUND_FILES} names; links, `.git` and what `.gitignore` names are left out",
    )
    refuses: ClassVar[tuple[str, ...]] = (f"patterns with more than {MOST_STARS} * in a name",)
    spec: ClassVar[ToolSpec] = ToolSpec(
        "glob",
        "Find files by name, such as *.py or src/**/test_*.py. Without / it matches at any depth.",
        {
            "type": "object",
            "properties": {
                "pattern": {"type": "string", "description": "With * ? [..] {a,b} and **"},
                "path": {
                    "type": "string",
                    "description": "Folder to look in; all of the workspace if left out",
                },
            },
            "required": ["pattern"],
            "additionalProperties": False,
        },
        Effect.READ_ONLY,
        essential=True,
    )

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return the names, without what `.gitignore` names or rules hide. Raises `ToolError`."""
        pattern = arguments["pattern"]
        path = arguments.get("path") or "."
        folder = await in_thread(self.workspace.folder, path, environment.hides)
        expression = compile_pattern(pattern)
        names = await in_thread_until(Stop(), self._glob, folder, expression, environment)
        return ToolOutput("\n".join(names) or f"No file matches {pattern!r}.")

    def _glob(
        self, stop: Stop, folder: Path, expression: re.Pattern[str], environment: ToolEnvironment
    ) -> list[str]:
        names: list[str] = []
        for file in self.workspace.files(folder):
            stop.check()
            if not expression.fullmatch(file.relative_to(folder).as_posix()):
                continue
            name = self.workspace.name(file)
            if environment.hides(name):
                continue
            if len(names) == FOUND_FILES:
                names.append(f"[More than {FOUND_FILES} files match; narrow the pattern.]")
                break
            names.append(name)
        return names


@dataclass(frozen=True, slots=True)
class Grep(ReadingTool):
    """Finds lines by a regular expression, with ripgrep where it is installed."""

    ripgrep: Ripgrep | None = None
    """Without it, the search is done in Python, and slower."""

    bounds: ClassVar[tuple[str, ...]] = (
        f"{FOUND_LINES} lines, {LINE_CHARACTERS} characters of each",
        f"files over {SEARCHED_BYTES // 1_000_000} MB and binary files are left out",
        "so is what `.gitignore` names or rules hide",
    )
    refuses: ClassVar[tuple[str, ...]] = ("patterns that are no regular expression of Python",)
    spec: ClassVar[ToolSpec] = ToolSpec(
        "grep",
        "Find lines that match a regular expression. Gives path:line:text.",
        {
            "type": "object",
            "properties": {
                "pattern": {"type": "string", "description": "Regular expression"},
                "path": {
                    "type": "string",
                    "description": "File or folder; all of the workspace if left out",
                },
                "glob": {"type": "string", "description": "Only in these files, such as *.py"},
                "ignore_case": {"type": "boolean"},
            },
            "required": ["pattern"],
            "additionalProperties": False,
        },
        Effect.READ_ONLY,
        essential=True,
    )

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return the lines by path, without what `.gitignore` names or rules hide.

        Raises `ToolError`.
        """
        path = arguments.get("path") or "."
        start = await in_thread(self.workspace.existing, path, environment.hides)
        expression = _expression(arguments)
        named = compile_pattern(arguments["glob"]) if arguments.get("glob") else None

        hidden = await hidden_in(self.workspace, environment)

        opened = self.workspace.closed(start)

        def wanted(file: Path) -> bool:
            if self.workspace.closed(file) and not opened:
                return False
            if named is not None and not named.fullmatch(_relative(file, start)):
                return False
            return not (environment.hides(self.workspace.name(file)) or hidden.holds(file))

        stop = Stop()
        found = await in_thread_until(stop, self._search, start, expression, wanted)
        told = self._told(found, arguments["pattern"])
        if left_out := hidden.below(start):
            # Whether it matches or not: else a search would tell, letter by letter.
            told += f"\n[Not searched, as it must not be shown unasked: {files_said(left_out)}.]"
        return ToolOutput(told)

    def _search(
        self,
        stop: Stop,
        start: Path,
        expression: re.Pattern[str],
        wanted: Wanted,
    ) -> list[Match]:
        rg = self.ripgrep
        if (
            rg is not None
            and rg.agrees_on(expression)
            and rg.agrees_on_ignoring(start, self.workspace.root)
        ):
            try:
                found = rg.search(expression, start, SEARCHED_BYTES, stop)
                with LineMatcher(expression, stop) as matcher:
                    return self._capped(stop, self._confirmed(found, matcher), wanted)
            except SearchFailed:
                pass  # What it does not understand, the search in Python does.
        with LineMatcher(expression, stop) as matcher:
            return self._capped(stop, self._matches(start, matcher, wanted), wanted)

    def _capped(
        self, stop: Stop, matches: Generator[Match, None, None], wanted: Wanted
    ) -> list[Match]:
        kept: list[Match] = []
        with contextlib.closing(matches):
            for match in matches:
                stop.check()
                if wanted(match.path):
                    kept.append(match)
                if len(kept) > FOUND_LINES:
                    break
        return kept

    def _matches(
        self, start: Path, matcher: LineMatcher, wanted: Wanted
    ) -> Generator[Match, None, None]:
        for file in self.workspace.files(start):
            if not wanted(file):
                continue
            lines = _lines(self.workspace, file)
            for at in matcher.matching(lines) if lines else ():
                yield Match(file, at + 1, lines[at])

    def _confirmed(
        self, matches: Generator[Match, None, None], matcher: LineMatcher
    ) -> Generator[Match, None, None]:
        """Yield the matches with the lines as they are in the workspace.

        Ripgrep follows a folder that has turned into a link since it looked.
        """
        path, lines = Path(), list[str]()
        with contextlib.closing(matches):
            for match in matches:
                if match.path != path:
                    path, lines = match.path, _lines(self.workspace, match.path)
                line = lines[match.line - 1] if match.line <= len(lines) else None
                if line is not None and matcher.matching([line]):
                    yield Match(path, match.line, line)

    def _told(self, found: list[Match], pattern: str) -> str:
        if not found:
            return f"No line matches {pattern!r}."
        lines = [
            f"{self.workspace.name(match.path)}:{match.line}:{_cut(match.text)}" for match in found
        ]
        if len(lines) > FOUND_LINES:
            lines[FOUND_LINES:] = [
                f"[More than {FOUND_LINES} lines match; narrow the pattern, path or glob.]"
            ]
        return "\n".join(lines)


def _relative(path: Path, start: Path) -> str:
    return path.name if path == start else path.relative_to(start).as_posix()


def _lines(workspace: Workspace, file: Path) -> list[str]:
    """Return the lines of a text file without their ends; nothing of one that is none."""
    name = workspace.name(file)
    try:
        data = read_bytes(file, name, workspace.root_of(file), SEARCHED_BYTES)
    except WorkspaceError:
        return []
    mark, encoding = encoding_of(data)
    if encoding == "utf-8" and b"\0" in data:
        return []
    lines = data[len(mark) :].decode(encoding, "replace").split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _expression(arguments: JsonObject) -> re.Pattern[str]:
    pattern = arguments["pattern"]
    if not pattern:
        raise ToolError("The pattern is empty.")
    try:
        with warnings.catch_warnings():
            # What may mean something else in a later Python is nothing to tell the model.
            warnings.simplefilter("ignore")
            return re.compile(pattern, re.IGNORECASE if arguments.get("ignore_case") else 0)
    except (re.error, OverflowError, RecursionError) as error:
        raise ToolError(
            f"The pattern {pattern!r} is no valid regular expression: {error}."
            " Put a backslash before signs that are meant literally, such as ( or [."
        ) from error


def _cut(line: str) -> str:
    if len(line) <= LINE_CHARACTERS:
        return line
    return f"{line[:LINE_CHARACTERS]} [... {len(line) - LINE_CHARACTERS:,} more]"
