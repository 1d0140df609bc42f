"""`victor chat --record` and `--replay`."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from victor.testing.loopback import LoopbackReply, OpenAILoopback

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Command

KEY = "the-key-of-this-test"


@pytest.mark.slow
def test_a_recorded_turn_is_replayed_without_a_server(
    victor: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAILoopback([LoopbackReply(f"I know {KEY}.", pieces=9)]) as server:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        first = victor("chat", "--ephemeral", "--record", "calls.jsonl", "Hello")
    assert (first.code, first.out) == (0, f"I know {KEY}.\n")
    assert "recorded to calls.jsonl" in first.err
    written = (folder / "calls.jsonl").read_text()
    assert KEY not in written
    assert "[secret]" in written
    assert stat.S_IMODE((folder / "calls.jsonl").stat().st_mode) == 0o600

    again = victor("chat", "--ephemeral", "--replay", "calls.jsonl", "Hello")
    assert (again.code, again.out) == (0, "I know [secret].\n")
    other = victor("chat", "--ephemeral", "--replay", "calls.jsonl", "--json", "Goodbye")
    assert other.code == 1
    error = json.loads(other.out.splitlines()[-1])
    assert error["error_type"] == "ReplayDiverged"
    assert "'Goodbye'" in error["message"]


def test_recording_and_replaying_at_once_is_refused(victor: Command, folder: Path) -> None:
    (folder / "a").write_text("")
    ended = victor("chat", "--record", "b", "--replay", "a", "Hello")
    assert ended.code == 2
    assert "not both" in ended.err


def test_a_file_that_is_no_recording_is_named(victor: Command, folder: Path) -> None:
    (folder / "notes.txt").write_text("notes")
    ended = victor("chat", "--replay", "notes.txt", "Hello")
    assert ended.code == 2
    assert "notes.txt, line 1" in ended.err
    assert victor("chat", "--replay", "missing", "Hello").code == 2
