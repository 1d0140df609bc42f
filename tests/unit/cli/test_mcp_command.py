"""`victor mcp`: servers, their state, and the approval of their tools."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from victor.cli.app import run
from victor.cli.exits import ExitCode

needs_mcp = pytest.mark.skipif(not find_spec("mcp"), reason="pip install 'victor-ai[mcp]'")
pytestmark = [pytest.mark.slow, needs_mcp]

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
    assert "All that it offers is approved." in capsys.readouterr().out
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


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    program = str(PROGRAM.parent / "offering_server.py")
    told = {"notes": {"command": sys.executable, "args": [program]}, "gone": {"command": "/no"}}
    monkeypatch.setenv("VICTOR_MCP_SERVERS", json.dumps(told))
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    return folder


def test_resources_and_prompts_are_listed_as_they_are_typed(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["mcp", "-C", str(project), "resources"]) == ExitCode.DONE
    said = capsys.readouterr()
    assert "@notes:notes://today  What is to be done." in said.out
    assert "@notes:issue://{number}  An issue by its number." in said.out
    assert "gone does not run: there is no program /no" in said.err
    assert run(["mcp", "prompts", "notes"]) == ExitCode.DONE
    assert capsys.readouterr().out == "/notes:review path [style]  Review a file.\n"
    assert run(["mcp", "prompts", "none"]) == ExitCode.USAGE


def test_the_folder_is_taken_before_and_behind_the_command(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["mcp", "approve", "-C", str(project / "none"), "notes"]) == ExitCode.USAGE
    assert "There is no folder" in capsys.readouterr().err
    assert run(["mcp", "-C", str(project / "none"), "approve", "notes"]) == ExitCode.USAGE
    assert run(["mcp", "approve", "-C", str(project), "notes", "--yes"]) == ExitCode.DONE
    asked = capsys.readouterr().out
    assert "Prompt /notes:review path [style]" in asked
    assert "Approved: 3." in asked
    assert run(["mcp"]) == ExitCode.DONE
    assert "resources: 3\n" in capsys.readouterr().out


def test_where_nothing_is_offered_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["mcp", "prompts"]) == ExitCode.DONE
    assert capsys.readouterr().out == "There are none.\n"
    assert run(["mcp", "approve", "none"]) == ExitCode.USAGE


def test_signing_in_is_for_services_that_ask_for_it(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["mcp", "login", "notes"]) == ExitCode.USAGE
    assert "notes is a program: nobody signs in to it" in capsys.readouterr().err
    assert run(["mcp", "login", "none"]) == ExitCode.USAGE
    capsys.readouterr()
    assert run(["mcp", "logout", "notes"]) == ExitCode.DONE
    assert capsys.readouterr().out == "There was none.\n"


def test_signing_in_goes_through_a_browser_and_out_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import webbrowser
    from urllib.request import urlopen

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    notes = tmp_path / "notes"
    notes.touch()
    program = [sys.executable, str(PROGRAM.parent / "guarded_server.py"), str(port), "60"]
    told = {"guarded": {"url": f"http://127.0.0.1:{port}/mcp"}}
    monkeypatch.setenv("VICTOR_MCP_SERVERS", json.dumps(told))
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", lambda url: urlopen(url).read())
    monkeypatch.chdir(tmp_path)
    server = subprocess.Popen([*program, str(notes), "1"], stderr=subprocess.DEVNULL)
    try:
        until_open(port)
        assert run(["mcp"]) == ExitCode.DONE
        assert "run `victor mcp login guarded`" in capsys.readouterr().out
        assert run(["mcp", "login", "guarded"]) == ExitCode.DONE
        said = capsys.readouterr().out
        assert f"Sign in at:\n\n  http://127.0.0.1:{port}/authorize?" in said
        assert "You are signed in to guarded." in said
        assert run(["mcp"]) == ExitCode.DONE
        assert "guarded: running" in capsys.readouterr().out
        assert run(["mcp", "logout", "guarded"]) == ExitCode.DONE
        assert "is forgotten here" in capsys.readouterr().out
    finally:
        server.kill()
        server.wait()


def until_open(port: int) -> None:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError
