from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from victor.cli.approval import TerminalApprover
from victor.cli.change_preview import change_lines
from victor.messages import ToolCall
from victor.protocols import Approval, Ask


def write(path: object, content: object, **more: object) -> ToolCall:
    return ToolCall("1", "write", {"path": path, "content": content, **more})


def shown(call: ToolCall, folder: Path) -> list[str]:
    return [line.plain.removeprefix("    ") for line in change_lines(call, folder)]


def test_only_what_changes_of_a_file_is_shown(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("".join(f"line {n}\n" for n in range(100)))
    after = "".join(f"{'LINE' if n == 50 else 'line'} {n}\n" for n in range(100))
    lines = shown(write("a.py", after), tmp_path)
    assert lines[:2] == ["path: a.py", "@@ -48,7 +48,7 @@"]
    assert [line for line in lines if line[0] in "+-"] == ["-line 50", "+LINE 50"]


def test_nothing_is_hidden_in_the_difference(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    lines = shown(write("a.py", "x = 1\u2028import os\u202e\x1b[2K\n"), tmp_path)
    added = next(line for line in lines if line.startswith("+"))
    assert "import os" in added
    assert "\x1b" not in added
    assert "\u202e" not in added
    assert "\u2028" not in added


def test_a_file_that_stays_as_it_is_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\r\n")
    assert shown(write("a.txt", "one\ntwo\n"), tmp_path)[1:] == ["It would stay as it is."]
    assert shown(write("a.txt", "one\ntwo"), tmp_path)[-1] == "-"


@pytest.mark.parametrize(
    "call",
    [
        write("missing.txt", "x"),
        write("link", "x"),
        write("../outside", "x"),
        write("/etc/hostname", "x"),
        write("binary", "x"),
        write("large", "x"),
        write("a.txt", "x", mode="w"),
        write(3, "x"),
        write("a.txt", None),
        write("a\0b", "x"),
        ToolCall("1", "other", {"path": "a.txt", "content": "x"}),
        ToolCall("1", "write", {"path": "a.txt", "content": "x"}, invalid="{"),
    ],
    ids=range(12),
)
def test_where_it_cannot_be_told_the_arguments_are_left_to_tell(
    call: ToolCall, tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (tmp_path / "outside").write_text("secret")
    (folder / "a.txt").write_text("a")
    (folder / "link").symlink_to(tmp_path / "outside")
    (folder / "binary").write_bytes(b"\xff\xfe\x00")
    (folder / "large").write_text("x" * 200_001)
    assert shown(call, folder) == []


@pytest.mark.anyio
async def test_a_person_is_shown_it_in_the_question(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old\n")
    paper = io.StringIO()
    console = Console(file=paper, width=60, color_system=None, highlight=False, markup=False)

    async def yes(ask: Callable[[], None]) -> str:
        ask()
        return "y"

    approver = TerminalApprover(console, read_line=yes, folder=tmp_path)
    answer = await approver.decide(write("a.txt", "new\n"), Ask("Let write change a.txt?", ""))
    assert answer is Approval.ONCE
    assert "    -old\n    +new\n" in paper.getvalue()
