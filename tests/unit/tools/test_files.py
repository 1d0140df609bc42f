from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from victor.errors import ToolError
from victor.protocols import Access, ITool, ToolEnvironment, ToolOutput
from victor.tools import document

pytestmark = pytest.mark.anyio

Run = Callable[..., Awaitable[ToolOutput]]


@pytest.mark.parametrize("name", ["write", "edit", "shell"])
async def test_nothing_is_changed_where_the_workspace_is_not_writable(
    root: Path, tools: dict[str, ITool], environment: ToolEnvironment, name: str
) -> None:
    (root / "a").write_text("x")
    arguments = {"path": "a", "content": "y", "old": "x", "new": "y", "command": "echo y > a"}
    with pytest.raises(ToolError, match=r"(?i)in this mode"):
        await tools[name].run(arguments, replace(environment, writable=False))
    assert (root / "a").read_text() == "x"


def test_only_what_changes_files_names_paths(
    root: Path, tools: dict[str, ITool], environment: ToolEnvironment
) -> None:
    (root / "link").symlink_to("real")
    arguments = {"path": "link", "pattern": "x", "command": "rm x", "edits": [{"path": "link"}]}
    changed = {name: tool.paths(arguments, environment) for name, tool in tools.items()}
    assert {name: paths for name, paths in changed.items() if paths} == {
        "write": (root / "real",),
        "edit": (root / "real",),
        "multi_edit": (root / "real",),
    }
    assert tools["write"].paths({"path": "../x"}, environment) == ()
    assert tools["write"].paths({"path": 7}, environment) == ()


def test_rules_see_where_a_call_leads_and_by_which_link(
    root: Path, tools: dict[str, ITool], environment: ToolEnvironment
) -> None:
    (root / "link").symlink_to(".git/config")
    for name in ("read", "write", "edit", "list", "glob", "grep"):
        access = tools[name].access  # type: ignore[attr-defined]
        assert access({"path": "./link"}, environment) == Access((".git/config", "link"))
        assert access({"path": "./a//b"}, environment) == Access(("a/b",))
        assert access({"path": "../x"}, environment) == Access(("../x",))
        assert access({"path": ["x"]}, environment) == Access(known=False)
    shell = tools["shell"].access  # type: ignore[attr-defined]
    assert shell({"command": "ls"}, environment) == Access(command="ls")
    assert shell({"command": None}, environment) == Access(known=False)


def test_a_diff_is_capped_and_never_takes_long() -> None:
    before = "".join(f"{n}\n" for n in range(2_000))
    after = "".join(f"{n}!\n" for n in range(2_000))
    lines = document.unified_diff(before, after, "a").splitlines()
    assert len(lines) == document.DIFF_LINES + 1
    assert lines[-1].startswith("... ")
    assert "too long for a diff" in document.unified_diff("a\n" * 15_000, "b\n" * 15_000, "a")
    assert document.unified_diff("a\r\n", "a\n", "a") == "a: only line ends changed"
    assert document.unified_diff("a", "a", "a") == ""
