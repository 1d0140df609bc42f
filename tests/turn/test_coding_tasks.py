"""Fifty small coding tasks, played through Victor's own tools by a scripted model.

In build mode each comes out right, to the byte; in the modes that only read, nothing changes,
whatever is tried.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.messages import ToolCall, ToolResult
from victor.testing import ScriptedProvider

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

FOLDER = Path(__file__).parent.parent / "tasks"
TASKS: list[dict[str, Any]] = [
    task
    for file in sorted(FOLDER.glob("*.yaml"))
    for task in yaml.safe_load(file.read_text("utf-8"))
]


def test_there_are_fifty() -> None:
    assert len({task["name"] for task in TASKS}) == 50


def lay_out(files: dict[str, str | bytes], folder: Path) -> None:
    for name, content in files.items():
        file = folder / name.removesuffix("!")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        if name.endswith("!"):
            file.chmod(0o755)


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.relative_to(folder).as_posix(): (
            stat.S_IMODE(path.lstat().st_mode),
            os.fsencode(path.readlink()) if path.is_symlink() else _content(path),
        )
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts
    }


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b"folder"


def calls_of(steps: list[dict[str, Any]]) -> Iterator[ToolCall]:
    for number, step in enumerate(steps):
        tool = next(name for name in step if name != "fails")
        yield ToolCall(f"c{number}", tool, step[tool])


async def play(calls: list[ToolCall], folder: Path, mode: str) -> list[ToolResult]:
    """Let a model make the calls, one after the other, and return their results."""
    settings = Settings(ephemeral=True, approve="always", max_tool_iterations=60, mode=mode)
    # The last is for the model itself where an agent that it started has taken one.
    provider = ScriptedProvider(*calls, "Done.", "Done.")
    async with AgentOrchestrator(settings, provider, "m", workspace=folder) as agent:
        response = await agent.chat("Do it")
    return [result for message in response.messages for result in message.tool_results]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task["name"])
async def test_a_task_comes_out_right_in_build_mode(task: dict[str, Any], tmp_path: Path) -> None:
    lay_out(task["files"], tmp_path)
    results = await play(list(calls_of(task["calls"])), tmp_path, "build")
    for step, result in zip(task["calls"], results, strict=True):
        assert result.is_error == ("fails" in step), result.content
        assert step.get("fails", "") in result.content
    expected = {**task["files"], **task["solution"]}
    there = {name: content for name, content in expected.items() if content is not None}
    (tmp_path / "expected").mkdir()
    lay_out(there, tmp_path / "expected")
    wanted = state(tmp_path / "expected")
    made = {name: at for name, at in state(tmp_path).items() if not name.startswith("expected")}
    assert made == wanted


@pytest.mark.parametrize("mode", ["plan", "explore"])
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task["name"])
async def test_not_one_byte_changes_in_a_mode_that_only_reads(
    task: dict[str, Any], mode: str, tmp_path: Path
) -> None:
    lay_out(task["files"], tmp_path)
    before = state(tmp_path)
    await play(list(calls_of(task["calls"])), tmp_path, mode)
    assert state(tmp_path) == before


TRICKS = (
    "echo x > new",
    "echo x >> a.txt",
    "cat a.txt | tee b.txt",
    "true; touch new",
    "ls $(touch new)",
    "ls `touch new`",
    "diff a.txt <(touch new; cat a.txt)",
    "git status; touch new",
    "git status\ntouch new",
    "git -c core.pager='touch new' log",
    "git commit --allow-empty -m x",
    "git stash",
    "git branch trick",
    "find . -name a.txt -delete",
    "find . -name a.txt -exec rm {} +",
    "sed -i s/a/b/ a.txt",
    "sed -n 'w new' a.txt",
    "awk 'BEGIN { print > \"new\" }'",
    "sort -o a.txt a.txt",
    'python3 -c \'open("new", "w")\'',
    "env touch new",
    "xargs touch < a.txt",
    "sh -c 'touch new'",
    "eval 'touch new'",
    "cp a.txt b.txt",
    "mv a.txt b.txt",
    "ln -s a.txt link",
    "rm -f a.txt",
    "chmod 777 a.txt",
    "mkdir d",
    "dd if=/dev/zero of=a.txt count=1",
    "tar cf new.tar a.txt",
    "curl -o new file:///etc/hostname",
    "nohup sh -c 'sleep 0.2; touch new' &",
    "cd / && cd - && touch new",
    "touch\tnew",
    "IFS=,; c=touch,new; $c",
    "t\\ouch new",
    "a=touch; $a new",
    "{ touch new; }",
    "(touch new)",
    "if true; then touch new; fi",
    "f() { touch new; }; f",
    "trap 'touch new' EXIT",
    "less a.txt +'!touch new'",
    "vim -c ':!touch new' -c ':q'",
)


async def test_no_trick_of_a_shell_changes_anything_in_plan_mode(tmp_path: Path) -> None:
    lay_out({"a.txt": "new\n"}, tmp_path)
    before = state(tmp_path)
    calls = [ToolCall(f"c{n}", "shell", {"command": trick}) for n, trick in enumerate(TRICKS)]
    await play(calls, tmp_path, "plan")
    assert state(tmp_path) == before


async def test_no_trick_of_another_tool_changes_anything_in_plan_mode(tmp_path: Path) -> None:
    lay_out({"a.txt": "a\n"}, tmp_path)
    (tmp_path / "link").symlink_to("a.txt")
    before = state(tmp_path)
    patch = "*** Begin Patch\n*** {} File: {}\n{}\n*** End Patch"
    calls = [
        ("read", {"path": "a.txt"}),
        ("write", {"path": "a.txt", "content": "x"}),
        ("write", {"path": "link", "content": "x"}),
        ("write", {"path": "new/deep", "content": "x"}),
        ("edit", {"path": "a.txt", "old": "a", "new": "b"}),
        ("multi_edit", {"edits": [{"path": "a.txt", "old": "a", "new": "b"}]}),
        ("apply_patch", {"patch": patch.format("Update", "a.txt", "@@\n-a\n+b")}),
        ("apply_patch", {"patch": patch.format("Delete", "a.txt", "")}),
        ("apply_patch", {"patch": patch.format("Add", "new", "+x")}),
        ("git", {"command": "commit", "message": "x", "paths": ["a.txt"]}),
        ("git", {"command": "diff", "revision": "--output=new"}),
        ("task", {"prompt": "Write it", "mode": "build"}),
        ("task", {"prompt": "Write it"}),
        ("todo", {"items": [{"text": "x", "status": "done"}]}),
        ("grep", {"pattern": "a", "path": "; touch new"}),
        ("glob", {"pattern": "$(touch new)"}),
    ]
    made = [ToolCall(f"c{number}", *call) for number, call in enumerate(calls)]
    await play(made, tmp_path, "plan")
    assert state(tmp_path) == before
