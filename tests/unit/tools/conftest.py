"""A workspace to work in, and a way to run a tool on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from victor.protocols import ITool, ToolEnvironment, ToolOutput
from victor.tools import builtin_tools, fit_arguments

Run: TypeAlias = Callable[..., Awaitable[ToolOutput]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder.resolve()


@pytest.fixture
def environment(root: Path) -> ToolEnvironment:
    return ToolEnvironment(root)


@pytest.fixture
def tools(root: Path) -> dict[str, ITool]:
    return {tool.spec.name: tool for tool in builtin_tools(root)}


@pytest.fixture
def run(tools: dict[str, ITool], environment: ToolEnvironment) -> Run:
    """Runs a built-in tool by its name, its arguments checked as for a model's call."""

    async def run(name: str, **arguments: Any) -> ToolOutput:
        tool = tools[name]
        return await tool.run(fit_arguments(tool.spec, arguments), environment)

    return run
