"""`victor mcp`: servers, their state, and the approval of their tools."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from victor.cli.app import run
from victor.cli.exits import ExitCode

pytest.importorskip("mcp", reason="pip install 'victor-ai[mcp]'")
pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parents[1] / "mcp/programs/odd_server.py"


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    args = [str(PROGRAM), "plain", str(tmp_path / "file")]
    told = {"odd": {"command": sys.executable, "args": args}, "gone": {"command": "/no/such"}}
    monkeypatch.setenv("VICTOR_MCP_SERVERS", json.dumps(told))


def test_servers_are_listed_with_their_state_and_tools(
    servers: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["mcp"]) == ExitCode.DONE
    said = capsys.readouterr().out
    assert "odd: running" in said
    assert "act: A tool.  [not approved]" in said
    assert "victor mcp approve odd" in said
    assert "gone: failed (there is no program /no/such)" in said


def test_tools_are_approved_after_they_were_shown(
    servers: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["mcp", "approve", "odd"]) != ExitCode.DONE  # there is nobody to answer
    capsys.readouterr()
    assert run(["mcp", "approve", "odd", "--yes"]) == ExitCode.DONE
    assert "A tool." in capsys.readouterr().out
    assert run(["mcp", "approve", "odd"]) == ExitCode.DONE
    assert "All of its tools are approved." in capsys.readouterr().out
    assert run(["mcp", "--json"]) == ExitCode.DONE
    odd, gone = json.loads(capsys.readouterr().out)
    assert odd["tools"] == [{"name": "act", "description": "A tool.", "approved": True}]
    assert gone["failure"]


def test_what_cannot_be_approved_is_said(servers: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["mcp", "approve", "gone"]) == ExitCode.FAILED
    assert "does not run" in capsys.readouterr().err
    assert run(["mcp", "approve", "none"]) == ExitCode.USAGE
    assert "Known: gone, odd" in capsys.readouterr().err


def test_without_servers_it_says_how_to_have_some(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["mcp"]) == ExitCode.DONE
    assert "docs/mcp.md" in capsys.readouterr().out
    assert run(["mcp", "--json"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out) == []
