"""Searching with ripgrep, wherever it gives the same as the search in Python; it is faster.

They differ on bytes that are not valid UTF-8: to ripgrep, no sign matches such a byte.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from victor.tools.ignore import repository
from victor.tools.programs import find_program
from victor.tools.threads import Stop

_COMMON = re.compile(
    r"""(?: [^\\\[\](){}]                                # a sign of its own
          | \\ [sSdDwWbB.^$*+?(){}\[\]|/\\-]             # an escape that both know
          | \( (?: \?: | (?! \? ) ) | \)
          | \{ \d+ (?: , \d* )? \}
          | \[ \^? (?: [^\\\[\]&~-] | \\[sSdDwW.\-\]\[\\] | [A-Za-z0-9]-[A-Za-z0-9] )+ \]
        )*""",
    re.VERBOSE,
)
"""The part of the two dialects that means the same in both."""


class SearchFailed(Exception):
    """Ripgrep could not run, or does not understand the expression."""


@dataclass(frozen=True, slots=True)
class Match:
    """A line that was found."""

    path: Path
    line: int
    """Counted from 1."""
    text: str


@dataclass(frozen=True, slots=True)
class Ripgrep:
    """The program at `program`."""

    program: str

    @classmethod
    def installed(cls, workspace: Path) -> Ripgrep | None:
        """Return the one on the search path, but none of `workspace`; None where there is none."""
        program = find_program("rg", workspace)
        return None if program is None else cls(program)

    def agrees_on(self, expression: re.Pattern[str]) -> bool:
        """Return whether the expression means the same to ripgrep as to Python."""
        return (
            expression.pattern.isascii()
            and "\n" not in expression.pattern
            and _COMMON.fullmatch(expression.pattern) is not None
        )

    def agrees_on_ignoring(self, start: Path, root: Path) -> bool:
        """Return whether ripgrep would read the same `.gitignore` files.

        Below a repository's top it does. Elsewhere it would also read those above `root`.
        """
        if not all(_opened_at_once(folder / ".gitignore") for folder in (start, root)):
            return False
        return repository(root) is not None or start == root

    def search(
        self, expression: re.Pattern[str], start: Path, largest: int, stop: Stop
    ) -> Generator[Match, None, None]:
        """Yield the matching lines, by path. Raises `SearchFailed`."""
        try:
            process = subprocess.Popen(
                self._command(expression, start, largest),
                cwd=start if start.is_dir() else start.parent,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise SearchFailed(str(error)) from error
        stop.on_stop(process.kill)
        with process:
            try:
                assert process.stdout is not None  # noqa: S101  # asked for above
                yield from _matches(process.stdout)
            finally:
                if process.poll() is None:
                    process.kill()
        # 1: nothing found. A negative code: killed from here, with enough found.
        if process.returncode > 1:
            raise SearchFailed(f"exit code {process.returncode}")

    def _command(self, expression: re.Pattern[str], start: Path, largest: int) -> list[str]:
        parents = repository(start if start.is_dir() else start.parent) is not None
        return [
            self.program,
            "--no-config",
            "--json",
            "--crlf",
            "--hidden",
            "--glob=!.git",
            "--no-ignore-dot",
            "--no-ignore-exclude",
            "--no-ignore-global",
            "--no-messages",
            "--no-mmap",
            "--sort=path",
            f"--max-filesize={largest}",
            *(() if parents else ("--no-require-git", "--no-ignore-parent")),
            "--ignore-case" if expression.flags & re.IGNORECASE else "--case-sensitive",
            f"--regexp={expression.pattern}",
            "--",
            str(start),
        ]


def _opened_at_once(path: Path) -> bool:
    """Return whether opening it waits for nobody, as at a pipe; ripgrep would wait."""
    return path.is_file() or not path.exists()


def _matches(lines: Any) -> Generator[Match, None, None]:
    """Yield what ripgrep's JSON lines tell, leaving out files that turn out to be binary."""
    of_file: list[Match] = []
    for line in lines:
        message = json.loads(line)
        data = message["data"]
        match message["type"]:
            case "match":
                text = _decoded(data["lines"]).rstrip("\n").removesuffix("\r")
                of_file.append(Match(Path(_decoded(data["path"])), data["line_number"], text))
            case "end":
                if data["binary_offset"] is None:
                    yield from of_file
                of_file = []


def _decoded(field: dict[str, str]) -> str:
    if "text" in field:
        return field["text"]
    return base64.b64decode(field["bytes"]).decode("utf-8", "replace")
