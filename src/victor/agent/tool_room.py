"""How much of the model's window tools may take, and how many there may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from victor.agent.known_tools import KnownTools
from victor.errors import ConfigError

WORTH_DEFERRING = 1_000
"""Tokens that it must spare to defer tools: a search costs a model call."""


@dataclass(frozen=True, slots=True)
class ToolRoom:
    """The limits. Raises `ConfigError` for those that cannot hold."""

    limit: int = 128
    """Tools that are sent at most."""
    share: float = 0.1
    """What part of the window all tools may take, and beside the essential ones those sent."""
    window: int = 0
    """Tokens of the model's window; 0 where that is not known."""
    most: int = 0
    """Tokens that what is sent may take at most, the essential ones included; 0: no such limit."""

    def __post_init__(self) -> None:
        limit, share = self.limit, self.share
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise ConfigError(f"max_tools must be a whole number of at least 1, not {limit!r}.")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise ConfigError(f"tool_window_share must be above 0 and at most 1, not {share!r}.")

    def configured(self, config: Mapping[str, Any]) -> ToolRoom:
        """Return it with `max_tools` and `tool_window_share`. Raises `ConfigError`."""
        return replace(
            self,
            limit=config.get("max_tools", self.limit),
            share=config.get("tool_window_share", self.share),
        )

    def is_too_small(self, tools: KnownTools) -> bool:
        """Return whether some of the tools had better be deferred."""
        if len(tools.searched) > self.limit:
            return True
        return 0 < self.window * self.share < tools.total and tools.deferrable >= WORTH_DEFERRING

    def tokens(self, tools: KnownTools) -> float:
        """Return how many tokens those may take that are sent while others are deferred."""
        if not self.window:
            return float("inf")
        essential = sum(tools.sizes[name] for name in tools.essential)
        return min(self.most or float("inf"), essential + self.window * self.share)
