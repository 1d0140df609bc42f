"""A workspace to work in, and a way to run a tool on it."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from victor.errors import ToolError
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


@pytest.fixture
def change(run: Run) -> Run:
    """Runs a tool that changes a file, which is read before, as it must be."""

    async def change(name: str, **arguments: Any) -> ToolOutput:
        paths = {arguments.get("path"), *(edit["path"] for edit in arguments.get("edits", ()))}
        for path in paths - {None}:
            with contextlib.suppress(ToolError):
                await run("read", path=path)
        return await run(name, **arguments)

    return change
