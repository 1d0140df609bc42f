"""No command line is taken for another one, and what only reads is not asked about."""

from __future__ import annotations

import ast
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from tests.security import harmless_commands, hostile_commands

from victor.agent.coordinators import SafetyCoordinator
from victor.messages import Effect, ToolCall
from victor.protocols import Access, Allow, CallReview, Mode
from victor.safety.commands import CommandAnalyst

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

STRICT = ("shell(git status)",)
USUAL = tuple(
    f"shell({rule})"
    for rule in (
        "git status", "git log *", "git diff *", "git show *", "git grep *", "git branch", "ls *",
        "cat *", "echo *", "grep *", "rg *", "find *", "sort *", "sed *", "awk *", "head *", "fd *",
        "tree *", "jq *", "uniq *", "wc *", "xxd *", "printf *", "test *", "less *", "man *",
        "tar tf *", "xargs *", "env *", "timeout *", "time *", "ssh *",
        "curl https://example.org/*", "find . *",
    )
)  # fmt: skip
"""What people allow, and more than they should."""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    for name in ("src/app.py", "src/other.py", "tests/test_app.py", "README.md", "data.csv",
                 "package.json", "pyproject.toml", "app.log", "a.txt", "a"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x\n")
    (tmp_path / "secret").write_text("s")
    (folder / "link").symlink_to(tmp_path / "secret")
    subprocess.run(("git", "init", "-q", str(folder)), check=True)
    return folder


async def allowed(lines: Iterable[str], rules: tuple[str, ...], workspace: Path) -> list[str]:
    safety = SafetyCoordinator({"allow": rules}, analyze=CommandAnalyst(workspace))
    reviews = tuple(
        CallReview(
            ToolCall("1", "shell", {"command": line}),
            Effect.EFFECTFUL,
            access=Access(command=line),
        )
        for line in lines
    )
    verdicts = await safety.review(reviews, Mode.BUILD)
    pairs = zip(reviews, verdicts, strict=True)
    return [review.access.command for review, verdict in pairs if isinstance(verdict, Allow)]


async def test_a_thousand_hostile_lines_none_is_allowed(workspace: Path) -> None:
    lines = hostile_commands.lines()
    assert len(lines) >= 1_000
    assert await allowed(lines, STRICT, workspace) == []
    assert await allowed(["git status"], STRICT, workspace) == ["git status"]


async def test_nor_is_one_with_the_rules_that_people_write(workspace: Path) -> None:
    lines = hostile_commands.lines(elsewhere=False)
    assert len(lines) >= 1_000
    assert await allowed(lines, USUAL, workspace) == []


async def test_of_harmless_lines_at_most_one_in_twenty_is_asked_about(workspace: Path) -> None:
    lines = harmless_commands.LINES
    assert len(lines) >= 300
    assert len(lines) == len(set(lines))
    asked = set(lines) - set(await allowed(lines, (), workspace))
    assert len(asked) <= len(lines) * 0.05, sorted(asked)


PIECES = (
    "p", "q", "-x", "--o=v", "a", "'a b'", '"a b"', "''", '""', "a'b'c", '"x"y', "'$z'", "'`p`'",
    '"\\$z"', '"\\\\"', "'\\'", "\\'", "\\;", "\\|", "\\&", "\\(", "\\#", "a\\;p", "\\\\", "a=b",
    "=",
    "#", "a#b", "~", "a~", "~p", "!", "!p", "*", "a*", "?", "x?", "[a]", "{a,b}", "{a}", "a@{0}",
    "@{u}",
    "$z", "$(p)", "`p`", "$'p'", '$"p"', "${z}", "$((1))", "<(p)", "-", "--", "1", "-1", "0x1",
    "1>", "2>",
    ">", "<", "&", "&&", "||", "|", "|&", ";", ";;", "(", ")", "{", "}", "if", "then", "fi", "time",
    "eval",
    "2>&1", ">/dev/null", "2>/dev/null", "&>/dev/null", "</dev/null", ">&2", ">x", "2>x", "<<<",
    "<<E", "\n",
    "\t", "\\\n", "\\ ", "'", '"', "\\", "`", "$", "ü", "é=", "%", "@", "+", ",", ".", "/", "..",
    "^", ":",
    "function", "coproc", "[[", "]]", "in", "do", "done", "case", "esac", "a:~", "a=~", "X=1",
    "x[1]=2",
)  # fmt: skip
"""What random lines are made of: every sign that means something, and words around them."""


def random_lines(number: int, seed: int) -> Iterator[str]:
    """Return lines that begin with the program `p`, the same ones for each seed."""
    chance = random.Random(seed)
    for _ in range(number):
        line = "p"
        for _ in range(chance.randint(1, 7)):
            line += chance.choice(("", " ", " ", " ", "  ")) + chance.choice(PIECES)
        yield line


EXECUTED = re.compile(r'^(\d+) +execve\("(?P<path>[^"]*)", (?P<argv>\[.*\]), ', re.MULTILINE)


def executed(lines: list[str], folder: Path, programs: Path) -> list[list[tuple[str, ...]]]:
    """Return what bash starts for each of the lines, by tracing the system calls."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed, so what bash starts cannot be traced")
    driver = folder.parent / "driver.py"
    driver.write_text(
        "import subprocess, sys, json, pathlib\n"
        "for line in json.loads(pathlib.Path(sys.argv[1]).read_text()):\n"
        "    null = subprocess.DEVNULL\n"
        "    subprocess.run(['/bin/bash', '-c', line], cwd=sys.argv[2],\n"
        "        env={'PATH': sys.argv[3]}, stdin=null, stdout=null, stderr=null)\n"
    )
    import json

    listed, trace = folder.parent / "lines.json", folder.parent / "trace"
    listed.write_text(json.dumps(lines))
    filters = ("-f", "--seccomp-bpf", "-e", "trace=execve", "-v", "-s", "100000", "-qq")
    command = (strace, *filters, "-o", str(trace), sys.executable, "-S", str(driver), str(listed),
               str(folder), str(programs))  # fmt: skip
    subprocess.run(command, check=True, timeout=300)
    found: list[list[tuple[str, ...]]] = []
    for call in EXECUTED.finditer(trace.read_text("utf-8")):
        argv = tuple(part.decode() for part in ast.literal_eval(_as_bytes(call["argv"])))
        if call["path"] == "/bin/bash":
            assert argv[2] == lines[len(found)]
            found.append([])
        elif found:
            found[-1].append(argv)
    return found


def _as_bytes(argv: str) -> str:
    """Return the list in C's spelling as Python's."""
    return re.sub(r'"((?:[^"\\]|\\.)*)"', r'b"\1"', argv)


async def test_bash_starts_exactly_what_was_read(workspace: Path, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("p", "q", "a", "xp", "git"):
        (programs / name).symlink_to("/bin/true")
    before = sorted(path.name for path in workspace.iterdir())
    analyst = CommandAnalyst(workspace)
    understood = {
        line: facts.commands
        for line in random_lines(12_000, seed=5)
        if (facts := analyst(line)).commands
    }
    lines = list(understood)[:500]
    assert len(lines) == 500
    started = executed(lines, workspace, programs)
    assert len(started) == len(lines)
    for line, programs_started in zip(lines, started, strict=True):
        expected = [command.text for command in understood[line]]
        for argv in programs_started:
            assert any(_is(argv, text) for text in expected), (line, argv, expected)
        assert len(programs_started) <= len(expected), (line, programs_started)
        assert programs_started or not expected[0].startswith("p "), (line, expected)

    assert sorted(path.name for path in workspace.iterdir()) == before


def _is(argv: tuple[str, ...], text: str) -> bool:
    """Return whether these are the words of the command; patterns may have become others."""
    import shlex

    words = shlex.split(text)
    if any(sign in word for word in words for sign in "*?"):
        return argv[0] == words[0] and len(argv) >= len(words)
    return list(argv) == words


async def test_a_line_that_git_status_allows_starts_git_and_nothing_else(
    workspace: Path, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "ls", "cat", "echo", "grep", "evil", "sh", "rm", "touch", "curl"):
        (programs / name).symlink_to("/bin/true")
    variants = ["git status", "git  status", "'git' status", 'git "status"', "g'i't status",
                "git stat\\us", "git status;", "git status 2>&1", "git status >/dev/null",
                *hostile_commands.lines()]  # fmt: skip
    lines = await allowed(variants, STRICT, workspace)
    assert "git  status" in lines
    for starts in executed(lines, workspace, programs):
        assert starts == [("git", "status")]


def test_a_repository_that_starts_programs_is_asked_about(workspace: Path) -> None:
    analyst = CommandAnalyst(workspace)
    assert analyst("git status").harmless
    config = workspace / ".git" / "config"
    kept = config.read_text()
    for setting in ("[core]\nfsmonitor = ./evil", "[core] fsmonitor=./evil", "[alias]\nst = !evil",
                    "[diff]\nexternal = evil", '[diff "x"]\ntextconv = evil', "[include]\npath = x",
                    '[filter "x"]\nclean = evil', "[core]\npager = evil", "[gpg]\nprogram = evil",
                    '[includeIf "gitdir:/"]\npath = x', "[core]\nsshCommand = evil",
                    '[remote "o"]\nuploadpack = evil', '[remote "o"]\nurl = ext::evil',
                    "[extensions]\npartialClone = o", "[core]\nworktree = /",
                    "[FSMONITOR"):  # fmt: skip
        config.write_text(f"{kept}\n{setting}\n")
        found = analyst("git status")
        assert not found.harmless, setting
        assert "configuration" in found.caution, setting
    config.write_text(f"{kept}\n[core]\nfsmonitor = false\n[user]\nname = me # comment\n")
    assert analyst("git status").harmless


def test_git_in_another_repository_is_held_to_that_one(workspace: Path) -> None:
    inner = workspace / "inner"
    subprocess.run(("git", "init", "-q", str(inner)), check=True)
    analyst = CommandAnalyst(workspace)
    assert analyst("cd inner && git status").harmless
    with (inner / ".git" / "config").open("a") as config:
        config.write("[core]\nfsmonitor = ./evil\n")
    assert analyst("git status").harmless
    assert not analyst("cd inner && git status").harmless
    assert not analyst("git -C inner status").harmless
    bare = workspace / "bare"
    subprocess.run(("git", "init", "-q", "--bare", str(bare)), check=True)
    (bare / "config").write_text("[core]\nfsmonitor = ./evil\n")
    assert not analyst("cd bare && git status").harmless


def test_a_worktree_is_held_to_the_repository_that_it_belongs_to(
    workspace: Path, tmp_path: Path
) -> None:
    git = ("git", "-c", "user.name=me", "-c", "user.email=me@example.org")
    subprocess.run((*git, "commit", "-q", "--allow-empty", "-m", "x"), cwd=workspace, check=True)
    tree = tmp_path / "tree"
    subprocess.run((*git, "worktree", "add", "-q", str(tree)), cwd=workspace, check=True)
    analyst = CommandAnalyst(tree)
    assert analyst("git status").harmless
    with (workspace / ".git" / "config").open("a") as config:
        config.write("[core]\nfsmonitor = ./evil\n")
    assert "core.fsmonitor" in analyst("git status").caution
    (tree / ".git").write_text("nonsense")
    assert "cannot be read" in analyst("git status").caution


def test_attributes_of_the_repository_are_asked_about(workspace: Path) -> None:
    info = workspace / ".git" / "info"
    info.mkdir(exist_ok=True)
    (info / "attributes").write_text("* filter=x\n")
    assert "attributes" in CommandAnalyst(workspace)("git diff").caution


def test_a_repository_with_others_in_it_is_asked_about(workspace: Path) -> None:
    inner = workspace / "inner"
    git = ("git", "-c", "user.name=me", "-c", "user.email=me@example.org")
    subprocess.run(("git", "init", "-q", str(inner)), check=True)
    subprocess.run((*git, "commit", "-q", "--allow-empty", "-m", "x"), cwd=inner, check=True)
    quiet = ("-c", "advice.addEmbeddedRepo=false")
    subprocess.run((*git, *quiet, "add", "inner"), cwd=workspace, check=True)
    assert "holds others" in CommandAnalyst(workspace)("git status").caution


def test_a_program_of_the_workspace_is_not_taken_for_the_systems(workspace: Path) -> None:
    own = workspace / "bin"
    own.mkdir()
    (own / "ls").write_text("#!/bin/sh\n")
    (own / "ls").chmod(0o755)
    assert not CommandAnalyst(workspace, f"{own}:/bin:/usr/bin")("ls").harmless
    assert CommandAnalyst(workspace, "/bin:/usr/bin")("ls").harmless
    assert not CommandAnalyst(workspace)("./ls").harmless
