from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from victor.errors import ToolError, WorkspaceError
from victor.protocols import Access, ITool, ToolEnvironment, ToolOutput
from victor.tools import document

pytestmark = pytest.mark.anyio

Run = Callable[..., Awaitable[ToolOutput]]


async def test_read_numbers_the_lines_and_says_where_the_end_is(root: Path, run: Run) -> None:
    (root / "a.py").write_text("one\ntwo\n")
    assert (await run("read", path="a.py")).content == (
        "1\tone\n2\ttwo\n[End of a.py. Lines in all: 2.]"
    )


async def test_read_says_how_to_go_on(root: Path, run: Run) -> None:
    (root / "a.py").write_text("".join(f"line {n}\n" for n in range(1, 11)))
    page = (await run("read", path="a.py", offset=3, limit=2)).content
    assert page == (
        "3\tline 3\n4\tline 4\n[There are more lines: go on with offset=5. Lines in all: 10.]"
    )


async def test_read_keeps_below_what_the_model_is_shown(
    root: Path, tools: dict[str, ITool], environment: ToolEnvironment
) -> None:
    (root / "a.txt").write_text("x" * 99 + "\n" + "y" * 99 + "\n" + "z" * 99 + "\n")
    narrow = replace(environment, output_limit=250)
    page = (await tools["read"].run({"path": "a.txt"}, narrow)).content
    assert "go on with offset=3" in page
    assert len(page) <= 350


async def test_read_shows_at_least_one_line_of_the_page(
    root: Path, tools: dict[str, ITool], environment: ToolEnvironment
) -> None:
    (root / "a.txt").write_text("x" * 500 + "\nnext\n")
    page = await tools["read"].run({"path": "a.txt"}, replace(environment, output_limit=100))
    assert page.content.startswith("1\txxx")


async def test_read_cuts_a_line_that_is_too_long(root: Path, run: Run) -> None:
    (root / "a.js").write_text("x" * 5_000)
    assert "[... 3,000 more characters]" in (await run("read", path="a.js")).content


async def test_read_beyond_the_end_tells_how_long_the_file_is(root: Path, run: Run) -> None:
    (root / "a").write_text("one\n")
    assert "has only 1 lines" in (await run("read", path="a", offset=9)).content


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is empty"),
        (b"\x7fELF\0\0\0", "not a text file (7 bytes)"),
        (b"\xef\xbb\xbfone\r\ntwo", "1\tone\n2\ttwo\n[End of a. Lines in all: 2.]"),
        ("é".encode("utf-16"), "1\té\n[End of a.]"),
        (b"caf\xe9\n", "1\tcaf\ufffd\n"),
        (b"a\rb\n", "1\ta\rb\n[End of a. Lines in all: 1.]"),
    ],
)
async def test_read_tells_what_kind_of_file_it_is(
    root: Path, run: Run, data: bytes, told: str
) -> None:
    (root / "a").write_bytes(data)
    assert told in (await run("read", path="a")).content


