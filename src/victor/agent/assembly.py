"""The composition root: the only file that names concrete classes and joins them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from victor.agent.coordinator_access import COORDINATORS
from victor.agent.event_bus import EventBus
from victor.agent.guard import State
from victor.agent.plugged import plugged_parts, plugged_tools
from victor.agent.session_forms import exported, imported
from victor.agent.stages import Stages
from victor.agent.subagents import Subagents
from victor.agent.turn_loop import TurnLoop
from victor.errors import ConfigError
from victor.events import CoordinatorFailed
from victor.permissions import rule_places
from victor.plugins import Group, installed
from victor.protocols import (
    Endpoint,
    IAnswerer,
    IApprover,
    IProvider,
    ISandbox,
    ITool,
    IToolSource,
)

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


@dataclass(frozen=True, slots=True)
class _Given:
    """What the application has chosen."""

    provider: IProvider
    model: str
    tools: tuple[ITool, ...] | None
    workspace: Path
    approver: IApprover | None
    config: Mapping[str, Any]
    bus: EventBus
    sandbox: ISandbox
    """What commands run in; safety asks it, and the tools use it."""
    subagents: Subagents


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
    given = _Given(provider, chosen, tools, workspace, approver, config, bus, sandbox, subagents)
    coordinators: dict[str, Any] = {"config": config_coordinator}
    for name in COORDINATORS[1:]:
        coordinators[name] = _make(name, replaced.get(name), _MAKERS[name], given)
    parts = Parts(coordinators, bus, TurnLoop(_stages(coordinators, config), bus), subagents)
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


def _make(name: str, replacement: Any, maker: Callable[[_Given], Any], given: _Given) -> Any:
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


def _provider(given: _Given) -> Any:
    from victor.agent.coordinators.provider_coordinator import ProviderCoordinator

    connect = partial(_connect, given.config)
    return ProviderCoordinator(given.provider, given.model, connect=connect)


def _connect(config: Mapping[str, Any], endpoint: str) -> Endpoint:
    """Return the endpoint that `provider:model` names. Raises `ConfigError`."""
    from victor.providers.catalog import default_model
    from victor.providers.choose import create_provider, parse_endpoint
    from victor.providers.exchange import Patience

    name, model = parse_endpoint(endpoint)
    model = model or default_model(name)
    provider = create_provider(
        name,
        model=model or config.get("local_model"),
        patience=Patience.of(config),
        streaming=config["streaming"],
        small_model=config["small_model"],
        num_ctx=config["ollama_num_ctx"],
    )
    model = model or getattr(provider, "model", "")
    if not model:
        raise ConfigError(
            f"The fallback {endpoint!r} names no model.", hint=f"Write it as {name}:MODEL."
        )
    return Endpoint(provider, model)


def _mode(given: _Given) -> Any:
    from victor.agent.coordinators.mode_coordinator import ModeCoordinator

    return ModeCoordinator()


def _prompt(given: _Given) -> Any:
    from victor.agent.coordinators.prompt_coordinator import PromptCoordinator
    from victor.prompt import builtin_contributors
    from victor.skills import find_skills

    publish = given.bus.publish

    def failed(contributor: str, error: str) -> None:
        publish(CoordinatorFailed("prompt", contributor, error))

    plugged = plugged_parts(Group.PROMPT_CONTRIBUTORS, "prompt", given.bus.guard)
    skills = find_skills(_skill_folders(given), failed)
    contributors = (*builtin_contributors(given.workspace, skills=skills), *plugged)
    return PromptCoordinator(contributors, on_failure=failed)


def _context(given: _Given) -> Any:
    from victor.agent.coordinators.context_coordinator import ContextCoordinator
    from victor.agent.outputs import Outputs
    from victor.context import strategies
    from victor.embedding import text_likeness
    from victor.storage.location import data_folder

    plugged = installed().factories(Group.COMPACTION_STRATEGIES)
    folder = None if given.config.get("ephemeral", False) else data_folder() / "outputs"
    left_out = None if folder is None else Outputs(folder)
    return ContextCoordinator(
        strategies={**strategies(text_likeness), **plugged}, left_out=left_out
    )


def _tool_selection(given: _Given) -> Any:
    from victor.agent.coordinators.tool_selection_coordinator import ToolSelectionCoordinator
    from victor.embedding import text_likeness
    from victor.selection import strategies

    return ToolSelectionCoordinator(strategies=strategies(text_likeness))


def _chat(given: _Given) -> Any:
    from victor.agent.coordinators.chat_coordinator import ChatCoordinator
    from victor.providers.retry import RetryPolicy

    return ChatCoordinator(retries_of=RetryPolicy.of)


def _sandbox(config: Mapping[str, Any], workspace: Path) -> ISandbox:
    from victor.safety.sandbox import sandbox_of

    return sandbox_of(config.get("sandbox") or "auto", workspace)


def _safety(given: _Given) -> Any:
    from victor.agent.coordinators.safety_coordinator import SafetyCoordinator
    from victor.config.rule_files import RuleFiles
    from victor.safety.commands import CommandAnalyst

    return SafetyCoordinator(
        approver=given.approver,
        analyze=CommandAnalyst(given.workspace),
        trusted=tuple(tool.spec.name for tool in given.tools or ()),
        store=RuleFiles(given.workspace),
        sandbox=given.sandbox,
    )


def _checkpoint(given: _Given) -> Any:
    from victor.agent.coordinators.checkpoint_coordinator import CheckpointCoordinator
    from victor.storage.chosen import checkpoint_store
    from victor.storage.file_images import FileImages
    from victor.storage.location import data_folder, shadow_database
    from victor.storage.retention import sweep
    from victor.storage.shadow import Shadow
    from victor.storage.watch import WorkspaceWatch

    in_memory = given.config.get("ephemeral", False)
    shadow = Shadow(None if in_memory else shadow_database(given.workspace))
    watch = WorkspaceWatch(given.workspace, shadow, apart=(data_folder(),))
    files = FileImages(given.workspace)
    clean = None if in_memory else partial(sweep, data_folder())
    return CheckpointCoordinator(checkpoint_store(given.config), files, watch, sweep=clean)


def _tool(given: _Given) -> Any:
    from victor.agent.coordinators.tool_coordinator import ToolCoordinator
    from victor.safety.sandbox import policy_of
    from victor.skills import find_skills
    from victor.storage.location import data_folder
    from victor.tools import builtin_tools, fit_arguments
    from victor.tools.process import Limits
    from victor.tools.skill import UseSkill

    rest = data_folder() / "outputs"
    # What is ephemeral leaves nothing behind: of an output, only what the model is told is kept.
    spill = None if given.config.get("ephemeral", False) else rest
    tools, source = given.tools, None
    if tools is None:
        built_in = builtin_tools(
            given.workspace,
            readable=(rest, *_skill_folders(given)),
            person=given.approver if isinstance(given.approver, IAnswerer) else None,
            subagents=given.subagents if given.config.get("subagent_depth", 1) else None,
            sandbox=given.sandbox,
            policy=policy_of(given.config.get("sandbox_hosts") or ()),
            limits=Limits.of(given.config),
            spill_folder=spill,
        )
        skills = find_skills(_skill_folders(given), lambda *broken: None)  # the prompt's part tells
        known = (UseSkill(skills),) if skills else ()
        tools = (*built_in, *known, *plugged_tools(given.bus.guard))
        source = _servers(given)
    return ToolCoordinator(
        tools, given.workspace, source=source, spill_folder=spill, fit_arguments=fit_arguments
    )


def _servers(given: _Given) -> IToolSource | None:
    """Return the MCP servers of the settings. What is the matter with one is told as an event."""
    if not given.config.get("mcp_servers"):
        return None
    from victor.mcp import servers_of

    def told(server: str, text: str) -> None:
        given.bus.publish(CoordinatorFailed("tool", f"MCP server {server}", text))

    return servers_of(given.config, given.workspace, approver=given.approver, tell=told)


def _skill_folders(given: _Given) -> tuple[Path, ...]:
    return tuple(Path(folder).expanduser() for folder in given.config.get("skill_folders", ()))


def _session(given: _Given) -> Any:
    from victor.agent.coordinators.session_coordinator import SessionCoordinator
    from victor.storage.chosen import session_store

    store = session_store(given.config)
    exports = {form: partial(exported, form) for form in ("markdown", "html", "jsonl")}
    return SessionCoordinator(store, exports=exports, read=imported)


def _metrics(given: _Given) -> Any:
    from victor.agent.coordinators.metrics_coordinator import MetricsCoordinator

    return MetricsCoordinator()


def _analytics(given: _Given) -> Any:
    from victor.agent.coordinators.analytics_coordinator import AnalyticsCoordinator

    file = given.config.get("analytics_file")
    if not file:
        return AnalyticsCoordinator()
    from victor.telemetry import JsonLinesAnalyticsExporter

    return AnalyticsCoordinator([JsonLinesAnalyticsExporter(Path(file))])


def _workflow(given: _Given) -> Any:
    from victor.agent.coordinators.workflow_coordinator import WorkflowCoordinator
    from victor.workflow.load import load
    from victor.workflow.run import WorkflowRunner

    return WorkflowCoordinator(loader=load, runner=WorkflowRunner())


def _evaluation(given: _Given) -> Any:
    from victor.agent.coordinators.evaluation_coordinator import EvaluationCoordinator
    from victor.evaluation.load import load
    from victor.evaluation.trial import TrialRunner

    return EvaluationCoordinator(loader=load, runner=TrialRunner())


_MAKERS: Mapping[str, Callable[[_Given], Any]] = {
    "provider": _provider,
    "mode": _mode,
    "prompt": _prompt,
    "context": _context,
    "tool_selection": _tool_selection,
    "chat": _chat,
    "safety": _safety,
    "checkpoint": _checkpoint,
    "tool": _tool,
    "session": _session,
    "metrics": _metrics,
    "analytics": _analytics,
    "workflow": _workflow,
    "evaluation": _evaluation,
}
