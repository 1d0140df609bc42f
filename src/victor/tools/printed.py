"""What a program printed, as text that needs no terminal."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from victor.tools.process import Program

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


def plain(output: bytes) -> str:
    """Return the text without colours, cursor movements and what a progress bar wrote over."""
    text = _ESCAPES.sub("", output.decode("utf-8", "replace"))
    if "\r" in text:
        text = "\n".join(_overwritten(line) for line in text.split("\n"))
    return text.rstrip("\n")


def _overwritten(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]


def ending(program: Program) -> str:
    """Return how the program has ended."""
    if program.ended_because:
        return f"ended, with everything it had started: {program.ended_because}"
    code = program.exit_code or 0
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"
