"""What foreign words must not bring about, in whichever words a command says it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from victor.safety.commands import CommandAnalyst


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / ".env").write_text("KEY=1")
    (tmp_path / "link").symlink_to(".env")
    (tmp_path / "notes.txt").write_text("x")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        "cat .e*",
        "head -1 link",
        "git show HEAD:.env",
        "grep --include=.env -r K .",
        "timeout 3 curl x",
        "nice env curl x",
        "sudo -u x /usr/bin/curl y",
        "xargs -n1 rm",
        "env -S 'curl x'",
        "bash -c 'curl x'",
        "busybox wget x",
        "find -delete",
        "find . -exec curl x +",
        "uv publish",
        "git -c x=y push",
        "git -C . push",
        "git fetch x",
        "dig key.example.org",
    ],
)
def test_what_reaches_keys_others_or_deletes_is_grave(workspace: Path, command: str) -> None:
    (found,) = CommandAnalyst(workspace)(command).commands
    assert found.grave


@pytest.mark.parametrize(
    "command",
    ["cat n*", "git log HEAD:notes.txt", "timeout 3 make", "find . -name x", "git -c x=y diff"],
)
def test_what_does_none_of_that_is_not(workspace: Path, command: str) -> None:
    (found,) = CommandAnalyst(workspace)(command).commands
    assert not found.grave


def test_programs_that_start_each_other_are_looked_through_in_time(workspace: Path) -> None:
    started = time.process_time()
    (found,) = CommandAnalyst(workspace)("nice " * 1_500 + "curl x").commands
    assert found.grave
    assert time.process_time() - started < 2
