"""Which lines an expression of Python matches, found so that it can be given up.

Some expressions take longer than anybody lives on a line that is unlucky, and while Python's `re`
looks, nothing else in the process runs. Where an expression repeats something, it is therefore
tried in a process of its own, which is ended when nobody waits any more.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

from victor.errors import ToolError
from victor.tools.threads import Stop

_REPEATS = re.compile(r"[*+{]|\(\?P=|\\[1-9]")
"""What can make an expression slow; rather once too often."""
_PROGRAM = """
import json, re, sys
read, write = sys.stdin.buffer, sys.stdout.buffer
expression = re.compile(*json.loads(read.readline()))
for lines in read:
    found = [at for at, line in enumerate(json.loads(lines)) if expression.search(line)]
    write.write(json.dumps(found).encode() + b"\\n")
    write.flush()
"""


class LineMatcher:
    """Matches lines, to be used in `with`. Ended when told to stop."""

    def __init__(self, expression: re.Pattern[str], stop: Stop) -> None:
        self._expression = expression
        self._stop = stop
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is None:
            return
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._process.wait()

    def matching(self, lines: list[str]) -> list[int]:
        """Return the indices of the lines that match. Raises `ToolError` where it cannot tell."""
        if not _REPEATS.search(self._expression.pattern):
            return [at for at, line in enumerate(lines) if self._expression.search(line)]
        if self._process is None:
            self._process = self._started()
        try:
            self._send(self._process, lines)
            told = self._process.stdout.readline() if self._process.stdout else b""
        except OSError:
            told = b""
        self._stop.check()
        if not told:
            raise ToolError("The search was ended before it was done. Try a simpler pattern.")
        found: list[int] = json.loads(told)
        return found

    def _started(self) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise ToolError(f"The search could not be started: {error.strerror}.") from error
        self._stop.on_stop(process.kill)
        self._send(process, [self._expression.pattern, int(self._expression.flags)])
        return process

    @staticmethod
    def _send(process: subprocess.Popen[bytes], value: object) -> None:
        if process.stdin is not None:
            process.stdin.write(json.dumps(value).encode() + b"\n")
            process.stdin.flush()
