"""Exit codes, and the one place that turns an error into a text and a code.

0 done · 1 failed · 2 wrong usage · 75 worth a retry · 130 cancelled.
"""

from __future__ import annotations

import os
import sys
import traceback
from enum import IntEnum

from victor.errors import ConfigError, VictorError

ISSUES = "https://github.com/your-org/victor/issues"


class ExitCode(IntEnum):
    """How the command ended."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    RETRY = 75
    CANCELLED = 130


def code_for(error: BaseException) -> ExitCode:
    """Return the exit code that `error` stands for."""
    match error:
        case KeyboardInterrupt():
            return ExitCode.CANCELLED
        case VictorError(retryable=True):
            return ExitCode.RETRY
        case ConfigError():
            return ExitCode.USAGE
        case _:
            return ExitCode.FAILED


def text_for(error: BaseException) -> str:
    """Return what a person is told of `error`: what happened, and what to do."""
    from victor.visible import readable

    if isinstance(error, VictorError):
        message = str(error)
        if error.hint and message.endswith(error.hint):
            message = f"{message[: -len(error.hint)].rstrip()}\n{error.hint}"
        return readable(message)
    if isinstance(error, OSError):
        return readable(f"{error}.")
    return readable(
        f"Victor broke: {type(error).__name__}: {error}\n"
        f"This is a bug. Run the command again with VICTOR_DEBUG=1 and report the text at {ISSUES}."
    )


def report(error: BaseException) -> ExitCode:
    """Tell `error` on stderr and return its exit code. VICTOR_DEBUG=1 adds the traceback."""
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.CANCELLED
    if os.environ.get("VICTOR_DEBUG"):
        traceback.print_exception(error)
    else:
        sys.stderr.write(f"Error: {text_for(error)}\n")
    return code_for(error)
