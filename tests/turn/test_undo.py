"""What whole turns changed is taken back, brought back, and never at a person's cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from victor.agent.coordinators.checkpoint_coordinator import UndoReport
from victor.agent.orchestrator import AgentOrchestrator
from victor.errors import SessionError
from victor.events import CheckpointTaken, ToolCallStarted
from victor.messages import Effect
from victor.testing import RecordingObserver, ScriptedProvider, call
from victor.tools.decorator import tool

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

New = Callable[..., AgentOrchestrator]


async def test_what_a_command_changed_is_undone_with_the_edits_of_its_turn(
    new: New, workspace: Path
) -> None:
    (workspace / "old.bin").write_bytes(b"\x00\xff\r\n")
    command = "rm old.bin; mkdir -p made/deep; echo new > made/deep/file; echo more >> hello.txt"
    orchestrator = new(
        call("read", path="hello.txt"),
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
            call("read", path="hello.txt"),
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
            "ToolCallStarted",
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


async def test_what_a_subagent_changed_is_undone_with_the_turn_that_it_worked_for(
    new: New, workspace: Path
) -> None:
    orchestrator = new(
        call("task", prompt="Do it", mode="build"),
        call("read", path="hello.txt"),
        call("write", path="hello.txt", content="the agent's\n"),
        call("shell", command="rm -r old; echo made > made"),
        "I did it.",
        call("write", path="own.txt", content="own\n"),
        "Done.",
    )
    (workspace / "old").mkdir()
    (workspace / "old/file").write_text("old\n")
    async with orchestrator:
        await orchestrator.chat("go")
        assert (workspace / "hello.txt").read_text() == "the agent's\n"
        assert (workspace / "made").exists()
        report = await orchestrator.undo()
        assert report.conflicts == ()
        assert (workspace / "hello.txt").read_text() == "hello\n"
        assert (workspace / "old/file").read_text() == "old\n"
        assert sorted(path.name for path in workspace.iterdir()) == ["hello.txt", "old"]
        await orchestrator.redo()
        assert (workspace / "hello.txt").read_text() == "the agent's\n"
        assert not (workspace / "old").exists()


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


async def test_a_rewind_takes_back_files_and_turns_and_a_redo_brings_both_back(
    new: New, workspace: Path
) -> None:
    orchestrator = new(
        [call("write", path="a.txt", content="1")],
        "One.",
        [call("write", path="a.txt", content="2")],
        "Two.",
        "Three.",
        "Four.",
    )
    async with orchestrator:
        for words in ("one", "two", "three"):
            await orchestrator.chat(words)
        seen = orchestrator.context_coordinator.get_context().messages
        assert [(point.number, point.words) for point in await orchestrator.points()] == [
            (1, "one"),
            (2, "two"),
            (3, "three"),
        ]
        preview = await orchestrator.preview_rewind(2)
        assert len(preview.turns) == 2
        assert "-2" in preview.diff
        report = await orchestrator.rewind(2)
        assert report.restored == (str(workspace / "a.txt"),)
        assert (workspace / "a.txt").read_text() == "1"
        assert [point.number for point in await orchestrator.points()] == [1]
        left = orchestrator.context_coordinator.get_context().messages
        assert left == seen[: len(left)]
        assert left[-1].text == "One."
        with pytest.raises(SessionError, match="no turn 3"):
            await orchestrator.rewind(3)
        assert (await orchestrator.preview_redo()).conversation
        assert (await orchestrator.redo()).conversation
        assert orchestrator.context_coordinator.get_context().messages == seen
        assert (workspace / "a.txt").read_text() == "2"
        assert await orchestrator.redo() == UndoReport()
        await orchestrator.rewind(3, files=False)
        await orchestrator.chat("four")
        assert [point.number for point in await orchestrator.points()] == [1, 2, 4]
        assert await orchestrator.redo() == UndoReport()


async def test_a_rewind_of_files_alone_leaves_the_conversation_and_the_model_is_told(
    new: New, workspace: Path
) -> None:
    provider = ScriptedProvider([call("write", path="a.txt", content="1")], "One.", "Two.")
    orchestrator = new(provider=provider)
    async with orchestrator:
        await orchestrator.chat("one")
        await orchestrator.rewind(1, conversation=False)
        assert not (workspace / "a.txt").exists()
        await orchestrator.chat("two")
    said = provider.requests[-1].messages[-1].text
    assert said.startswith("two")
    assert "changes of yours in: a.txt" in said


async def test_a_rewound_conversation_stays_so_after_a_resume_and_comes_back(new: New) -> None:
    more: dict[str, Any] = {"ephemeral": False}
    async with new("One.", "Two.", **more) as first:
        await first.chat("one")
        await first.chat("two")
        await first.rewind(2)
    async with new("Three.", **more) as second:
        messages = await second.resume("last")
        assert [message.text for message in messages] == ["one", "One."]
        assert (await second.redo()).conversation
        assert len(second.context_coordinator.get_context().messages) == 4


async def test_without_a_turn_there_is_nothing_to_take_back(new: New) -> None:
    async with new("One.") as orchestrator:
        assert await orchestrator.undo() == await orchestrator.redo() == UndoReport()
        assert await orchestrator.points() == ()
        with pytest.raises(SessionError, match="There are: none"):
            await orchestrator.rewind(1)


async def test_a_rewind_takes_back_what_a_workflow_did_in_between(
    new: New, workspace: Path
) -> None:
    flow = workspace / "flow.yaml"
    flow.write_text(
        "name: flow\nsteps:\n  - {id: one, tool: write, arguments: {path: a.txt, content: flow}}\n"
    )
    orchestrator = new("One.", "Two.", [call("write", path="b.txt", content="b")], "Three.")
    async with orchestrator:
        await orchestrator.chat("one")
        await orchestrator.chat("two")
        await orchestrator.run_workflow(flow)
        assert (workspace / "a.txt").read_text() == "flow"
        await orchestrator.chat("three")
        report = await orchestrator.rewind(2)
        assert set(report.removed) == {str(workspace / "a.txt"), str(workspace / "b.txt")}
        assert len(report.turns) == 2
