"""Making text of a page that wants to keep the reader busy: in time, or not at all.

How long it takes to take a page apart is up to who wrote it: one of a megabyte can keep the parser
busy for hours. So a larger one is taken apart by a process of its own, which can be ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress

from victor.errors import ToolError
from victor.tools.web_page import page_text

SMALL_BYTES = 20_000
"""What never takes long, and is not worth a process."""
_PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "SYSTEMROOT")
_MEMORY_BYTES = 2_000_000_000


async def read_page(data: bytes, content_type: str, name: str, seconds: float) -> str:
    """Return what `page_text` does. Raises `ToolError`, also after so many seconds."""
    if len(data) <= SMALL_BYTES or not sys.executable or getattr(sys, "frozen", False):
        return await asyncio.to_thread(_text, data, content_type, name)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", __name__, content_type, name, str(int(seconds) + 1)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd="/",
        env={key: os.environ[key] for key in _PASSED_ON if key in os.environ},
    )
    try:
        async with asyncio.timeout(seconds):
            told, _ = await process.communicate(data)
    except TimeoutError:
        raise ToolError(f"{name} takes longer than {seconds:.0f} s to be read.") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    try:
        found = json.loads(told)
    except ValueError:
        raise ToolError(f"{name} is built so that it cannot be read.") from None
    if "error" in found:
        raise ToolError(found["error"])
    return str(found["text"])


def main(content_type: str, name: str, seconds: str) -> None:
    """Print what stdin holds as text, or why there is none, as JSON."""
    if sys.platform != "win32":
        import resource

        # Also where nobody is left to end it.
        limits = {resource.RLIMIT_CPU: int(seconds), resource.RLIMIT_DATA: _MEMORY_BYTES}
        for kind, most in limits.items():
            with suppress(OSError, ValueError):
                resource.setrlimit(kind, (most, most))
    try:
        told = {"text": _text(sys.stdin.buffer.read(), content_type, name)}
    except ToolError as error:
        told = {"error": str(error.args[0])}
    sys.stdout.write(json.dumps(told))


def _text(data: bytes, content_type: str, name: str) -> str:
    try:
        return page_text(data, content_type, name)
    except RecursionError:
        raise ToolError(f"{name} is built so deep that it cannot be read.") from None


if __name__ == "__main__":
    main(*sys.argv[1:])
