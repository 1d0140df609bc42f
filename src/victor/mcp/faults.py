"""What is the matter with a server, in one line for a person."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pydantic import ValidationError

from victor.errors import ConfigError
from victor.mcp.options import SHORTEST_SECRET
from victor.visible import one_line


def without(secrets: Iterable[str], text: str) -> str:
    """Return the text without these secrets in it."""
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "[secret]")
    return text


def described(error: BaseException, concealed: Callable[[str], str] = lambda text: text) -> str:
    """Return the first cause, on one line. What is `concealed` in it is so before it is cut."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ConfigError):
        return one_line(concealed(str(error)), 1_000)
    if isinstance(error, FileNotFoundError):
        return f"there is no program {error.filename}"
    if isinstance(error, ValidationError):
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        return one_line(concealed(f"what it sent is malformed: {where}"), 300)
    return one_line(concealed(str(error)) or type(error).__name__, 300)
