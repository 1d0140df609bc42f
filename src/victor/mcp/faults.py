"""What is the matter with a server, in one line for a person."""

from __future__ import annotations

from pydantic import ValidationError

from victor.errors import ConfigError
from victor.visible import one_line


def described(error: BaseException) -> str:
    """Return the first cause, on one line."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return f"there is no program {error.filename}"
    if isinstance(error, ValidationError):
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        return one_line(f"what it sent is malformed: {where}", 300)
    return one_line(f"{str(error) or type(error).__name__}", 300)
