"""Repositories whose configuration hides from a reader what git makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from victor.safety.commands import CommandAnalyst

_START = "[core]\n\trepositoryformatversion = 0\n"


def _repository(root: Path, configuration: str) -> Path:
    git = root / ".git"
    for folder in ("objects", "refs"):
        (git / folder).mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "config").write_text(configuration, newline="")
    return root


@pytest.mark.parametrize(
    "hidden",
    [
        "\t# a remark \\\n\tfsmonitor = ./evil\n",
        "\texcludesfile = x\\\\\n\tfsmonitor = ./evil\n",
        "\texcludesfile = x\u2028[color]\n\tfsmonitor = ./evil\n",
        "\texcludesfile = x\x85[color]\n\tfsmonitor = ./evil\n",
        "\texcludesfile = x\r[color]\n\tfsmonitor = ./evil\n",
        "\texcludesfile = x\x0c[color]\n\tfsmonitor = ./evil\n",
        "\texcludesfile = x\x1c[color]\n\tfsmonitor = ./evil\n",
        "[color] [core] fsmonitor = ./evil\n",
        "[color]\n[core] [core] fsmonitor = ./evil\n",
        '[remote "x"]\n\turl = "ext:":sh\n',
        "[gc]\n\trecentObjectsHook = ./evil\n",
    ],
)
def test_a_program_in_the_configuration_is_found_wherever_git_finds_it(
    tmp_path: Path, hidden: str
) -> None:
    facts = CommandAnalyst(_repository(tmp_path, _START + hidden))("git status")
    assert not facts.harmless
    assert "configuration" in facts.caution


@pytest.mark.parametrize("head", ["ref: refs/heads/main\n", "nonsense"])
def test_files_that_look_like_a_repository_do_not_hide_the_one_beside_them(
    tmp_path: Path, head: str
) -> None:
    _repository(tmp_path, _START + "\tfsmonitor = ./evil\n")
    (tmp_path / "HEAD").write_text(head)
    (tmp_path / "objects").mkdir()
    (tmp_path / "refs").mkdir()
    assert not CommandAnalyst(tmp_path)("git status").harmless


def test_an_ordinary_configuration_is_understood(tmp_path: Path) -> None:
    ordinary = (
        "# a remark\r\n[core]\r\n\tbare = false ; so\r\n\tautocrlf\r\n"
        '[remote "origin"]\n\turl = https://example.org/x.git\n'
        "\tfetch = +refs/heads/*:refs/remotes/origin/*\n"
        '[branch "a/b"] remote = origin\n[user] # who\n\tname = Zo\u00eb "Z" O\\"Neil\n'
    )
    facts = CommandAnalyst(_repository(tmp_path, ordinary))("git status")
    assert facts.harmless


@pytest.mark.parametrize(
    "command",
    [
        "git clone -u ./evil . x",
        "git clone --u=./evil . x",
        "git fetch --upl=./evil .",
        "git push --e=./evil .",
        "git rebase --ex=./evil HEAD",
        "git clone --conf core.fsmonitor=./evil . x",
        "git init --t=./evil x",
        "git submodule --quiet foreach ./evil",
        "git merge -s evil HEAD",
        "git config core.fsmonitor ./evil",
        "git config --global alias.x '!./evil'",
    ],
)
def test_a_rule_for_git_does_not_mean_what_starts_other_programs(
    tmp_path: Path, command: str
) -> None:
    (found,) = CommandAnalyst(tmp_path)(command).commands
    assert found.risks


@pytest.mark.parametrize(
    "command", ["git config --get user.name", "git add --update", "git fetch --tags", "git commit"]
)
def test_a_rule_for_git_means_what_it_does_itself(tmp_path: Path, command: str) -> None:
    (found,) = CommandAnalyst(tmp_path)(command).commands
    assert not found.risks
