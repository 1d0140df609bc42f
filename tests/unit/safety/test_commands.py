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
    assert found.harmless, found
    assert not found.unclear


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
        "cat {a,b}",
        "cat *",
        "cat [a]",
        "cat ~/x",
        "cat a\\ b",
        "cat /etc/passwd",
        "cat ../secret",
        "cat src/../../secret",
        "cat link",
        "cat src//../link",
        "cat 'unfinished",
        "cat a\0b",
        "X=1 ls",
        "./ls",
        "/bin/ls",
        "ls #x",
        "!ls",
        "env x",
        "find . -delete",
        "find . -exec rm a +",
        "sort -o a b",
        "tail -f a",
        "grep -R x src",
        "grep -f/etc/passwd x",
        "grep --file=/etc/passwd x",
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


@pytest.mark.parametrize(
    ("command", "plain"),
    [
        ("make test", ["make test"]),
        ("git  push 'origin' \"main\"", ["git push origin main"]),
        ("ls 'a b'", ["ls 'a b'"]),
        ("'git status'", ["'git status'"]),
        ("a; b && c || d | e", ["a", "b", "c", "d", "e"]),
        ("a 2>&1 >/dev/null", ["a"]),
        ("a &>/dev/null | b 2>/dev/null", ["a", "b"]),
        ("./a", ["./a"]),
        ("a *", ["a *"]),
        ("find . -name '*.py'", ["find . -name '*.py'"]),
        ("find . \\( -name x \\)", ["find . '(' -name x ')'"]),
        ("git show stash@{0}", ["git show 'stash@{0}'"]),
        ("a;", ["a"]),
    ],
)
def test_plain_words_are_taken_apart(
    analyst: CommandAnalyst, command: str, plain: list[str]
) -> None:
    found = analyst(command)
    assert [part.text for part in found.commands] == plain
    assert not found.unclear


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("a > b", "a file"),
        ("a < b", "a file"),
        ("a >/dev/null b", "a file"),
        ("a 3>/dev/null", "a file"),
        ("a $(b)", "works out first"),
        ("a `b`", "works out first"),
        ("a $b", "works out first"),
        ('a "$b"', "works out first"),
        ("a ${b}", "works out first"),
        ("a <(b)", "works out first"),
        ("a {b,c}", "works out first"),
        ("a ~", "works out first"),
        ("a $'b'", "works out first"),
        ("a [b]", "works out first"),
        ("X=1 a", "sets a variable"),
        ("X=1", "sets a variable"),
        ("export X=1", "changes the shell's variables"),
        ("unset X", "changes the shell's variables"),
        ("a 'b", "no complete command"),
        ("a &&", "no complete command"),
        ("a\nb", "more than one line"),
        ("a\rb", "more than one line"),
        ("a &", "in the background"),
        ("a & b", "in the background"),
        ("(a)", "another shell"),
        ("{ a; }", "a group"),
        ("! a", "turns around"),
        ("f() { a; }", "defines a function"),
        ("if a; then b; fi", "more than start programs"),
        ("a |& b", "more than start programs"),
        ("[ -f a ]", "a test of the shell's"),
        ("a <<< b", "a text for a program's input"),
        ("a # b", "a comment"),
        ('a "\\\\"\\(', "odd quotes"),
        ("a - 2>/dev/null", "leaves out"),
        ("a ;&>/dev/null", "starts nothing"),
        ("a \\ b", "behind a backslash"),
        ("a !!", "works out first"),
        ("a 'b c'*", "odd characters"),
        ("eval a", "more than a program's name"),
        ("*/a", "more than a program's name"),
        ("time a", "more than a program's name"),
        ("g\u0456t status", "taken for another"),
        ("a \u00a0b", "cannot be seen"),
        ("a\x00b", "cannot be seen"),
        ("a \u202eb", "cannot be seen"),
        ("", "empty"),
        ("a " * 6_000, "longer than"),
    ],
)
def test_what_the_shell_does_more_with_is_not_plain_and_said(
    analyst: CommandAnalyst, command: str, why: str
) -> None:
    found = analyst(command)
    assert why in found.unclear
    assert found.commands == ()
    assert not found.harmless


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
