"""Victor: an agent framework and coding assistant.

The public names are loaded on first use, so `import victor` does nothing and costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from victor.agent.orchestrator import AgentOrchestrator
    from victor.config.settings import Settings
    from victor.errors import VictorError
    from victor.messages import Context, Message, Response
    from victor.tools.decorator import tool

__version__ = "0.1.0"

__all__ = [
    "AgentOrchestrator",
    "Context",
    "Message",
    "Response",
    "Settings",
    "VictorError",
    "__version__",
    "tool",
]

_HOMES = {
    "AgentOrchestrator": "victor.agent.orchestrator",
    "Context": "victor.messages",
    "Message": "victor.messages",
    "Response": "victor.messages",
    "Settings": "victor.config.settings",
    "VictorError": "victor.errors",
    "tool": "victor.tools.decorator",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'victor' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
