"""Nothing in a repository runs, and nobody is called, because Victor works in it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The tests are no package, so this is found by where it is.
sys.path.insert(0, str(Path(__file__).parent))
from hostile_repositories import REPOSITORIES

sys.path.pop(0)

pytestmark = pytest.mark.slow

OWN_PROGRAMS = {"git", "rg", "bwrap", "bash", "sh", Path(sys.executable).name}
"""What Victor starts by itself: of the system, never of the repository."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repo = tmp_path_factory.mktemp("template") / "repo"
    repo.mkdir()
    (repo / "README.md").write_text("hello\n")
    (repo / "Makefile").write_text("all:\n\ttrue\n")
    for arguments in (
        ("init", "-q", "-b", "main"),
        ("add", "."),
        ("-c", "user.name=A", "-c", "user.email=a@b.invalid", "commit", "-q", "-m", "one"),
    ):
        subprocess.run(["git", *arguments], cwd=repo, check=True, env=_environment(repo))
    (repo / "README.md").write_text("hello again\n")
    return repo


def _environment(home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "RIPGREP_CONFIG_PATH": ".ripgreprc",
    }


class Trap:
    """A program that notes that it ran, and a server that notes who called."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "ran"
        self.program = folder / "evil"
        self.program.write_text(f'#!/bin/sh\necho "$PWD" >> {self.log}\n')
        self.program.chmod(0o755)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(0)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.getsockname()[1]}"

    @property
    def ran(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    @property
    def called(self) -> bool:
        try:
            self.server.accept()[0].close()
        except BlockingIOError:
            return False
        return True


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    trap = Trap(tmp_path)
    with trap.server:
        yield trap


def _made(folder: Path, template: Path, trap: Trap) -> dict[str, Path]:
    """Make every repository, in a folder of its own."""
    made = {}
    for number, (name, change) in enumerate(REPOSITORIES.items()):
        repo = folder / f"repo-{number}"
        shutil.copytree(template, repo, symlinks=True)
        change(repo, str(trap.program), trap.address)
        made[name] = repo
    return made


ARMED = {
    "fsmonitor",
    "hooks path",
    "external diff",
    "diff driver",
    "textconv",
    "clean filter",
    "filter process",
    "included file",
    "worktree's configuration",
    "hooks",
    "common folder",
    "git folder elsewhere",
    "linked git folder",
    "bare repository as project",
}
"""Those of which everyday commands show that they work."""


def test_there_are_sixty_of_them() -> None:
    assert len(REPOSITORIES) >= 60


@pytest.mark.timeout(180)
def test_nothing_runs_and_nobody_is_called_before_trust(
    tmp_path: Path, template: Path, trap: Trap
) -> None:
    repositories = _made(tmp_path, template, trap)
    home = tmp_path / "home"
    home.mkdir()
    # A search path such as people have who keep their projects' programs on it.
    path = f".:bin:node_modules/.bin:{os.environ['PATH']}"
    environment = {
        **_environment(home),
        "PATH": path,
        "VICTOR_HOME": str(home / "victor"),
        "VICTOR_TOOL_CALLING_TIMEOUT": "3",
        "PLANTED_KEY": "SECRET-of-the-environment",
    }
    program = Path(__file__).with_name("hostile_session.py")
    done = subprocess.run(
        [sys.executable, str(program), *map(str, repositories.values())],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=170,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(repositories), done.stderr[-3_000:]
    assert trap.ran == []
    assert not trap.called
    for name, line in zip(repositories, lines, strict=True):
        root = Path(line["folder"])
        for started in line["started"]:
            assert Path(started).is_absolute(), (name, started)
            assert not Path(started).is_relative_to(root), (name, started)
            assert Path(started).name in OWN_PROGRAMS, (name, started)
        assert [who for who in line["called"] if "127.0.0.1" not in who and "/" not in who] == []
        assert not any("SECRET-of-the-environment" in text for text in line["told"]), name
        assert not list(root.glob("**/evil.db")), name


@pytest.mark.timeout(120)
def test_the_traps_are_armed(tmp_path: Path, template: Path, trap: Trap) -> None:
    """What git itself does in these folders when nobody takes care."""
    repositories = _made(tmp_path, template, trap)
    fired = set()
    for name in ARMED:
        before = len(trap.ran)
        for command in (["status"], ["diff"], ["-p", "log", "-p"], ["add", "."]):
            subprocess.run(
                ["git", *command],
                cwd=repositories[name],
                env=_environment(tmp_path),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=30,
            )
        if len(trap.ran) > before:
            fired.add(name)
    assert fired == ARMED
