from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from victor.errors import WorkspaceError
from victor.protocols import ToolOutput

pytestmark = pytest.mark.anyio

Run = Callable[..., Awaitable[ToolOutput]]


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
    monkeypatch.setattr("victor.tools.listing.LISTED", 2)
    for number in range(5):
        (root / f"f{number}").write_text("")
    assert (await run("list")).content.endswith("[3 more; use glob to find some of them.]")
