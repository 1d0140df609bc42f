"""Two contents of a file as a person compares them."""

from __future__ import annotations

import contextlib
import re


def unified(name: str, now: bytes | None, then: bytes | None) -> str:
    """Return a unified diff of two contents, None where there is no file, as text where it is."""
    from difflib import unified_diff

    before, after = _lines(now), _lines(then)
    if before is None or after is None:
        return f"Binary file {name} changes\n"
    source = "/dev/null" if now is None else f"a/{name}"
    target = "/dev/null" if then is None else f"b/{name}"
    lines = unified_diff(before, after, source, target)
    ended = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    return "".join(ended)


def _lines(content: bytes | None) -> list[str] | None:
    """Return the lines of a text; None where it is none."""
    content = content or b""
    if b"\0" in content:
        return None
    with contextlib.suppress(UnicodeDecodeError):
        return re.findall(r"[^\n]*\n|[^\n]+", content.decode())
    return None
