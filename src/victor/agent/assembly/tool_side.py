"""Making the coordinators that let tools run."""

from __future__ import annotations

from functools import partial
from typing import Any

from victor.agent.assembly.given import Given
from victor.agent.plugged import plugged_tools
from victor.errors import ConfigError
from victor.protocols import IAnswerer, IToolSource
from victor.protocols.selection import FIND_TOOLS


def safety(given: Given) -> Any:
    """What says of each call whether it may run, in the sandbox given."""
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


def checkpoint(given: Given) -> Any:
    """What remembers files before they are changed."""
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


def tool(given: Given) -> Any:
    """What runs the tools: the application's, or else Victor's and those plugged in; servers'."""
    from victor.agent.coordinators.tool_coordinator import ToolCoordinator
    from victor.safety.sandbox import policy_of
    from victor.tools import builtin_tools, fit_arguments
    from victor.tools.find_tools import FindTools
    from victor.tools.process import Limits
    from victor.tools.skill import UseSkill

    spill = given.outputs
    tools, source = given.tools, servers(given)
    if tools is None:
        built_in = builtin_tools(
            given.workspace,
            readable=given.skill_folders,
            own=given.set_aside.folders,
            person=given.approver if isinstance(given.approver, IAnswerer) else None,
            subagents=given.subagents if given.config.get("subagent_depth", 1) else None,
            sandbox=given.sandbox,
            policy=policy_of(given.config.get("sandbox_hosts") or ()),
            limits=Limits.of(given.config),
            spill_folder=spill,
            git_hooks=given.config.get("git_hooks", False),
        )
        known = (UseSkill(given.skills),) if given.skills else ()
        tools = (*built_in, *known, *plugged_tools(given.bus.guard))
    elif tools or source is not None:
        named = [tool for tool in tools if tool.spec.name == FIND_TOOLS]
        if not all(isinstance(tool, FindTools) for tool in named):
            raise ConfigError(
                f"A tool of yours is called {FIND_TOOLS}, as the one of Victor's that finds tools.",
                hint="Give it another name.",
            )
        tools = tools if named else (*tools, FindTools())
    return ToolCoordinator(
        tools,
        given.workspace,
        source=source,
        spill_folder=spill,
        fit_arguments=fit_arguments,
        plan_of=given.plans.of,
    )


def servers(given: Given) -> IToolSource | None:
    """Return the MCP servers of the settings. What is the matter with one is told as an event."""
    if not given.config.get("mcp_servers"):
        return None
    from victor.mcp import servers_of

    failed = given.failed_in("tool")

    def told(server: str, text: str) -> None:
        failed(f"MCP server {server}", text)

    return servers_of(
        given.config,
        given.workspace,
        approver=given.approver,
        tell=told,
        sandbox=given.sandbox,
    )
