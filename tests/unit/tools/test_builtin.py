"""The tools that Victor brings along, as a whole."""

from __future__ import annotations

from pathlib import Path

from victor.protocols.tool import IToolAccess
from victor.tools import builtin_tools


def test_every_built_in_tool_tells_what_a_call_reaches_for(tmp_path: Path) -> None:
    tools = builtin_tools(tmp_path)
    names = [tool.spec.name for tool in tools]
    assert len(names) == len(set(names))
    assert {"read", "write", "edit", "multi_edit", "apply_patch", "git", "shell"} <= set(names)
    assert all(isinstance(tool, IToolAccess) for tool in tools)