async def test_read_does_not_count_the_lines_of_a_huge_file(
    root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("victor.tools.files._COUNTED_BYTES", 3)
    (root / "a").write_text("one\ntwo\n")
    assert (await run("read", path="a", limit=1)).content.endswith("offset=2.]")


async def test_read_refuses_a_limit_of_nothing(root: Path, run: Run) -> None:
    (root / "a").write_text("x")
    with pytest.raises(ToolError, match="at least 1"):
        await run("read", path="a", limit=-1)


async def test_read_of_a_secret_through_a_link_is_refused(
    root: Path, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "key").write_text("hunter2")
    (root / "notes").symlink_to(tmp_path / "key")
    with pytest.raises(WorkspaceError) as refusal:
        await run("read", path="notes")
    assert "hunter2" not in str(refusal.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_read_of_a_file_without_permission_is_told(root: Path, run: Run) -> None:
    (root / "a").write_text("x")
    (root / "a").chmod(0)
    with pytest.raises(WorkspaceError, match="cannot be read"):
        await run("read", path="a")


async def test_write_creates_folders_and_shows_what_it_made(root: Path, run: Run) -> None:
    output = await run("write", path="new/deep/a.py", content="one\ntwo")
    assert (root / "new/deep/a.py").read_text() == "one\ntwo"
    assert output.content == "Created new/deep/a.py (2 lines)."
    assert output.display.startswith("--- /dev/null\n+++ b/new/deep/a.py\n")
    assert "+one" in output.display


async def test_write_replaces_and_keeps_permissions(root: Path, run: Run) -> None:
    file = root / "run.sh"
    file.write_text("old\n")
    file.chmod(0o750)
    output = await run("write", path="run.sh", content="new\n")
    assert output.content == "Replaced run.sh (1 lines)."
    assert "-old\n+new" in output.display
    assert stat.S_IMODE(file.stat().st_mode) == 0o750


async def test_a_written_file_has_the_permissions_of_any_other(root: Path, run: Run) -> None:
    (root / "ordinary").touch()
    await run("write", path="a", content="")
    assert (root / "a").stat().st_mode == (root / "ordinary").stat().st_mode


async def test_write_leaves_nothing_beside_the_file(root: Path, run: Run) -> None:
    await run("write", path="a", content="x")
    assert [entry.name for entry in root.iterdir()] == ["a"]


async def test_write_keeps_a_link_and_changes_what_it_leads_to(root: Path, run: Run) -> None:
    (root / "real").write_text("old")
    (root / "link").symlink_to("real")
    await run("write", path="link", content="new")
    assert (root / "link").is_symlink()
    assert (root / "real").read_text() == "new"


async def test_write_over_something_that_is_no_text_shows_no_diff(root: Path, run: Run) -> None:
    (root / "a").write_bytes(b"\0\1")
    assert (await run("write", path="a", content="x")).display == ""


@pytest.mark.parametrize("path", ["../a", "/tmp/a", "folder"])
async def test_write_refuses_what_it_must_not_write(root: Path, run: Run, path: str) -> None:
    (root / "folder").mkdir()
    with pytest.raises(WorkspaceError):
        await run("write", path=path, content="x")


async def test_write_into_a_pipe_is_refused(root: Path, run: Run) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(WorkspaceError):
        await run("write", path="pipe", content="x")
    assert stat.S_ISFIFO((root / "pipe").stat().st_mode)


async def test_write_refuses_half_a_character(root: Path, run: Run) -> None:
    with pytest.raises(ToolError, match="invalid character"):
        await run("write", path="a", content="\ud83d")
    assert not (root / "a").exists()


async def test_a_full_disk_leaves_the_old_content(
    root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a").write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(document.os, "fsync", full)
    with pytest.raises(WorkspaceError, match="No space left on device"):
        await run("write", path="a", content="new")
    assert (root / "a").read_text() == "old"
    assert [entry.name for entry in root.iterdir()] == ["a"]


async def test_a_file_that_is_read_only_stays_as_it_is(
    root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a").write_text("old")
    monkeypatch.setattr(document.os, "access", lambda *_: False)
    with pytest.raises(WorkspaceError, match="read-only"):
        await run("write", path="a", content="new")
    assert (root / "a").read_text() == "old"


@pytest.mark.parametrize("name", ["write", "edit", "shell"])
async def test_nothing_is_changed_where_the_workspace_is_not_writable(
    root: Path, tools: dict[str, ITool], environment: ToolEnvironment, name: str
) -> None:
    (root / "a").write_text("x")
    arguments = {"path": "a", "content": "y", "old": "x", "new": "y", "command": "echo y > a"}
    with pytest.raises(ToolError, match="in this mode"):
        await tools[name].run(arguments, replace(environment, writable=False))
    assert (root / "a").read_text() == "x"


async def test_list_shows_folders_first_and_leaves_out_what_is_ignored(
    root: Path, run: Run
) -> None:
    for name in ("z.py", "a.log", "src/x.py", ".git/config"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("")
    (root / ".gitignore").write_text("*.log\n")
    assert (await run("list")).content.splitlines() == [
        "src/",
        ".gitignore",
        "z.py",
        "[1 ignored by .gitignore are not listed.]",
    ]
    assert (await run("list", path="src")).content == "x.py"


async def test_list_of_an_empty_folder_and_of_a_file(root: Path, run: Run) -> None:
    (root / "d").mkdir()
    (root / "f").write_text("")
    assert (await run("list", path="d")).content == "d is empty."
    with pytest.raises(WorkspaceError):
        await run("list", path="f")


async def test_a_long_list_is_cut(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("victor.tools.files.LISTED", 2)
    for number in range(5):
        (root / f"f{number}").write_text("")
    assert (await run("list")).content.endswith("[3 more; use glob to find some of them.]")


def test_only_what_changes_files_names_paths(
    root: Path, tools: dict[str, ITool], environment: ToolEnvironment
) -> None:
    (root / "link").symlink_to("real")
    arguments = {"path": "link", "pattern": "x", "command": "rm x"}
    changed = {name: tool.paths(arguments, environment) for name, tool in tools.items()}
    assert changed == {
        "read": (),
        "write": (root / "real",),
        "edit": (root / "real",),
        "list": (),
        "glob": (),
        "grep": (),
        "shell": (),
    }
    assert tools["write"].paths({"path": "../x"}, environment) == ()
    assert tools["write"].paths({"path": 7}, environment) == ()


def test_rules_see_where_a_call_leads_and_not_how_it_is_written(
    root: Path, tools: dict[str, ITool], environment: ToolEnvironment
) -> None:
    (root / "link").symlink_to(".git/config")
    for name in ("read", "write", "edit", "list", "glob", "grep"):
        access = tools[name].access  # type: ignore[attr-defined]
        assert access({"path": "./link"}, environment) == Access((".git/config",))
        assert access({"path": "../x"}, environment) == Access(("../x",))
        assert access({"path": ["x"]}, environment) == Access(known=False)
    shell = tools["shell"].access  # type: ignore[attr-defined]
    assert shell({"command": "ls"}, environment) == Access(command="ls")
    assert shell({"command": None}, environment) == Access(known=False)


def test_a_diff_is_capped_and_never_takes_long() -> None:
    before = "".join(f"{n}\n" for n in range(2_000))
    after = "".join(f"{n}!\n" for n in range(2_000))
    lines = document.unified_diff(before, after, "a").splitlines()
    assert len(lines) == document.DIFF_LINES + 1
    assert lines[-1].startswith("... ")
    assert "too long for a diff" in document.unified_diff("a\n" * 15_000, "b\n" * 15_000, "a")
    assert document.unified_diff("a\r\n", "a\n", "a") == "a: only line ends changed"
    assert document.unified_diff("a", "a", "a") == ""
