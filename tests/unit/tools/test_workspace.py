from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from victor.errors import ToolError, WorkspaceError
from victor.messages import JsonObject
from victor.protocols import ToolEnvironment
from victor.tools import builtin_tools
from victor.tools.workspace import Workspace

pytestmark = pytest.mark.anyio


def nothing(_name: str) -> bool:
    """Hide no file."""
    return False


@pytest.mark.parametrize(
    "path",
    ["../secret", "a/../../secret", "..", "/etc/passwd", "~/secret", "~root", "", "a\0b", "a/.."],
)
def test_what_leads_outside_is_refused(root: Path, path: str) -> None:
    with pytest.raises(WorkspaceError):
        Workspace(root).resolve(path)


def test_a_refusal_names_the_path_and_the_workspace(root: Path) -> None:
    with pytest.raises(WorkspaceError, match="/etc/passwd") as refusal:
        Workspace(root).resolve("/etc/passwd")
    assert str(root) in str(refusal.value)


def test_a_path_inside_may_be_absolute(root: Path) -> None:
    assert Workspace(root).resolve(str(root / "a" / "b.py")) == root / "a" / "b.py"


def test_a_link_that_leads_outside_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    for path in ("link", "folder/secret", "folder/none"):
        with pytest.raises(WorkspaceError, match="outside"):
            Workspace(root).resolve(path)


def test_a_link_that_stays_inside_is_followed(root: Path) -> None:
    (root / "real").mkdir()
    (root / "link").symlink_to(root / "real")
    assert Workspace(root).resolve("link/x.py") == root / "real" / "x.py"


def test_a_neighbour_whose_name_begins_alike_is_outside(root: Path) -> None:
    neighbour = root.with_name("project-2")
    neighbour.mkdir()
    with pytest.raises(WorkspaceError):
        Workspace(root).resolve(str(neighbour / "x"))


def test_a_loop_of_links_is_refused_and_does_not_hang(root: Path) -> None:
    (root / "a").symlink_to(root / "b")
    (root / "b").symlink_to(root / "a")
    with pytest.raises(WorkspaceError):
        Workspace(root).file("a")


