"""Places held for what must not come into being."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from victor.safety.placeholders import Placeholders
from victor.safety.sandbox import tidy


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work/.git").mkdir(parents=True)
    return tmp_path / "work"


def test_a_place_is_held_by_what_git_does_not_see(tmp_path: Path, work: Path) -> None:
    places = Placeholders(tmp_path / "lists")
    (work / "there").write_text("mine")
    paths = (work / ".mcp.json", work / ".git/commondir", work / "there")
    held = places.hold(paths)
    assert held == paths[:2]
    assert (work / ".mcp.json").is_dir()
    assert (work / ".git/commondir").read_text() == ".\n"
    places.release(held)
    assert sorted(path.name for path in work.iterdir()) == [".git", "there"]
    assert not list((work / ".git").iterdir())
    assert [path.name for path in (tmp_path / "lists").iterdir()] == ["lock"]


def test_it_is_held_until_the_last_one_lets_go(tmp_path: Path, work: Path) -> None:
    places, others = Placeholders(tmp_path / "lists"), Placeholders(tmp_path / "lists")
    path = work / ".envrc"
    first, second = places.hold((path,)), places.hold((path,))
    third = others.hold((path,))
    assert first == second == third == (path,)
    places.release(first)
    places.release(second)
    assert path.is_dir()
    others.release(third)
    assert not path.exists()


def test_what_came_into_a_place_stays(tmp_path: Path, work: Path) -> None:
    places = Placeholders(tmp_path / "lists")
    held = places.hold((work / ".vscode", work / ".git/commondir"))
    (work / ".vscode/mine").write_text("x")
    (work / ".git/commondir").write_text("elsewhere")
    places.release(held)
    assert (work / ".vscode/mine").exists()
    assert (work / ".git/commondir").read_text() == "elsewhere"


def test_nothing_is_made_through_a_link(tmp_path: Path, work: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (work / "link").symlink_to(tmp_path / "elsewhere")
    places = Placeholders(tmp_path / "lists")
    with pytest.raises(OSError, match="Not a directory"):
        places.hold((work / ".idea", work / "link/.idea"))
    assert not list((tmp_path / "elsewhere").iterdir())
    assert not (work / ".idea").exists()
    assert places.hold(()) == ()
    places.release(())


@pytest.mark.slow
def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path, work: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path;"
        "from victor.safety.placeholders import Placeholders;"
        "Placeholders(Path(sys.argv[1])).hold(tuple(map(Path, sys.argv[2:])));"
        "os.kill(os.getpid(), 9)"
    )
    paths = (work / ".mcp.json", work / ".git/commondir")
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "lists"), *map(str, paths)], check=False
    )
    assert all(path.exists() for path in paths)
    (tmp_path / "lists/broken.held").write_text("{")
    places = Placeholders(tmp_path / "lists")
    places.release(places.hold((work / ".idea",)))
    assert not any(path.exists() for path in paths)
    assert [path.name for path in (tmp_path / "lists").iterdir()] == ["lock"]


def test_what_a_killed_process_left_is_removed_without_a_command(
    tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VICTOR_HOME", str(tmp_path / "home"))
    lists = tmp_path / "home/sandbox"
    tidy()
    assert not lists.exists()
    left = Placeholders(lists)
    left.hold((work / ".vscode",))
    alive = Placeholders(lists)
    held = alive.hold((work / ".idea",))
    left.close()  # as the end of a process does: the list stays, unlocked

    tidy()

    assert [path.name for path in work.iterdir()] in ([".git", ".idea"], [".idea", ".git"])
    alive.release(held)
