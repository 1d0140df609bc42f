"""`victor fork`, `diff`, `replay` and `--ephemeral`, against a server on this machine."""

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


@pytest.fixture
def server(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAILoopback]:
    def answer(request: dict[str, Any]) -> str:
        last = next(m for m in reversed(request["messages"]) if m["role"] == "user")
        words = last["content"] if isinstance(last["content"], str) else last["content"][0]["text"]
        return f"{request['model']} heard {words.split()[0]}"

    with serve(otherwise=answer) as running:
        monkeypatch.setenv("VICTOR_PROVIDER", "openai")
        yield running


@pytest.fixture
def victor(
    server: OpenAILoopback, said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Said:
    monkeypatch.chdir(tmp_path)
    return said


@pytest.fixture
def parent(victor: Said) -> str:
    """The id of a session of three turns."""
    victor("chat", "--model", "m-1", "one")
    victor("chat", "--model", "m-1", "--resume", "last", "two")
    victor("chat", "--model", "m-1", "--resume", "last", "three")
    [listed] = json.loads(victor("sessions", "--json")[1])
    assert listed["turns"] == 3
    return str(listed["id"])


def test_a_fork_tries_the_last_turn_with_another_model(victor: Said, parent: str) -> None:
    code, out, err = victor("fork", parent[:6], "--model", "m-2")
    assert (code, out) == (0, "m-2 heard three\n")
    fork, before = json.loads(victor("sessions", "--json")[1])
    assert (fork["parent"], fork["parent_turn"], fork["model"]) == (parent, 2, "m-2")
    assert (fork["turns"], before["turns"]) == (3, 3)
    assert f"`victor diff {parent} {fork['id']}` shows both." in err
    _, page, _ = victor("diff", fork["id"])
    lines = page.splitlines()
    assert lines[0].startswith(parent)
    assert f"{fork['id']}, forked after turn 2" in lines[0]
    assert "Turns 1 to 2 are the same" in page
    assert "m-1 heard three" in page
    assert any("m-1 heard three" in line and "m-2 heard three" in line for line in lines)
    told = json.loads(victor("diff", parent, fork["id"], "--json")[1])
    assert [turn["same"] for turn in told["turns"]] == [True, True, False]
    assert told["turns"][2]["second"]["lines"] == ["m-2 heard three"]
    assert "Turn 1" in victor("diff", parent, fork["id"], "--all")[1]
    code, _, err = victor("diff", parent)
    assert (code, "is no fork" in err) == (1, True)


def test_a_fork_goes_through_all_that_was_said_after_its_turn(
    victor: Said, parent: str, server: OpenAILoopback, tmp_path: Path
) -> None:
    (tmp_path / "prompt.txt").write_text("You are a parrot.")
    server.requests.clear()
    code, out, _ = victor(
        *("fork", parent, "--at", "0", "--prompt-file", "prompt.txt", "--strategy", "truncation"),
        *("--model", "m-3"),
    )
    assert code == 0
    assert [line for line in out.splitlines() if line] == [
        "m-3 heard one",
        "m-3 heard two",
        "m-3 heard three",
    ]
    sent = [json.dumps(request) for request in server.requests]
    assert len(sent) == 3
    assert all("You are a parrot." in request for request in sent)
    code, _, err = victor("fork", parent, "--at", "3", "--run")
    assert (code, "nothing to try" in err) == (2, True)


def test_a_resumed_session_replays_without_the_server(
    victor: Said, parent: str, server: OpenAILoopback
) -> None:
    server.requests.clear()
    code, out, _ = victor("replay", parent)
    assert (code, out.splitlines()[-1]) == (0, "All is as it was recorded.")
    assert server.requests == []


@pytest.mark.parametrize("how", ["option", "environment", "file"])
def test_what_is_ephemeral_leaves_not_one_byte(
    victor: Said,
    server: OpenAILoopback,
    home_of_its_own: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    big = ToolCall("c1", "shell", {"command": "seq 1 40000"})
    server.add(LoopbackReply(calls=(big,)))
    if how == "environment":
        monkeypatch.setenv("VICTOR_EPHEMERAL", "true")
    if how == "file":
        (home_of_its_own / "config.toml").write_text("ephemeral = true\n")
    given = ("--ephemeral",) if how == "option" else ()
    code, out, _ = victor("chat", "--model", "m", "--yes", *given, "count")
    assert (code, out) == (0, "m heard count\n")
    # The sandbox's lock is an empty file.
    files = (file for file in home_of_its_own.rglob("*") if file.is_file())
    left = [file.name for file in files if file.read_bytes()]
    assert left == (["config.toml"] if how == "file" else [])
