"""The tools that Victor brings along, as a whole."""

from __future__ import annotations

from pathlib import Path

from victor.protocols.tool import IToolAccess
from victor.tools import builtin_tools


def test_every_built_in_tool_tells_what_a_call_reaches_for(tmp_path: Path) -> None:
    tools = builtin_tools(tmp_path)
    assert [tool.spec.name for tool in tools] == [
        "read",
        "write",
        "edit",
        "multi_edit",
        "apply_patch",
        "list",
        "glob",
        "grep",
        "shell",
    ]
    assert all(isinstance(tool, IToolAccess) for tool in tools)
