"""`victor run`, `victor eval` and `victor undo`, against a server on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from victor.messages import ToolCall
from victor.testing.loopback import LoopbackReply, OpenAILoopback

pytestmark = pytest.mark.slow

Said = Callable[..., tuple[int, str, str]]
Serve = Callable[..., AbstractContextManager[OpenAILoopback]]

WORKFLOW = """
name: greet
inputs: {who: {description: whom to greet}}
steps:
  - {id: ask, prompt: "Greet {{ inputs.who }}", save_as: greeting}
outputs: {greeting: "{{ greeting }}"}
"""
SUITE = """
name: small
tasks:
  - {id: right, prompt: Say yes, checks: [{regex: "yes"}]}
  - {id: wrong, prompt: Say no, checks: [{regex: "no"}]}
"""


@pytest.fixture
def server(serve: Serve) -> Iterator[OpenAILoopback]:
    with serve(otherwise="yes") as running:
        yield running


@pytest.fixture
def victor(
    server: OpenAILoopback, said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Said:
    monkeypatch.chdir(tmp_path)
    return said


def test_a_workflow_prints_its_outputs_and_tells_its_steps(
    victor: Said, server: OpenAILoopback, tmp_path: Path
) -> None:
    (tmp_path / "greet.yaml").write_text(WORKFLOW)
    server.add("Hello, Ada!")
    code, out, err = victor("run", "greet.yaml", "-i", "who=Ada")
    assert (code, out) == (0, "Hello, Ada!\n")
    assert "step ask done" in err


def test_a_workflow_as_json_ends_with_its_result(
    victor: Said, server: OpenAILoopback, tmp_path: Path
) -> None:
    (tmp_path / "greet.yaml").write_text(WORKFLOW)
    server.add("Hello!")
    code, out, _ = victor("run", "greet.yaml", "-i", "who=Ada", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert "workflow_step_ended" in {line["event"] for line in lines}
    assert (lines[-1]["event"], lines[-1]["outputs"]) == ("result", {"greeting": "Hello!"})


def test_a_workflow_that_cannot_run_says_why(victor: Said, tmp_path: Path) -> None:
    (tmp_path / "greet.yaml").write_text(WORKFLOW)
    code, _, err = victor("run", "greet.yaml")
    assert code == 1
    assert "who" in err
    (tmp_path / "broken.yaml").write_text("steps: 3")
    code, _, err = victor("run", "broken.yaml")
    assert code == 1
    assert "broken.yaml" in err


def test_a_failed_step_fails_the_command(
    victor: Said, server: OpenAILoopback, tmp_path: Path
) -> None:
    (tmp_path / "fails.yaml").write_text(
        "name: fails\nsteps: [{id: look, tool: read, arguments: {path: missing.txt}}]\n"
    )
    code, _, err = victor("run", "fails.yaml")
    assert code == 1
    assert "step look failed" in err


def test_a_failed_workflow_as_json_tells_what_its_steps_gave(
    victor: Said, server: OpenAILoopback, tmp_path: Path
) -> None:
    (tmp_path / "there.txt").write_text("found")
    (tmp_path / "fails.yaml").write_text(
        "name: fails\nsteps:\n"
        "  - {id: first, tool: read, arguments: {path: there.txt}}\n"
        "  - {id: look, tool: read, arguments: {path: missing.txt}}\n"
    )
    code, out, _ = victor("run", "fails.yaml", "--json")
    last = json.loads(out.splitlines()[-1])
    assert (code, last["event"], last["status"]) == (1, "result", "failed")
    assert [step["status"] for step in last["steps"]] == ["done", "failed"]
    assert "found" in json.dumps(last["steps"][0])


def test_a_suite_is_reported_as_a_table_and_as_json_that_can_be_compared(
    victor: Said, tmp_path: Path
) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE)
    code, out, err = victor("eval", "suite.yaml", "--tries", "2")
    assert code == 0
    assert "right" in out
    assert "2 of 4 passed" in out
    assert "wrong #1 failed" in err
    code, out, _ = victor("eval", "suite.yaml", "--json")
    assert code == 0
    assert json.loads(out)["pass_rate"] == 0.5
    (tmp_path / "before.json").write_text(out)
    code, out, _ = victor("eval", "suite.yaml", "--compare", "before.json")
    assert "it may be chance" in out


def test_undo_takes_back_the_last_turn_after_a_preview(
    victor: Said, server: OpenAILoopback, tmp_path: Path
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old\n")
    read = ToolCall("1", "read", {"path": "a.txt"})
    write = ToolCall("2", "write", {"path": "a.txt", "content": "new\n"})
    server.add(LoopbackReply(calls=(read, write)), "Written.")
    assert victor("chat", "--yes", "Write it")[0] == 0
    assert file.read_text() == "new\n"
    code, out, err = victor("undo")
    assert (code, "Nothing was changed. Nobody can be asked here; --yes" in err) == (1, True)
    assert "-new\n" in out
    assert "+old\n" in out
    assert file.read_text() == "new\n"
    code, out, _ = victor("undo", "--yes")
    assert (code, "Restored 1" in out) == (0, True)
    assert file.read_text() == "old\n"
    code, out, _ = victor("redo", "--json")
    preview = json.loads(out)
    assert (code, preview["done"], preview["restored"]) == (0, False, [str(file)])
    assert file.read_text() == "old\n"
    assert json.loads(victor("redo", "--json", "--yes")[1])["done"]
    assert file.read_text() == "new\n"
    assert "Write it" in victor("rewind")[1]
    assert json.loads(victor("rewind", "--json")[1])[0]["paths"] == [str(file)]
    code, out, _ = victor("rewind", "1", "--yes")
    assert (code, "conversation: 1 turn, 1" in out, file.read_text()) == (0, True, "old\n")
    assert "no turn to go back to" in victor("rewind")[1]
    assert "Restored 1" in victor("redo", "--yes")[1]
    assert "nothing to redo" in victor("redo")[1]
    assert victor("rewind", "1", "--files", "--yes")[0] == 0
    assert file.read_text() == "old\n"
    assert victor("rewind", "7")[0] == 1


def test_an_undo_that_can_put_nothing_back_says_so_once_and_fails(
    victor: Said, server: OpenAILoopback, tmp_path: Path
) -> None:
    file = tmp_path / "a.txt"
    write = ToolCall("w", "write", {"path": "a.txt", "content": "new\n"})
    server.add(LoopbackReply(calls=(write,)), "Written.")
    assert victor("chat", "--yes", "Write it")[0] == 0
    file.write_text("the person's own\n")
    told = json.loads(victor("undo", "--json")[1])
    assert (told["done"], told["conflicts"]) == (False, [str(file)])
    code, out, _ = victor("undo", "--yes")
    assert (code, out.count("changed since by somebody else")) == (1, 1)
    assert "No file was changed." in out
    assert file.read_text() == "the person's own\n"


def test_one_turn_with_the_help_of_every_option(
    victor: Said, server: OpenAILoopback, tmp_path: Path
) -> None:
    seen: list[dict[str, Any]] = []

    def answer(request: dict[str, Any]) -> str:
        seen.append(request)
        return "Fine."

    server.add(answer)
    (tmp_path / "inner").mkdir()
    arguments = ("--provider", "openai", "-m", "gpt-x", "--mode", "plan", "-C", "inner")
    code, out, err = victor("chat", *arguments, "--ephemeral", "Hello")
    assert (code, out) == (0, "Fine.\n")
    assert "openai · gpt-x" in err
    assert seen[0]["model"] == "gpt-x"
