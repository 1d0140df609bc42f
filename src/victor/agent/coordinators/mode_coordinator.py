"""What the agent may do now: the mode, and what follows from it.

Nothing is listed by name: what a mode permits is derived from the effect that a tool declares, so
a tool that nobody thought of is not permitted by oversight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
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
            "Mode: plan. Read what you need, change nothing, and make a plan: the files to change,"
            " how, and how to check the result. Tools that change something are refused."
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


_PLAN_FILE = (
    " But for one file, which `write` and `edit` may change: {}. Write the plan there as Markdown,"
    " for somebody who knows nothing of this conversation, and answer in a sentence or two: the"
    " user is shown the file. Only the user can end this mode."
)


class ModeCoordinator:
    """Holds the mode in force. Starts in `mode`, by default BUILD.

    `plan_of` tells where a session's plan is; without it, the answer is the plan.
    """

    def __init__(
        self, mode: Mode | str = Mode.BUILD, *, plan_of: Callable[[str], Path] | None = None
    ) -> None:
        self._plan_of = plan_of
        self._plan: Path | None = None
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

    def start_session(self, session_id: str) -> None:
        """Let the plan be that of this session from now on."""
        self._plan = None if self._plan_of is None else self._plan_of(session_id)

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
        told = _TERMS[self._current].instructions
        if self._current is not Mode.PLAN or self._plan is None:
            return told
        return told + _PLAN_FILE.format(self._plan)

    def tool_iterations(self, configured: int) -> int:
        """Return how many steps a turn may take now, where settings say `configured`."""
        return max(1, round(configured * _TERMS[self._current].iterations))


def _mode(mode: Mode | str) -> Mode:
    try:
        return Mode(mode.strip().lower())
    except (ValueError, AttributeError):
        known = tuple(known.value for known in Mode)
        raise UnknownNameError("mode", str(mode), known) from None
