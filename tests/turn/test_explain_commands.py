"""`victor context` and `victor explain`, against a server on this machine."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from victor.cli.app import run
from victor.messages import ToolCall
from victor.testing.loopback import LoopbackReply, OpenAILoopback

pytestmark = pytest.mark.slow


def victor(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run(list(arguments)) == 0
    return capsys.readouterr().out


def test_a_folder_is_explained_before_and_after_its_first_session(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-loopback-secret")
    (tmp_path / "a.txt").write_text("hello\n")
    with OpenAILoopback(otherwise="yes") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        empty = json.loads(victor(capsys, "context", "--json"))
        assert (empty["messages"], empty["provider"]) == (0, "openai")
        assert "OPENAI_API_KEY is set" in victor(capsys, "explain", "model")
        assert "identity" in victor(capsys, "explain", "prompt")
        assert "the settings in force" in victor(capsys, "explain", "config")

        call = ToolCall("c1", "shell", {"command": "rm a.txt"})
        server.add(LoopbackReply(calls=(call,)))
        victor(capsys, "chat", "Remove a.txt")
        shown = victor(capsys, "context")
        assert max(map(len, shown.splitlines())) <= 80
        assert "4 messages" in shown
        assert "nobody to ask" in victor(capsys, "explain", "safety")
        told = json.loads(victor(capsys, "explain", "prompt", "--turn", "1", "--json"))
        assert told["parts"][0]["name"] == "identity"
        assert "more have their default" in victor(capsys, "explain", "config")
        then = victor(capsys, "explain", "config", "--turn", "1")
        assert "config of turn 1" in then
        assert "context_compaction_strategy  value hybrid" in then
        assert run(["explain", "tools", "--turn", "7"]) == 1
        assert "no turn 7" in capsys.readouterr().err
