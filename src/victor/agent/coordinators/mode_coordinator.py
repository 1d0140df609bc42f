"""What the agent may do now: the mode, and what follows from it.

Nothing is listed by name: what a mode permits is derived from the effect that a tool declares, so
a tool that nobody thought of is not permitted by oversight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from victor.errors import UnknownNameError
from victor.messages import Effect, ToolSpec
from victor.protocols import Mode


@dataclass(frozen=True, slots=True)
class _Terms:
    """What holds in a mode."""

    effects: frozenset[Effect]
    """Effects that a tool may have."""
    instructions: str
    """What the model is told."""
    iterations: float = 1.0
    """Factor on `max_tool_iterations`."""


_READING = frozenset({Effect.READ_ONLY})

_TERMS: Mapping[Mode, _Terms] = {
    Mode.BUILD: _Terms(
        effects=frozenset(Effect),
        instructions="Mode: build. You may read, change files and run commands.",
    ),
    Mode.PLAN: _Terms(
        effects=_READING,
        instructions=(
            "Mode: plan. Read what you need, change nothing, and answer with a plan: the files to"
            " change, how, and how to check the result. Tools that change something are refused."
        ),
    ),
    Mode.EXPLORE: _Terms(
        effects=_READING,
        instructions=(
            "Mode: explore. Read as widely as the question needs, change nothing, and answer with"
            " what you found and where. Tools that change something are refused."
        ),
        iterations=3.0,
    ),
}


class ModeCoordinator:
    """Holds the mode in force. Starts in `mode`, by default BUILD."""

    def __init__(self, mode: Mode | str = Mode.BUILD) -> None:
        self._current = _mode(mode)
        self._configured: Mode | None = None

    @property
    def current(self) -> Mode:
        """The mode in force."""
        return self._current

    def configure(self, config: Mapping[str, Any]) -> None:
        """Adopt the setting `mode`. Raises `UnknownNameError` and then keeps what holds.

        A value that is as it was at the last time does not undo a switch made since.
        """
        value = config.get("mode")
        if value is None:
            return
        configured = _mode(value)
        if configured is not self._configured:
            self._current = self._configured = configured

    def switch(self, mode: Mode | str) -> tuple[Mode, Mode]:
        """Put `mode` in force and return the modes (before, after). Raises `UnknownNameError`."""
        before, self._current = self._current, _mode(mode)
        return before, self._current

    def permits(self, effect: Effect) -> bool:
        """Return whether a tool of this effect may run now."""
        return effect in _TERMS[self._current].effects

    def allowed(self, specs: tuple[ToolSpec, ...]) -> tuple[ToolSpec, ...]:
        """Return those of `specs` that may run now, in their order."""
        return tuple(spec for spec in specs if self.permits(spec.effect))

    def instructions(self) -> str:
        """Return what the model is told of the mode in force."""
        return _TERMS[self._current].instructions

    def tool_iterations(self, configured: int) -> int:
        """Return how many steps a turn may take now, where settings say `configured`."""
        return max(1, round(configured * _TERMS[self._current].iterations))


def _mode(mode: Mode | str) -> Mode:
    try:
        return Mode(mode.strip().lower())
    except (ValueError, AttributeError):
        known = tuple(known.value for known in Mode)
        raise UnknownNameError("mode", str(mode), known) from None
