"""The port to a source of configuration."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class IConfigProvider(Protocol):
    """A source of configuration. The higher `priority()` wins, key by key.

    Priorities of the built-in sources: defaults 0, user file 20, profile 30, project file 40,
    environment 50, `Settings` given in code or by command-line options 80.
    """

    @abstractmethod
    def priority(self) -> int:
        """Return the rank of this source."""
        ...

    @abstractmethod
    async def get_config(self, session_id: str) -> dict[str, Any]:
        """Return the keys that this source sets for the session, and no others."""
        ...
