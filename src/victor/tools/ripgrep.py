"""Searching with ripgrep, wherever it gives the same as the search in Python; it is faster.

They differ on bytes that are not valid UTF-8: to ripgrep, no sign matches such a byte. And ripgrep
opens whatever is named `.gitignore`, be it a pipe that nobody writes to or a link to a device that
has no end: where it waits, or fills the memory, it is given up.
"""

from __future__ import annotations

import base64
import json
import os
import re
import select
import subprocess
import sys
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

from victor.marked import status_of
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
_QUIET_SECONDS = 1.0
"""After so long without a word it is looked at, and after twice that, if idle, given up."""
_MEMORY_BYTES = 1_000_000_000
_CHUNK = 65_536


class SearchFailed(Exception):
    """Ripgrep could not run or come to an end, or does not understand the expression."""


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
                _limit_memory(process.pid)
                yield from _matches(_told(process))
            finally:
                if process.poll() is None:
                    process.kill()
        # 1: nothing found.
        if process.returncode not in (0, 1):
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


def _limit_memory(pid: int) -> None:
    """Let it have no more than it ever needs, where the system can be told so."""
    if sys.platform.startswith("linux"):
        import resource

        resource.prlimit(pid, resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))


def _told(process: subprocess.Popen[bytes]) -> Generator[bytes, None, None]:
    """Yield the lines that it prints. Raises `SearchFailed` where it waits and does nothing."""
    assert process.stdout is not None  # noqa: S101  # asked for when it was started
    printed = process.stdout.fileno()
    waiting = select.poll()
    waiting.register(printed, select.POLLIN)
    rest: list[bytes] = []
    while True:
        used: tuple[str, ...] | None = None
        while not waiting.poll(_QUIET_SECONDS * 1_000):
            before, used = used, _time_used(process.pid)
            if used == before:
                raise SearchFailed("it waits for somebody")
        data = os.read(printed, _CHUNK)
        if not data:
            break
        *ends, last = data.split(b"\n")
        for end in ends:
            yield b"".join((*rest, end))
            rest.clear()
        rest.append(last)


def _time_used(pid: int) -> tuple[str, ...]:
    """Return how much of the processor it has used; always the same where the system is silent."""
    try:
        return tuple(status_of(str(pid))[11:13])
    except OSError:
        return ()


def _matches(lines: Iterable[bytes]) -> Generator[Match, None, None]:
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
