from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from victor.errors import ToolError, WorkspaceError
from victor.protocols import ToolOutput
from victor.tools import changes

pytestmark = pytest.mark.anyio

Run = Callable[..., Awaitable[ToolOutput]]


async def test_write_creates_folders_and_shows_what_it_made(root: Path, run: Run) -> None:
    output = await run("write", path="new/deep/a.py", content="one\ntwo")
    assert (root / "new/deep/a.py").read_text() == "one\ntwo"
    assert output.content == "Created new/deep/a.py (2 lines)."
    assert output.display.startswith("--- /dev/null\n+++ b/new/deep/a.py\n")
    assert "+one" in output.display


async def test_write_replaces_and_keeps_permissions(root: Path, change: Run) -> None:
    file = root / "run.sh"
    file.write_text("old\n")
    file.chmod(0o750)
    output = await change("write", path="run.sh", content="new\n")
    assert output.content == "Replaced run.sh (1 line)."
    assert "-old\n+new" in output.display
    assert stat.S_IMODE(file.stat().st_mode) == 0o750


async def test_a_written_file_has_the_permissions_of_any_other(root: Path, run: Run) -> None:
    (root / "ordinary").touch()
    await run("write", path="a", content="")
    assert (root / "a").stat().st_mode == (root / "ordinary").stat().st_mode


async def test_write_leaves_nothing_beside_the_file(root: Path, run: Run) -> None:
    await run("write", path="a", content="x")
    assert [entry.name for entry in root.iterdir()] == ["a"]


async def test_write_keeps_a_link_and_changes_what_it_leads_to(root: Path, change: Run) -> None:
    (root / "real").write_text("old")
    (root / "link").symlink_to("real")
    await change("write", path="link", content="new")
    assert (root / "link").is_symlink()
    assert (root / "real").read_text() == "new"


async def test_write_over_something_that_is_no_text_shows_no_diff(root: Path, change: Run) -> None:
    (root / "a").write_bytes(b"\0\1")
    assert (await change("write", path="a", content="x")).display == ""


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
    root: Path, change: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a").write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(changes.os, "fsync", full)
    with pytest.raises(WorkspaceError, match="No space left on device"):
        await change("write", path="a", content="new")
    assert (root / "a").read_text() == "old"
    assert [entry.name for entry in root.iterdir()] == ["a"]


async def test_a_file_that_is_read_only_stays_as_it_is(
    root: Path, change: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a").write_text("old")
    monkeypatch.setattr(changes.os, "access", lambda *_: False)
    with pytest.raises(WorkspaceError, match="read-only"):
        await change("write", path="a", content="new")
    assert (root / "a").read_text() == "old"


async def test_a_file_is_not_replaced_before_it_was_read(root: Path, run: Run) -> None:
    (root / "a").write_text("old\n")
    with pytest.raises(ToolError, match=r"^a was not read yet; nothing was changed\. Read"):
        await run("write", path="a", content="new\n")
    assert (root / "a").read_text() == "old\n"
    await run("read", path="a", limit=1)
    await run("write", path="a", content="new\n")
    await run("write", path="a", content="newer\n")
    assert (root / "a").read_text() == "newer\n"


async def test_with_an_empty_file_nothing_is_lost(root: Path, run: Run) -> None:
    (root / "a").touch()
    await run("write", path="a", content="new\n")
    assert (root / "a").read_text() == "new\n"


async def test_a_file_that_was_read_and_emptied_since_is_read_again(root: Path, run: Run) -> None:
    (root / "a").write_text("old\n")
    await run("read", path="a")
    (root / "a").write_text("")
    with pytest.raises(ToolError, match="has changed since it was read"):
        await run("write", path="a", content="new\n")
