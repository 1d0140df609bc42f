"""What tools say of calls before they run. They may be anybody's, so they may fail to say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from victor.messages import Effect, ToolCall
from victor.protocols import (
    Access,
    CallReview,
    ITool,
    ToolEnvironment,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ToolClaims:
    """Asks tools about calls whose arguments are not checked yet.

    Whether a tool has the methods of `IToolAccess`, `IToolEffect`, `IToolTargets`, `IToolTime` and
    `IPlanTool` is looked up by name: to ask `isinstance` costs more than all the rest of a call.
    """

    tools: dict[str, ITool] = field(default_factory=dict)
    """By name."""

    def review(self, call: ToolCall, environment: ToolEnvironment) -> CallReview:
        """Return what safety needs to know of the call."""
        if call.name not in self.tools:
            return CallReview(call, Effect.EFFECTFUL, known=False)
        effect = self.effect(call)
        paths = self._paths(call, environment)
        undoable = effect is Effect.READ_ONLY or bool(paths)
        access = self._access(call, paths, environment)
        plan = effect is not Effect.READ_ONLY and self._writes_plan(call, environment.plan)
        return CallReview(
            call,
            effect,
            undoable=undoable,
            access=access,
            plan=plan,
            targets=self._targets(call),
        )

    def changes(self, call: ToolCall, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return the paths that the call may change."""
        if call.name not in self.tools or self.effect(call) is Effect.READ_ONLY:
            return ()
        return self._paths(call, environment) or ()

    def effect(self, call: ToolCall) -> Effect:
        """Return what the call may do: what its tool says of it, or else all that the tool may."""
        tool = self.tools[call.name]
        told: Any = getattr(tool, "effect", None)
        if not callable(told):
            return tool.spec.effect
        return _told(lambda: Effect(told(call.arguments)), tool.spec.effect)

    def most_seconds(self, call: ToolCall, environment: ToolEnvironment) -> float | None:
        """Return how long the call may take: what its tool says, or else the setting.

        None: as long as it likes.
        """
        told: Any = getattr(self.tools.get(call.name), "most_seconds", None)
        if told is None:
            return environment.timeout
        return _told(lambda: told(call.arguments, environment), environment.timeout)

    def _writes_plan(self, call: ToolCall, plan: Path | None) -> bool:
        """Return whether the call changes the plan, and nothing else, by its tool's own word."""
        told: Any = getattr(self.tools[call.name], "writes_only", None)
        if told is None or plan is None:
            return False
        return _told(lambda: told(call.arguments, plan) is True, otherwise=False)

    def _paths(self, call: ToolCall, environment: ToolEnvironment) -> tuple[Path, ...] | None:
        """Return what the call may change; None where the tool could not tell."""
        tool = self.tools[call.name]
        return _told(lambda: tuple(tool.paths(call.arguments, environment)), None)

    def _targets(self, call: ToolCall) -> tuple[str, ...] | None:
        """Return whom or what the call is aimed at; nothing where its tool fails to tell."""
        told: Any = getattr(self.tools[call.name], "targets", None)
        if not callable(told):
            return None
        return _told(lambda: told(call.arguments), ())

    def _access(
        self, call: ToolCall, paths: tuple[Path, ...] | None, environment: ToolEnvironment
    ) -> Access:
        told: Any = getattr(self.tools[call.name], "access", None)
        if told is not None:
            return _told(lambda: told(call.arguments, environment), Access(known=False))
        if paths is None:
            return Access(known=False)
        root = environment.workspace
        names = (path.relative_to(root) if path.is_relative_to(root) else path for path in paths)
        texts = (text for text in call.arguments.values() if isinstance(text, str))
        return Access(tuple(name.as_posix() for name in names) or tuple(texts))


def _told(ask: Callable[[], T], otherwise: T) -> T:
    """Return what a tool says of a call; `otherwise` where it fails to."""
    try:
        return ask()
    except Exception:  # noqa: BLE001  # a tool of anybody's; its arguments are not checked yet
        return otherwise
