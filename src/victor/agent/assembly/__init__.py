"""The composition root: the only room that names concrete classes and joins them.

Here is how they are joined; `model_side`, `tool_side` and `record_side` make them one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from victor.agent.assembly import model_side, record_side, tool_side
from victor.agent.assembly.given import Given
from victor.agent.coordinator_access import COORDINATORS
from victor.agent.event_bus import EventBus
from victor.agent.guard import State
from victor.agent.plan_files import PlanFiles
from victor.agent.plugged import plugged_parts
from victor.agent.stages import Stages
from victor.agent.subagents import Subagents
from victor.agent.turn_loop import TurnLoop
from victor.permissions import rule_places
from victor.plugins import Group
from victor.protocols import IApprover, IProvider, ISandbox, ITool
from victor.set_aside import SetAside

if TYPE_CHECKING:
    from victor.config.settings import Settings

CRITICAL = frozenset({"config", "provider", "context", "chat", "session"})
"""Coordinators that nothing can stand in for; another's replacement may fail to be made."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What an orchestrator is made of."""

    coordinators: Mapping[str, Any]
    """All fifteen, by name."""
    bus: EventBus
    turn_loop: TurnLoop
    subagents: Subagents
    set_aside: SetAside
    plans: PlanFiles


def assemble(
    settings: Settings,
    provider: IProvider,
    model: str | None,
    tools: tuple[ITool, ...] | None,
    workspace: Path,
    approver: IApprover | None,
    replaced: Mapping[str, Any],
) -> Parts:
    """Return the parts, configured and joined; `replaced` are the application's own, by name.

    Raises `ConfigError` for settings that cannot hold, and `CoordinatorError` where a critical
    replacement cannot be made.
    """
    bus = EventBus()
    for name in COORDINATORS:
        bus.guard.register(name)
    if model is not None:
        settings = settings.changed(model=model)
    config_coordinator = _config(settings, replaced.get("config"), bus)
    config = config_coordinator.get_config()
    chosen = model or config.get("model") or ""
    sandbox = _sandbox(config, workspace)
    subagents = Subagents()
    given = Given(provider, chosen, tools, workspace, approver, config, bus, sandbox, subagents)
    coordinators: dict[str, Any] = {"config": config_coordinator}
    for name in COORDINATORS[1:]:
        coordinators[name] = _make(name, replaced.get(name), _MAKERS[name], given)
    turn_loop = TurnLoop(_stages(coordinators, config), bus)
    parts = Parts(coordinators, bus, turn_loop, subagents, given.set_aside, given.plans)
    _observe(coordinators, config, bus)
    configure(parts, config)
    return parts


def configure(parts: Parts, config: Mapping[str, Any]) -> None:
    """Let every part adopt the settings. Raises `ConfigError` or `CoordinatorError`."""
    for name, coordinator in parts.coordinators.items():
        adopt = getattr(coordinator, "configure", None)
        if adopt is not None and name != "config":
            parts.bus.guard.require(name, "configure", partial(adopt, config))
    _locate_rules(parts)
    parts.turn_loop.configure(config)


def _locate_rules(parts: Parts) -> None:
    """Let safety say of each rule where it stands, if the sources of settings tell."""
    locate = getattr(parts.coordinators["safety"], "locate_rules", None)
    explain = getattr(parts.coordinators["config"], "explain", None)
    if locate is not None and explain is not None:
        found = parts.bus.guard.require("config", "explain", partial(explain, "permissions"))
        places = rule_places(found.source, found.value, found.overrode)
        parts.bus.guard.require("safety", "locate_rules", partial(locate, places))


def _stages(coordinators: Mapping[str, Any], config: Mapping[str, Any]) -> Stages:
    stages = {name: coordinators[name] for name in Stages.__slots__}
    if not config.get("enable_checkpoints", True):
        stages["checkpoint"] = None
    return Stages(**stages)


def _observe(coordinators: Mapping[str, Any], config: Mapping[str, Any], bus: EventBus) -> None:
    """Let the observers hear events, but for those that the settings leave out."""
    for name in ("metrics", "analytics"):
        if config.get(f"enable_{name}", True):
            bus.add(name, coordinators[name])
        else:
            bus.guard.register(name, State.DISABLED)
    for observer in plugged_parts(Group.OBSERVERS, "metrics", bus.guard):
        bus.add(type(observer).__name__, observer)
    if not config.get("enable_checkpoints", True):
        bus.guard.register("checkpoint", State.DISABLED)


def _make(name: str, replacement: Any, maker: Callable[[Given], Any], given: Given) -> Any:
    """Return the application's own coordinator, or Victor's where there is none that works."""
    if not isinstance(replacement, type):
        return maker(given) if replacement is None else replacement
    guard = given.bus.guard
    if name in CRITICAL:
        return guard.require(name, "init", replacement)
    made = guard.read(name, "init", replacement, None, fits=lambda value: value is not None)
    return maker(given) if made is None else made


def _config(settings: Settings, replacement: Any, bus: EventBus) -> Any:
    from victor.agent.coordinators.config_coordinator import ConfigCoordinator
    from victor.config.settings import Settings, as_mapping, validate
    from victor.config.sources import EnvironmentConfigProvider, SettingsConfigProvider

    source = SettingsConfigProvider(settings)
    defaults = as_mapping(Settings())
    if replacement is None:
        sources = (source, EnvironmentConfigProvider())
        return ConfigCoordinator(sources, validate=validate, defaults=defaults)
    made = (
        bus.guard.require("config", "init", replacement)
        if isinstance(replacement, type)
        else replacement
    )
    complete = getattr(made, "complete", None)
    if complete is not None:
        complete(validate=validate, defaults=defaults, providers=(source,))
    return made


def _sandbox(config: Mapping[str, Any], workspace: Path) -> ISandbox:
    from victor.safety.sandbox import sandbox_of

    return sandbox_of(config.get("sandbox") or "auto", workspace)


_MAKERS: Mapping[str, Callable[[Given], Any]] = {
    "provider": model_side.provider,
    "mode": model_side.mode,
    "prompt": model_side.prompt,
    "context": model_side.context,
    "tool_selection": model_side.tool_selection,
    "chat": model_side.chat,
    "safety": tool_side.safety,
    "checkpoint": tool_side.checkpoint,
    "tool": tool_side.tool,
    "session": record_side.session,
    "metrics": record_side.metrics,
    "analytics": record_side.analytics,
    "workflow": record_side.workflow,
    "evaluation": record_side.evaluation,
}
