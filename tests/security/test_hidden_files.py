"""Files that must not be shown, and commands that would show them by the way."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from victor import AgentOrchestrator, Settings
from victor.messages import ToolResult
from victor.testing import ScriptedProvider, call

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="not on this platform"),
]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / ".env").write_text("KEY=the-secret\n")
    (folder / "src" / "open.py").write_text("KEY = None\n")
    os.link(folder / ".env", folder / "src" / "x.txt")
    return folder


async def told(
    workspace: Path, *calls: Mapping[str, Any], tainted: bool = False, **settings: Any
) -> tuple[ToolResult, ...]:
    """Return what a model is told of its calls, with nobody to ask."""
    provider = ScriptedProvider(list(calls), "done")
    chosen = Settings.model_validate({"ephemeral": True, "sandbox": "bubblewrap", **settings})
    async with AgentOrchestrator(chosen, provider, workspace=workspace) as agent:
        if tainted:
            agent.safety_coordinator.learn((ToolResult("0", "x", source="a page"),))
        await agent.chat("What is the key?")
    return provider.requests[1].messages[-1].tool_results


LINES = (
    "grep -r KEY .",
    "grep -rh the-secret",
    "rg --hidden KEY",
    "cat src/x.txt",
    "cat src/*",
    "head -c 99 src/x.txt",
    "find . -name open.py",
)
LET_THROUGH = (
    "find . -type f -exec cat {} +",
    "cp -r . $TMPDIR && cat $TMPDIR/.env",
    "ln .env y; cat y",
    "cp .env y; cat y",
    "python3 -c 'print(open(\".env\").read())'",
    "mv .env z; cat z",
)


async def test_a_denied_file_is_kept_from_every_command_by_each_of_its_names(
    workspace: Path,
) -> None:
    deny = {"permissions": {"deny": ["read(.env)"]}}
    results = await told(workspace, *(call("shell", command=line) for line in LINES), **deny)
    assert not any("the-secret" in result.content for result in results)
    assert not any("not allowed" in result.content for result in results)
    assert "KEY = None" in results[0].content
    assert all("[Kept from it, as empty: " in result.content for result in results)
    deny["permissions"]["allow"] = ["shell"]
    results = await told(workspace, *(call("shell", command=line) for line in LET_THROUGH), **deny)
    assert not any("the-secret" in result.content for result in results)
    assert (workspace / ".env").read_text() == "KEY=the-secret\n"


async def test_a_denied_file_is_not_moved_away_with_the_folders_that_it_is_in(
    workspace: Path,
) -> None:
    (workspace / "keys/deep").mkdir(parents=True)
    (workspace / "keys/deep/a").write_text("the-other-secret")
    rules = {"permissions": {"deny": ["read(keys/**)"], "allow": ["shell"]}}
    lines = ("mv keys other", "mv keys/deep here", "cat other/deep/a here/a", "grep -r the-other *")
    results = await told(workspace, *(call("shell", command=line) for line in lines), **rules)
    assert results[0].is_error
    assert results[1].is_error
    assert (workspace / "keys/deep/a").read_text() == "the-other-secret"
    assert not any("the-other-secret" in result.content for result in results)


async def test_foreign_words_find_no_secret_by_a_search(workspace: Path) -> None:
    calls = (*(call("shell", command=line) for line in LINES[:3]), call("grep", pattern="KEY"))
    before = await told(workspace, *calls)
    assert all("the-secret" in result.content for result in before)
    behind = await told(workspace, *calls, tainted=True)
    assert not any("the-secret" in result.content for result in behind)
    assert not any("not allowed" in result.content for result in behind)
    (named,) = await told(workspace, call("read", path="src/x.txt"), tainted=True)
    assert ".env usually holds secrets" in named.content


async def test_a_sandbox_that_cannot_keep_one_file_has_it_asked(workspace: Path) -> None:
    calls = (call("shell", command="grep -r KEY ."),)
    (behind,) = await told(workspace, *calls, tainted=True, sandbox="landlock")
    assert "it may show files that usually hold secrets" in behind.content
    deny = {"permissions": {"deny": ["read(.env)"]}}
    (denied,) = await told(workspace, *calls, sandbox="landlock", **deny)
    assert "not allowed" in denied.content


async def test_where_too_many_files_are_hidden_nothing_runs(workspace: Path) -> None:
    (workspace / "keys").mkdir()
    for number in range(1_001):
        (workspace / "keys" / f"{number}.pem").touch()
    (result,) = await told(workspace, call("shell", command="grep -r KEY ."), tainted=True)
    assert result.is_error
    assert "1,003 files in the workspace must not be shown unasked" in result.content
