"""Values out of a vendor's JSON, whatever stands in their place."""

from __future__ import annotations

from typing import Any

_MOST = 10**12
"""No count of tokens is larger; what is, would spoil every sum."""


def count(source: object, key: str) -> int:
    """Return the number under `key`, from 0; 0 where there is none, or no object at all."""
    value = source.get(key) if isinstance(source, dict) else None
    return value if type(value) is int and 0 <= value < _MOST else 0


def word(source: object, key: str) -> str:
    """Return the text under `key`; empty where there is none, or no object at all."""
    value = source.get(key) if isinstance(source, dict) else None
    return value if isinstance(value, str) else ""


def entries(source: object, key: str) -> list[Any]:
    """Return the list under `key`; empty where there is none, or no object at all."""
    value = source.get(key) if isinstance(source, dict) else None
    return value if isinstance(value, list) else []
