"""Every Python block of the guide runs as it is written, in order, against a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_guide_has_fourteen_python_blocks(blocks: list[str]) -> None:
    assert len(blocks) == 14


def test_all_blocks_run_in_order_in_one_program(
    reader: Any, server: Any, blocks: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for block in blocks:
        reader.run(block)
    printed = capsys.readouterr().out
    assert "Coordinators each do one thing." in printed
    assert "Current model: claude-sonnet-4-5" in printed
    assert "Context size: 0 messages" in printed
    assert "Total events: 0" in printed
    asked = [request["messages"][-1]["content"] for request in server.requests]
    assert ["Hello, Victor!" in str(content) for content in asked].count(True) == 1
    assert ["Tell me a story" in str(content) for content in asked].count(True) == 1
    assert len(asked) == 5
    assert {request["model"] for request in server.requests} == {"claude-sonnet-4-5"}


def test_the_copy_is_the_whole_guide(guide: Path) -> None:
    """Nothing was left out of the copy: it has the guide's first and last words."""
    text = guide.read_text(encoding="utf-8")
    assert text.startswith("# Coordinator-Based Architecture: Quick Start Guide")
    assert text.rstrip().endswith("**Reading Time:** 4 minutes")
