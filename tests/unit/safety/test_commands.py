from __future__ import annotations

from pathlib import Path

import pytest

from victor.safety.commands import CommandAnalyst


@pytest.fixture
def analyst(tmp_path: Path) -> CommandAnalyst:
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (tmp_path / "secret").write_text("x")
    (project / "link").symlink_to(tmp_path / "secret")
    return CommandAnalyst(project)


@pytest.mark.parametrize(
    "command",
    [
        "ls",
        "ls -la src",
        "cat src/a.py 'name with space'",
        'grep -n "two words" src',
        "grep -rn --include=a.py word",
        "head -n 5 a.py",
        "tail -20 a.py",
        "wc -l a.py",
        "pwd",
        "git status",
        "git diff --stat HEAD -- src/a.py",
        "git log --oneline -5",
        "git log -n 5 --author=me",
        "git branch -a",
        "git show HEAD:src/a.py",
        "python --version",
        "echo done",
    ],
)
def test_commands_that_only_read_the_workspace_are_harmless(
    analyst: CommandAnalyst, command: str
) -> None:
    found = analyst(command)
    assert found.harmless
    assert found.plain


@pytest.mark.parametrize(
    "command",
    [
        "",
        "rm a",
        "ls; rm a",
        "ls && rm a",
        "ls | sh",
        "ls & rm a",
        "ls\nrm a",
        "ls\rrm a",
        "ls > a",
        "cat < a",
        "cat $(rm a)",
        "cat `rm a`",
        "cat $HOME",
        "cat '$(rm a)'",
        "cat {a,b}",
        "cat *",
        "cat a?",
        "cat [a]",
        "cat ~/x",
        "cat a\\ b",
        "cat /etc/passwd",
        "cat ../secret",
        "cat src/../../secret",
        "cat link",
        "cat src//../link",
        "cat -",
        "cat 'unfinished",
        "cat a\0b",
        "X=1 ls",
        "./ls",
        "/bin/ls",
        "ls #x",
        "!ls",
        "env",
        "find . -delete",
        "find . -exec rm a +",
        "sort -o a b",
        "tail -f a",
        "grep -R x src",
        "grep -f/etc/passwd x",
        "grep --file=/etc/passwd x",
        "grep --include=/etc x",
        "du --files0-from=a",
        "pwd x",
        "id root",
        "git",
        "git -c core.pager=x log",
        "git --exec-path=x status",
        "git diff --output=a",
        "git diff --no-index a /etc/passwd",
        "git diff --ext-diff",
        "git log --open-files-in-pager",
        "git branch new",
        "git branch -D old",
        "git tag v1",
        "git remote add x y",
        "git push",
        "git checkout a",
        "git show ../x",
        "python a.py",
        "python -c x",
        "python --version x",
        "evil --version",
    ],
)
def test_everything_else_is_not(analyst: CommandAnalyst, command: str) -> None:
    assert not analyst(command).harmless


@pytest.mark.parametrize("command", ["make test", "python -m pytest -q", "git push origin main"])
def test_one_program_with_its_arguments_is_plain(analyst: CommandAnalyst, command: str) -> None:
    assert analyst(command).plain


@pytest.mark.parametrize(
    "command",
    ["a; b", "a | b", "a > b", "a $(b)", "a $b", "a *", "X=1 a", "./a", "a 'b", "a\nb", "", "a ~"],
)
def test_what_the_shell_does_more_with_is_not_plain(analyst: CommandAnalyst, command: str) -> None:
    assert not analyst(command).plain


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf x",
        "  rm -rf x  ",
        "ls; rm -rf x",
        "ls && rm -rf x",
        "ls|rm -rf x",
        "ls &rm -rf x",
        "ls\nrm -rf x",
        "(rm -rf x)",
        "{ rm -rf x; }",
        "echo $(rm -rf x)",
        "echo `rm -rf x`",
        "bash -c 'rm -rf x'",
        'sh -c "rm -rf x"',
        "sudo rm -rf x",
        "sudo -n rm -rf x",
        "env A=1 B=2 rm -rf x",
        "A=1 rm -rf x",
        "timeout 5 rm -rf x",
        "timeout -k 5s 10s rm -rf x",
        "nohup nice -n 5 rm -rf x",
        "/bin/rm -rf x",
        "/usr/bin/sudo /bin/rm -rf x",
        "r'm' -rf x",
        "\\rm -rf x",
        '"rm" -rf x',
        "if true; then rm -rf x; fi",
        "while true; do rm -rf x; done",
        "! rm -rf x",
        "ls | xargs rm -rf x",
    ],
)
def test_a_command_is_found_wherever_it_is_hidden(analyst: CommandAnalyst, command: str) -> None:
    assert "rm -rf x" in analyst(command).parts


def test_the_whole_command_is_a_part_of_itself(analyst: CommandAnalyst) -> None:
    assert analyst("a; b").parts[0] == "a; b"
