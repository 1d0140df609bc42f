"""A folder whose files are pipes that nobody writes to holds nothing up."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.testing import call

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PIPES = (
    *("AGENTS.md", ".env", ".gitignore", ".gitattributes", "sub/.gitignore", "sub/.gitattributes"),
    *(".victor/config.toml", ".victor/rules.toml", ".victor/skills/one/SKILL.md", ".mcp.json"),
    *(".git/info/exclude", ".git/info/attributes", ".git/COMMIT_EDITMSG", "pipe"),
)


async def test_a_turn_in_it_comes_to_its_end(
    new: Callable[..., AgentOrchestrator], workspace: Path
) -> None:
    subprocess.run(["git", "init", "-q", str(workspace)], check=True)
    for name in PIPES:
        place = workspace / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        os.mkfifo(place)
    (workspace / "sub/words.txt").write_text("hello there\n")
    patch = "*** Begin Patch\n*** Update File: pipe\n@@\n-a\n+b\n*** End Patch"
    calls = (
        call("list"),
        call("list", path="sub"),
        call("glob", pattern="**/*"),
        call("grep", pattern="hello"),
        call("read", path="pipe"),
        call("write", path="pipe", content="x"),
        call("edit", path="pipe", old="a", new="b"),
        call("apply_patch", patch=patch),
        call("git", command="status"),
        call("shell", command="echo done; rm pipe"),
        call("write", path="AGENTS.md/x", content="x"),
    )
    async with new(*calls, "Done.", max_tool_iterations=60, tool_calling_timeout=3) as agent:
        response = await asyncio.wait_for(agent.chat("Look around"), 60)
        assert response.content == "Done."
        results = [part for message in response.messages for part in message.tool_results]
        assert len(results) == len(calls)
        assert any("sub/words.txt:1:hello there" in result.content for result in results)
        await asyncio.wait_for(agent.undo(), 20)
