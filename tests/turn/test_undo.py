"""What whole turns changed is taken back, brought back, and never at a person's cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.events import CheckpointTaken, ToolCallStarted
from victor.messages import Effect
from victor.testing import RecordingObserver, call
from victor.tools.decorator import tool

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

New = Callable[..., AgentOrchestrator]


async def test_what_a_command_changed_is_undone_with_the_edits_of_its_turn(
    new: New, workspace: Path
) -> None:
    (workspace / "old.bin").write_bytes(b"\x00\xff\r\n")
    command = "rm old.bin; mkdir -p made/deep; echo new > made/deep/file; echo more >> hello.txt"
    orchestrator = new(
        [call("write", path="hello.txt", content="written\n"), call("shell", command=command)],
        "Done.",
    )
    async with orchestrator:
        await orchestrator.chat("go")
        assert (workspace / "hello.txt").read_text() == "written\nmore\n"
        preview = await orchestrator.preview_undo()
        assert "-more\n" in preview.diff
        report = await orchestrator.undo()
        assert report.conflicts == ()
        assert (workspace / "hello.txt").read_text() == "hello\n"
        assert (workspace / "old.bin").read_bytes() == b"\x00\xff\r\n"
        assert not (workspace / "made").exists()


async def test_each_call_is_kept_before_it_runs_and_settled_before_the_next(
    new: New, workspace: Path
) -> None:
    @tool(effect=Effect.EFFECTFUL)
    async def person() -> str:
        """Change a file as a person in an editor would, in the middle of a step."""
        (workspace / "hello.txt").write_text("a person's\n")
        return "saved"

    from victor.tools import builtin_tools

    orchestrator = new(
        [
            call("write", path="hello.txt", content="first\n"),
            call("person"),
            call("write", path="other.txt", content="second\n"),
        ],
        "Done.",
        tools=(*builtin_tools(workspace), person),
    )
    heard = RecordingObserver()
    orchestrator.add_observer(heard)
    async with orchestrator:
        await orchestrator.chat("go")
        kinds = [
            type(event).__name__
            for event in heard.events
            if isinstance(event, CheckpointTaken | ToolCallStarted)
        ]
        assert kinds == [
            "CheckpointTaken",
            "ToolCallStarted",
            "ToolCallStarted",
            "CheckpointTaken",
            "ToolCallStarted",
        ]
        report = await orchestrator.undo()
        assert report.conflicts == (str(workspace / "hello.txt"),)
        assert report.removed == (str(workspace / "other.txt"),)
        assert (workspace / "hello.txt").read_text() == "a person's\n"


async def test_what_was_undone_is_there_again_after_a_resume_and_a_redo(
    new: New, workspace: Path, home_of_its_own: Path
) -> None:
    more: dict[str, Any] = {"ephemeral": False}
    first = new(call("write", path="new.txt", content="new\n"), "Done.", **more)
    async with first:
        await first.chat("go")
        await first.undo()
    assert not (workspace / "new.txt").exists()
    second = new("Hello.", **more)
    async with second:
        await second.resume("last")
        assert "+new" in (await second.preview_redo()).diff
        assert (await second.redo()).restored == (str(workspace / "new.txt"),)
    assert (workspace / "new.txt").read_text() == "new\n"