def test_a_root_that_is_a_link_is_resolved_itself(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    (root / "a").write_text("x")
    assert Workspace(tmp_path / "link").file("a") == root / "a"


def test_readable_folders_may_be_read_and_not_written(root: Path, tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    spill.mkdir()
    (spill / "x.txt").write_text("x")
    workspace = Workspace(root, (spill,))
    assert workspace.file(str(spill / "x.txt")) == (spill / "x.txt").resolve()
    with pytest.raises(WorkspaceError):
        workspace.resolve(str(spill / "x.txt"))


def test_a_missing_file_comes_with_names_near_it(root: Path) -> None:
    (root / "src").mkdir()
    (root / "src" / "parser.py").write_text("x")
    (root / "src" / "lexer.py").write_text("x")
    with pytest.raises(WorkspaceError, match=r"src/parser\.py"):
        Workspace(root).file("src/parsr.py", nothing)
    with pytest.raises(WorkspaceError, match=r"src/lexer\.py"):
        Workspace(root).file("lexer.py", nothing)


def test_no_name_is_near_that_is_hidden(root: Path) -> None:
    (root / "keys").mkdir()
    for name in ("keys/secret.env", "keys/secret.txt", "secret.en"):
        (root / name).write_text("x")
    with pytest.raises(WorkspaceError) as refusal:
        Workspace(root).file("keys/secret.en", lambda name: name.endswith((".env", ".en")))
    assert str(refusal.value).endswith(" Near names: keys/secret.txt.")
    with pytest.raises(WorkspaceError, match=r"in the workspace\.$"):
        Workspace(root).file("keys/secret.tx")


async def test_what_is_denied_is_no_suggestion_of_any_tool(root: Path) -> None:
    (root / "secret.env").write_text("x")
    environment = ToolEnvironment(root, hidden=(re.compile(r".*\.env"),))
    calls: tuple[tuple[str, JsonObject], ...] = (
        ("read", {"path": "secret.en"}),
        ("edit", {"path": "secret.en", "old": "a", "new": "b"}),
        ("list", {"path": "secret.en"}),
        ("glob", {"path": "secret.en", "pattern": "*"}),
        ("grep", {"path": "secret.en", "pattern": "x"}),
        ("apply_patch", {"patch": "*** Begin Patch\n*** Delete File: secret.en\n*** End Patch"}),
    )
    tools = {tool.spec.name: tool for tool in builtin_tools(root)}
    for name, arguments in calls:
        with pytest.raises(ToolError, match=r"There is no 'secret\.en'") as refusal:
            await tools[name].run(arguments, environment)
        assert "env" not in str(refusal.value)


def test_a_missing_folder_is_told(root: Path) -> None:
    with pytest.raises(WorkspaceError, match="folder 'no' does not exist"):
        Workspace(root).file("no/such.file", nothing)
    with pytest.raises(WorkspaceError, match=r"There is no 'zzz' in the workspace\.$"):
        Workspace(root).file("zzz", nothing)


def test_a_folder_is_no_file_and_a_file_no_folder(root: Path) -> None:
    (root / "d").mkdir()
    (root / "f").write_text("")
    workspace = Workspace(root)
    with pytest.raises(WorkspaceError, match="Use list"):
        workspace.file("d")
    with pytest.raises(WorkspaceError, match="not a folder"):
        workspace.folder("f")


def test_a_pipe_is_not_opened(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(WorkspaceError, match="no regular file"):
        Workspace(root).file("pipe")


def test_a_name_that_is_too_long_is_refused(root: Path) -> None:
    with pytest.raises(WorkspaceError):
        Workspace(root).existing("a" * 5_000)


def test_files_are_walked_by_name_without_links_and_ignored_ones(root: Path) -> None:
    for name in ("b.py", "a/z.py", "a/skip.log", "build/out.py", ".git/config", ".hidden"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")
    (root / "a" / "link.py").symlink_to(root / "b.py")
    (root / ".gitignore").write_text("# what is made\n/build/\n*.log\n\n")
    workspace = Workspace(root)
    names = [workspace.name(file) for file in workspace.files(root)]
    assert names == [".gitignore", ".hidden", "a/z.py", "b.py"]


def test_a_deeper_gitignore_wins_and_a_repository_inside_has_its_own(root: Path) -> None:
    for name in ("a/keep.log", "a/drop.log", "vendor/x.log", "x.log"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")
    (root / ".gitignore").write_text("*.log\n")
    (root / "a" / ".gitignore").write_text("!keep.log\n")
    (root / "vendor" / ".git").mkdir()
    workspace = Workspace(root)
    names = [workspace.name(file) for file in workspace.files(root)]
    assert names == [".gitignore", "a/.gitignore", "a/keep.log", "vendor/x.log"]


def test_rules_above_the_workspace_hold_up_to_the_top_of_the_repository(root: Path) -> None:
    (root / ".git").mkdir()
    (root / ".gitignore").write_text("/part/made/\n")
    for name in ("part/made/x.py", "part/y.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    workspace = Workspace(root / "part")
    assert [workspace.name(file) for file in workspace.files(workspace.root)] == ["y.py"]


def test_a_folder_that_cannot_be_read_is_skipped(root: Path) -> None:
    workspace = Workspace(root)
    assert list(workspace.files(root / "none")) == []


def test_what_is_outside_is_called_by_its_whole_name(root: Path, tmp_path: Path) -> None:
    workspace = Workspace(root)
    assert workspace.name(root / "a" / "b") == "a/b"
    assert workspace.name(tmp_path / "x") == str(tmp_path / "x")


def test_victors_own_folders_are_in_no_workspace_but_for_what_may_be_read(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = root / ".config" / "victor"
    (own / "outputs").mkdir(parents=True)
    (own / "outputs" / "rest.txt").write_text("x")
    (own / "config.toml").write_text("approve = 'ask'")
    (root / "link").symlink_to(own / "config.toml")
    monkeypatch.setenv("VICTOR_HOME", str(own))
    workspace = Workspace(root, (own / "outputs",))
    for path in (".config/victor/config.toml", ".config/victor", "link", ".config/victor/new"):
        for resolve in (workspace.resolve, workspace.resolve_readable):
            with pytest.raises(WorkspaceError, match="outside"):
                resolve(path)
    rest = ".config/victor/outputs/rest.txt"
    assert workspace.resolve_readable(rest) == root / rest
    with pytest.raises(WorkspaceError, match="outside"):
        workspace.resolve(rest)
    assert workspace.resolve(".config/other") == root / ".config" / "other"
