"""What is protected of a workspace: found by looking at files, and never by running git."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from victor.protocols import Launch, Network, SandboxPolicy
from victor.safety.boundaries import Boundaries, boundaries, covered
from victor.safety.bubblewrap import Bubblewrap
from victor.safety.landlock import Landlock, changeable, readable
from victor.safety.rooms import PrivateFolder, Rooms


def _repository(folder: Path, config: str = "") -> Path:
    (folder / "hooks").mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "config").write_text(config)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home/work").mkdir(parents=True)
    return tmp_path / "home"


def _found(home: Path, *, protected: tuple[Path, ...] = ()) -> Boundaries:
    policy = SandboxPolicy(writable=(home / "work",), protected=protected)
    return boundaries(policy, home, (home / ".ssh",))


def _names(home: Path, paths: tuple[Path, ...]) -> set[str]:
    dots = {path.relative_to(home / "work").as_posix() for path in paths}
    return {name for name in dots if "git" in name or "/" in name or name[0] != "."}


def test_a_folder_without_a_repository_gets_none(home: Path) -> None:
    found = _found(home)
    assert home / "work/.git" in found.protected
    assert home / "work/.mcp.json" in found.protected
    assert found.pinned == found.frozen == found.hidden == ()


def test_of_a_repository_what_decides_is_protected_and_the_rest_is_not(home: Path) -> None:
    git = _repository(home / "work/.git")
    found = _found(home)
    assert _names(home, found.protected) == {
        *(".git/hooks", ".git/config", ".git/commondir", ".gitconfig"),
    }
    assert found.pinned == (git,)


def test_submodules_worktrees_and_nested_repositories_are_found(home: Path) -> None:
    git = _repository(home / "work/.git", "[extensions]\n\tworktreeConfig = true\n")
    _repository(git / "modules/lib/inner")
    (git / "worktrees/topic").mkdir(parents=True)
    (git / "worktrees/topic/commondir").write_text("../..\n")
    (git / "worktrees/topic/gitdir").write_text("/elsewhere/.git\n")
    _repository(home / "work/vendor/lib/.git")
    (home / "work/sub").mkdir()
    (home / "work/sub/.git").write_text("gitdir: ../.git/modules/lib/inner\n")
    (home / "work/sub/.vscode").mkdir()
    (home / "work/node_modules/x").mkdir(parents=True)
    names = _names(home, _found(home).protected)
    assert {
        *(".git/config.worktree", ".git/modules/lib/inner/hooks", ".git/modules/lib/inner/config"),
        *(".git/worktrees/topic/commondir", ".git/worktrees/topic/gitdir"),
        *("vendor/lib/.git/hooks", "vendor/lib/.git/config", "sub/.git", "sub/.vscode"),
    } <= names


def test_a_git_file_that_leads_out_is_protected_itself(home: Path) -> None:
    _repository(home / "real")
    (home / "work/.git").write_text("gitdir: ../real\n")
    assert _names(home, _found(home).protected) == {".git", ".gitconfig"}


def test_a_folder_that_git_would_not_use_is_protected_as_a_whole(home: Path) -> None:
    (home / "work/.git").mkdir()
    assert home / "work/.git" in _found(home).protected


def test_hooks_and_files_that_a_configuration_names_are_protected(home: Path) -> None:
    _repository(home / "work/.git", '[core]\n\thooksPath = "tools/hooks"\n[include] path=../more\n')
    (home / ".gitconfig").write_text("[core]\n\thooksPath = .husky # for all\n")
    names = _names(home, _found(home).protected)
    assert {"tools", ".husky", "more"} & names == {"tools", "more"}
    assert home / "work/.husky" in _found(home).protected


def test_links_freeze_their_folder_and_protect_what_they_lead_to(home: Path) -> None:
    (home / "work/src/editor").mkdir(parents=True)
    (home / "work/.vscode").symlink_to("src/editor")
    (home / "work/.idea").symlink_to("/etc")
    (home / "work/.zed").symlink_to(".zed")
    found = _found(home)
    assert found.frozen == (home / "work",)
    assert home / "work/src/editor" in found.protected
    assert home / "work/src" in found.pinned


def test_what_is_part_of_something_protected_is_not_opened_again(home: Path) -> None:
    _repository(home / "work/sub/lib/.git")
    found = _found(home, protected=(home / "work/sub",))
    assert home / "work/sub" in found.protected
    assert not [path for path in found.pinned if path.is_relative_to(home / "work/sub")]


def test_what_is_hidden_cannot_be_moved_with_its_folders(home: Path) -> None:
    keys = home / "work/deep/keys"
    keys.mkdir(parents=True)
    (keys / "a.pem").touch()
    policy = SandboxPolicy(writable=(home / "work",), hidden=(keys / "a.pem", home / "notes"))
    found = boundaries(policy, home, ())
    assert found.hidden == (keys / "a.pem",)
    assert set(found.pinned) == {keys, keys.parent}


def test_secrets_that_do_not_exist_cannot_be_made_where_home_is_writable(home: Path) -> None:
    policy = SandboxPolicy(writable=(home,))
    assert home / ".ssh" in boundaries(policy, home, (home / ".ssh",)).protected
    (home / ".ssh").mkdir()
    found = boundaries(policy, home, (home / ".ssh", home))
    assert found.hidden == (home / ".ssh",)


def test_trees_are_covered_around_their_holes(tmp_path: Path) -> None:
    for name in ("a/b/c", "a/d", "e"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to("e")
    holes = (tmp_path / "a/b/c", tmp_path / "nothing", Path("/elsewhere"))
    assert set(covered(tmp_path, holes)) == {tmp_path / "a/d", tmp_path / "e"}
    assert list(covered(tmp_path, (Path("/elsewhere"),))) == [tmp_path]
    assert list(covered(tmp_path / "gone", (tmp_path / "gone/hole",))) == []


def test_landlock_allows_only_what_lies_beside_what_is_protected(home: Path) -> None:
    _repository(home / "work/.git")
    (home / "work/.git/objects").mkdir()
    (home / "work/src").mkdir()
    (home / ".ssh").mkdir()
    found = _found(home)
    allowed = set(changeable(found))
    assert home / "work/src" in allowed
    assert home / "work/.git/objects" in allowed
    assert not allowed & {home / "work", home / "work/.git", home / "work/.git/config"}
    seen = set(readable(found))
    assert home / "work" in seen
    assert not seen & {home, home / ".ssh", Path("/dev"), Path("/")}


def test_where_a_kind_cannot_be_tried_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert Landlock().missing() == Bubblewrap("x").missing() == "it is for Linux only"
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert "riscv64" in Landlock().missing()
    assert "riscv64" in Bubblewrap("x").missing()
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    monkeypatch.setattr("victor.safety.launcher.version", lambda: 2)
    assert "version 2" in Landlock().missing()
    monkeypatch.setattr("sys.executable", "")
    assert "no Python" in Landlock().missing()


def test_bubblewrap_without_proc_mounts_none(home: Path, tmp_path: Path) -> None:
    private = PrivateFolder()
    launch = Launch(("true",), home / "work", {"PATH": "/bin", "A": "1"})
    hidden = Boundaries(writable=(home / "work",), hidden=(home,))
    with Rooms(private) as rooms:
        start = Bubblewrap("/bin/bwrap", proc=False).start(launch, hidden, rooms, Network.ALL, None)
        told = os.pread(int(start.argv[2]), 100_000, 0).split(b"\0")
    private.remove()
    assert start.argv[-2:] == ("--", "true")
    assert b"--proc" not in told
    assert b"--unshare-net" not in told
    assert told[told.index(b"A") - 1 : told.index(b"A") + 2] == [b"--setenv", b"A", b"1"]
    # The home is hidden, and the workspace in it is seen all the same.
    assert [b"--tmpfs", os.fsencode(home)] == told[told.index(os.fsencode(home)) - 1 :][:2]
