"""Tools: made of functions by `tool`, and the built-in ones by `builtin_tools`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from victor.tools.arguments import fit_arguments
    from victor.tools.builtin import builtin_tools
    from victor.tools.decorator import FunctionTool, tool

__all__ = ["FunctionTool", "builtin_tools", "fit_arguments", "tool"]

_HOMES = {
    "FunctionTool": "victor.tools.decorator",
    "builtin_tools": "victor.tools.builtin",
    "fit_arguments": "victor.tools.arguments",
    "tool": "victor.tools.decorator",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
