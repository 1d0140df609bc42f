"""The git tool: what it shows and commits, and that a repository's configuration runs nothing."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from victor.errors import ToolError, WorkspaceError
from victor.messages import Effect
from victor.protocols import Access, ToolEnvironment, ToolOutput
from victor.tools import fit_arguments
from victor.tools.git import Git
from victor.tools.workspace import Workspace

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

Run = Callable[..., Awaitable[ToolOutput]]


def git(root: Path, *words: str) -> None:
    names = {
        f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    subprocess.run(
        ["git", *words], cwd=root, check=True, capture_output=True, env=os.environ | names
    )


@pytest.fixture
def repository(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\nname = Ann\nemail = ann@example.org\n")
    monkeypatch.setenv("HOME", str(home))
    git(root, "init", "-q", "-b", "main")
    (root / "a.py").write_text("one\ntwo\n")
    (root / "secret.env").write_text("KEY=1\n")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "First")
    return root


@pytest.fixture
def tool(root: Path) -> Git:
    return Git(Workspace(root))


@pytest.fixture
def ask(tool: Git, environment: ToolEnvironment) -> Run:
    async def ask(command: str, **arguments: object) -> ToolOutput:
        given = fit_arguments(tool.spec, {"command": command, **arguments})
        return await tool.run(given, environment)

    return ask


async def test_git_tells_what_there_is(repository: Path, ask: Run) -> None:
    assert (await ask("status")).content == "## main"
    (repository / "a.py").write_text("one\n2\n")
    (repository / "new").write_text("x\n")
    assert (await ask("status")).content == "## main\n M a.py\n?? new"
    assert "-two\n+2" in (await ask("diff")).content
    assert (await ask("diff", staged=True)).content == "No differences."
    assert (await ask("diff", paths=["new"])).content == "No differences."
    assert (await ask("log")).content.endswith("x: First")
    assert "+KEY=1" in (await ask("show")).content
    assert "two" in (await ask("blame", paths=["a.py"], lines="2,2", revision="HEAD")).content


async def test_a_commit_takes_what_is_named_and_nothing_else(repository: Path, ask: Run) -> None:
    for name in ("a.py", "b.py", "c.py"):
        (repository / name).write_text("changed\n")
    assert (
        "2 files changed" in (await ask("commit", message="Second", paths=["a.py", "b.py"])).content
    )
    assert (await ask("status")).content == "## main\n?? c.py"
    assert "Ann: Second" in (await ask("log", limit=1)).content


@pytest.mark.parametrize(
    ("command", "arguments", "cause"),
    [
        ("commit", {"message": " ", "paths": ["a.py"]}, "wants a message"),
        ("commit", {"message": "x"}, "wants paths"),
        ("commit", {"message": "x", "paths": ["none"]}, "did not match any file"),
        ("blame", {}, "wants one file"),
        ("blame", {"paths": ["a.py"], "lines": ":f:a"}, "two numbers"),
        ("diff", {"revision": "--output=x"}, "is no revision"),
        ("log", {"revision": "nothing"}, "git log failed"),
        ("push", {}, "must be one of"),
    ],
)
async def test_what_means_nothing_is_refused(
    repository: Path, ask: Run, command: str, arguments: dict[str, object], cause: str
) -> None:
    with pytest.raises(ToolError, match=cause):
        await ask(command, **arguments)


async def test_paths_stay_inside_and_are_meant_literally(repository: Path, ask: Run) -> None:
    for path in ("../x", "/etc/passwd"):
        with pytest.raises(WorkspaceError):
            await ask("diff", paths=[path])
    (repository / "a.py").write_text("changed\n")
    assert (await ask("diff", paths=[":(top)*"])).content == "No differences."


async def test_what_rules_hide_is_in_no_diff(
    repository: Path, tool: Git, environment: ToolEnvironment
) -> None:
    hiding = replace(environment, hidden=(re.compile(r".*\.env"),))
    (repository / "secret.env").write_text("KEY=2\n")
    (repository / "a.py").write_text("changed\n")
    for command in ("diff", "show"):
        text = (await tool.run({"command": command}, hiding)).content
        assert "KEY" not in text
        assert "a.py" in text
        assert "1 files that a rule hides" in text
    with pytest.raises(ToolError, match="A rule keeps"):
        await tool.run({"command": "blame", "paths": ["secret.env"]}, hiding)


async def test_what_rules_hide_is_shown_by_no_other_name_of_it(
    repository: Path, tool: Git, environment: ToolEnvironment
) -> None:
    hiding = replace(environment, hidden=(re.compile(r".*\.env"),))
    tree = subprocess.run(
        ["git", "rev-parse", "HEAD^{tree}"], cwd=repository, check=True, capture_output=True
    ).stdout.decode()
    blobs = ("HEAD:secret.env", ":secret.env", ":0:secret.env", tree.strip())
    for revision in (*blobs, "HEAD:secret.env..HEAD:a.py"):
        for command in ("show", "diff"):
            with pytest.raises(ToolError, match="is no commit"):
                await tool.run({"command": command, "revision": revision}, hiding)
    assert "KEY" in (await tool.run({"command": "show", "revision": blobs[0]}, environment)).content


async def test_what_rules_hide_is_in_no_commit_of_a_tag_or_a_range(
    repository: Path, tool: Git, environment: ToolEnvironment
) -> None:
    hiding = replace(environment, hidden=(re.compile(r".*\.env"),))
    git(repository, "tag", "-a", "v1", "-m", "first")
    for number in (2, 3):
        (repository / "secret.env").write_text(f"KEY={number}\n")
        (repository / "a.py").write_text(f"new {number}\n")
        git(repository, "commit", "-q", "-a", "-m", "Next")
    for command, revision in (
        *(("show", name) for name in ("v1", "v1..HEAD", "v1...HEAD", "HEAD~1")),
        *(("diff", name) for name in ("v1", "v1..HEAD", "v1...HEAD", "HEAD~1")),
    ):
        text = (await tool.run({"command": command, "revision": revision}, hiding)).content
        assert "KEY" not in text
        assert "a.py" in text
        assert "a rule hides are left out" in text


async def test_nothing_that_the_configuration_names_is_run(repository: Path, ask: Run) -> None:
    trap = repository.parent / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {repository.parent}/sprung\ncat\n")
    trap.chmod(0o755)
    keys = (
        *("core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.askPass"),
        *("diff.external", "diff.t.command", "diff.t.textconv", "interactive.diffFilter"),
        *("filter.t.clean", "filter.t.smudge", "filter.t.process", "filter.a=b.clean"),
        *("gpg.program", "merge.t.driver"),
    )
    (repository / ".gitattributes").write_text("*.py diff=t filter=t merge=t\n*.txt filter=a=b\n")
    (repository / "b.txt").write_text("b\n")
    for key in keys:
        git(repository, "config", key, str(trap))
    git(repository, "config", "commit.gpgSign", "true")
    git(repository, "config", "log.showSignature", "true")
    git(repository, "config", "extensions.worktreeConfig", "true")
    (repository / ".git/config.worktree").write_text(f'[filter "w"]\n\tclean = {trap}\n')
    hooks = repository / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for hook in (
        "pre-commit",
        "commit-msg",
        "post-commit",
        "post-index-change",
        "prepare-commit-msg",
    ):
        (hooks / hook).write_bytes(trap.read_bytes())
        (hooks / hook).chmod(0o755)
    (repository / "a.py").write_text("changed\n")
    for command, arguments in (
        ("status", {}),
        ("diff", {}),
        ("log", {}),
        ("show", {}),
        ("blame", {"paths": ["a.py"]}),
    ):
        await ask(command, **arguments)
    with pytest.raises(ToolError, match="passes files through programs"):
        await ask("commit", message="x", paths=["a.py"])
    for name in ("t", "a=b"):
        git(repository, "config", "--remove-section", f"filter.{name}")
    (repository / ".git/config.worktree").unlink()
    await ask("commit", message="x", paths=["a.py"])
    assert not (repository.parent / "sprung").exists()
    git(repository, "status")
    assert (repository.parent / "sprung").exists(), "the trap is one"


async def test_looking_changes_not_one_byte(repository: Path, ask: Run) -> None:
    (repository / "a.py").touch()
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}
    for command in ("status", "diff", "log", "show"):
        await ask(command)
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("kind", ["none", "file", "link", "commondir"])
async def test_a_repository_that_is_elsewhere_is_not_opened(
    root: Path, tmp_path: Path, ask: Run, kind: str
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    match kind:
        case "file":
            (root / ".git").write_text(f"gitdir: {other}/.git\n")
        case "link":
            (root / ".git").symlink_to(other / ".git")
        case "commondir":
            (root / ".git").mkdir()
            (root / ".git/commondir").write_text(f"{other}/.git\n")
    with pytest.raises(ToolError, match=r"not the top of a git repository|is elsewhere"):
        await ask("status")


async def test_a_work_tree_that_is_configured_elsewhere_is_not_looked_at(
    repository: Path, tmp_path: Path, ask: Run
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/private").write_text("x")
    git(repository, "config", "core.worktree", str(tmp_path / "other"))
    assert "private" not in (await ask("status")).content


async def test_without_git_that_is_said(
    repository: Path, ask: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolError, match="git is not installed"):
        await ask("status")


def test_only_a_commit_has_an_effect(tool: Git, environment: ToolEnvironment) -> None:
    assert tool.effect({"command": "status"}) is Effect.READ_ONLY
    for arguments in ({"command": "commit"}, {"command": "push"}, {}):
        assert tool.effect(arguments) is Effect.EFFECTFUL
    assert tool.paths({"command": "commit"}, environment) == ()
    told = {"command": "commit", "message": "it's", "paths": ["a b"]}
    assert tool.access(told, environment) == Access(command="git commit -m 'it'\"'\"'s' -- 'a b'")
    diff = {"command": "diff", "revision": "a..b"}
    assert tool.access(diff, environment) == Access(command="git diff a..b")


async def test_nothing_is_committed_where_the_workspace_is_not_writable(
    repository: Path, tool: Git, environment: ToolEnvironment
) -> None:
    with pytest.raises(ToolError, match="in this mode"):
        await tool.run(
            {"command": "commit", "message": "x", "paths": ["a.py"]},
            replace(environment, writable=False),
        )
