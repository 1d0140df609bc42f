"""What plugins add to an agent; a broken one counts as the failure of the part that it is for."""

from __future__ import annotations

from functools import partial
from typing import Any

from victor.agent.guard import Guard, describe
from victor.errors import ConfigError
from victor.plugins import Group, installed, made
from victor.protocols import ITool


def plugged_parts(group: Group, coordinator: str, guard: Guard) -> list[Any]:
    """Return what a group's plugins make; a broken one counts as that coordinator's failure."""
    plugged = []
    for name, factory in installed().factories(group).items():
        try:
            plugged.append(factory())
        except ConfigError as failure:
            guard.failed(coordinator, f"plugin {name}", describe(failure))
    return plugged


def plugged_tools(guard: Guard) -> list[ITool]:
    """Return the plugins' tools, each alone or in a collection; what is no tool is left out."""
    tools = []
    for given in plugged_parts(Group.TOOLS, "tool", guard):
        for one in given if isinstance(given, tuple | list | set | frozenset) else (given,):
            tool = guard.read("tool", "plugin", partial(made, one), None, fits=_is_tool)
            if tool is not None:
                tools.append(tool)
    return tools


def _is_tool(value: object) -> bool:
    return isinstance(value, ITool) and not isinstance(value, type)
