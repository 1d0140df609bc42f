from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from victor.errors import ToolError
from victor.marked import kill_all, running_threads
from victor.protocols import (
    Confinement,
    ITool,
    Launch,
    NoSandbox,
    SandboxPolicy,
    ToolEnvironment,
    ToolOutput,
)
from victor.tools import control_group, process
from victor.tools.background import MOST_RUNNING, Background
from victor.tools.child_environment import child_environment
from victor.tools.kept_output import KeptOutput, file_in
from victor.tools.process import Limits, Program
from victor.tools.shell import Shell
from victor.tools.workspace import Workspace

pytestmark = pytest.mark.anyio

Run = Callable[..., Awaitable[ToolOutput]]


@pytest.fixture
async def tools(tools: dict[str, ITool]) -> AsyncIterator[dict[str, ITool]]:
    yield tools
    await tools["shell"].aclose()  # type: ignore[attr-defined]


def _alive(pid: int) -> bool:
    """Return whether the process runs; one that is dead and not buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def _gone(pid: int) -> bool:
    until = time.monotonic() + 5
    while _alive(pid) and time.monotonic() < until:
        await asyncio.sleep(0.01)
    return not _alive(pid)


async def _pid_in(file: Path) -> int:
    while not file.exists() or not file.read_text().strip():
        await asyncio.sleep(0.01)
    return int(file.read_text())


async def test_a_command_runs_in_the_workspace_and_tells_how_it_ended(root: Path, run: Run) -> None:
    output = await run("shell", command="pwd; echo problem >&2; exit 3")
    assert output == ToolOutput(f"{root}\nproblem\n[exit code 3]", is_error=True)
    assert await run("shell", command="true") == ToolOutput("[exit code 0]")


async def test_a_command_that_dies_of_a_signal_says_of_which(run: Run) -> None:
    assert "[ended by SIGKILL]" in (await run("shell", command="kill -9 $$")).content


async def test_a_command_has_no_input(run: Run) -> None:
    assert (await run("shell", command="cat; read x; echo $?")).content == "1\n[exit code 0]"


async def test_forty_secrets_of_the_parent_are_not_given_to_a_command(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("ANTHROPIC", "OPENAI", "AWS", "GITHUB", "MY", "NPM", "DB", "SLACK", "STRIPE", "SSH")
    kinds = ("API_KEY", "TOKEN", "PASSWORD", "SECRET")
    names = [f"{word}_{kind}" for word in words for kind in kinds]
    assert len(names) == 40
    for name in names:
        monkeypatch.setenv(name, f"hunter2-{name}")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/hunter2")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter2@proxy")
    monkeypatch.setenv("BASH_ENV", "/hunter2")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    output = await run("shell", command="env; cat /proc/self/environ /proc/$$/environ")
    assert "hunter2" not in repr(output)
    assert "LC_ALL=C.UTF-8" in output.content
    assert "PATH=" in output.content


def test_what_is_passed_on_is_named() -> None:
    given = child_environment(
        {"KEY": "1", "WANTED": "2", "HTTP_PROXY": "http://proxy", "HOME": "/h", "PATH": ":.:/b::x"},
        ("WANTED",),
    )
    names = ("KEY", "WANTED", "HTTP_PROXY", "HOME", "TERM", "PATH")
    assert {name: given.get(name) for name in names} == {
        "KEY": None,
        "WANTED": "2",
        "HTTP_PROXY": "http://proxy",
        "HOME": "/h",
        "TERM": "dumb",
        "PATH": "/b",
    }


@pytest.mark.parametrize("configured", ["", "hooks"])
@pytest.mark.parametrize("wanted", [False, True])
async def test_hooks_of_a_repository_run_only_where_a_person_wants_them(
    root: Path, environment: ToolEnvironment, configured: str, *, wanted: bool
) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-C", root, *words], check=True, capture_output=True)

    git("init", "-q")
    git("config", "user.name", "A")
    git("config", "user.email", "a@example.org")
    folder = root / (configured or ".git/hooks")
    folder.mkdir(exist_ok=True)
    if configured:
        git("config", "core.hooksPath", configured)
    for name in ("pre-commit", "post-index-change", "post-checkout", "reference-transaction"):
        (folder / name).write_text(f"#!/bin/sh\necho {name} >> {root}/ran\n")
        (folder / name).chmod(0o755)
    shell = Shell(Workspace(root), git_hooks=wanted)
    line = "echo x > a; git add a; git commit -qm a; git checkout -q -b b; git status; git log"
    output = await shell.run(
        {"command": f"{line}; sh -c 'git commit -q --amend -m b'"}, environment
    )
    assert not output.is_error, output.content
    assert (root / "ran").exists() is wanted


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (r"\033[31mred\033[0m", "red"),
        (r"\033]0;title\007text", "text"),
        (r"10%%\r50%%\r100%%\r\nnext", "100%\nnext"),
        (r"\351", "\ufffd"),
        (r"a\n\n", "a"),
    ],
)
async def test_what_only_a_terminal_understands_is_left_out(
    run: Run, printed: str, shown: str
) -> None:
    output = await run("shell", command=f"printf '{printed}'")
    assert output.content == f"{shown}\n[exit code 0]"


@pytest.mark.parametrize("command", ["", "  ", "a\0b"])
async def test_no_command_is_refused(run: Run, command: str) -> None:
    with pytest.raises(ToolError, match="empty"):
        await run("shell", command=command)


async def test_a_shell_that_cannot_start_is_told(root: Path, environment: ToolEnvironment) -> None:
    shell = Shell(Workspace(root), program="/no/such/shell")
    with pytest.raises(ToolError, match="No such file"):
        await shell.run({"command": "true"}, environment)


async def test_a_long_output_keeps_its_ends_and_goes_to_a_file(
    root: Path, tmp_path: Path, environment: ToolEnvironment
) -> None:
    shell = Shell(Workspace(root), spill_folder=tmp_path / "outputs")
    environment = replace(environment, session_id="abc", call_id="call/7")
    command = "echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last"
    content = (await shell.run({"command": command}, environment)).content
    assert content.startswith("first\n")
    assert content.endswith("last\n[exit code 0]")
    assert len(content) < environment.output_limit
    file = tmp_path / "outputs" / "abc" / "shell-call_7.txt"
    assert f"More of it is in {file}: grep it" in content
    assert file.stat().st_size == 3_000_012
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


async def test_without_a_folder_a_long_output_is_cut_and_that_is_told(
    root: Path, environment: ToolEnvironment
) -> None:
    content = (await Shell(Workspace(root)).run({"command": "seq 100000"}, environment)).content
    assert "bytes left out. ...]" in content


def test_kept_output_never_grows_beyond_twice_its_limit(tmp_path: Path) -> None:
    kept = KeptOutput(100, file_in(tmp_path, "shell-1"))
    for number in range(1_000):
        kept.add(b"%04d" % number)
    whole = b"".join(b"%04d" % number for number in range(1_000))
    output, left_out, split = kept.result()
    assert output == whole[:50] + whole[-50:]
    assert (left_out, split) == (3_900, 50)
    kept.close()
    assert Path(kept.path).read_bytes() == whole
    assert kept.unread() == whole
    assert kept.unread() == b""


def test_a_file_that_cannot_be_made_loses_nothing_else() -> None:
    kept = KeptOutput(10, file_in(Path("/proc/nowhere"), "shell-1"))
    kept.add(b"a" * 100)
    kept.close()
    assert kept.path == ""
    assert kept.result() == (b"a" * 10, 90, 5)


def test_old_files_are_removed_when_another_is_made(tmp_path: Path) -> None:
    for name, age in (("shell-old.txt", 8), ("shell-new.txt", 6), ("other.txt", 8)):
        (tmp_path / name).write_text("x")
        then = time.time() - age * 86_400
        os.utime(tmp_path / name, (then, then))
    path, stream = file_in(tmp_path, "shell-new")()
    stream.close()
    assert path.name == "shell-new_.txt"
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["other.txt", "shell-new.txt", "shell-new_.txt"]


def test_short_output_is_kept_whole_and_needs_no_file(tmp_path: Path) -> None:
    kept = KeptOutput(100, file_in(tmp_path, "shell-1"))
    kept.add(b"a" * 60)
    kept.add(b"b" * 30)
    assert kept.result() == (b"a" * 60 + b"b" * 30, 0, 50)
    assert list(tmp_path.iterdir()) == []


async def test_what_a_command_prints_is_told_while_it_runs(
    tools: dict[str, ITool], environment: ToolEnvironment
) -> None:
    lines: list[str] = []
    environment = replace(environment, progress=lines.append)
    await tools["shell"].run({"command": "echo one; echo; sleep 0.1; echo two"}, environment)
    assert lines == ["one", "two"]


async def test_a_time_that_was_asked_for_ends_the_command(
    tools: dict[str, ITool], environment: ToolEnvironment
) -> None:
    begun = time.monotonic()
    output = await tools["shell"].run(
        {"command": "echo so far; sleep 60", "timeout": 0.2}, environment
    )
    assert time.monotonic() - begun < 5
    assert output.is_error
    assert output.content == (
        "so far\n[ended, with everything it had started: it took longer than 0.2 s]"
    )


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [
        ({}, 120.0),
        ({"timeout": 300}, 305.0),
        ({"timeout": 99_999}, 3_605.0),
        ({"timeout": 0}, 120.0),
        ({"timeout": "x"}, 120.0),
    ],
)
def test_a_call_may_take_as_long_as_it_asks_for(
    root: Path, environment: ToolEnvironment, arguments: dict[str, Any], seconds: float
) -> None:
    assert Shell(Workspace(root)).most_seconds(arguments, environment) == seconds


async def test_a_command_that_takes_long_goes_on_in_the_background(
    root: Path, tools: dict[str, ITool], environment: ToolEnvironment
) -> None:
    shell, told, stop = tools["shell"], tools["shell_output"], tools["shell_stop"]
    command = "echo so far; until [ -e go ]; do sleep 0.01; done; echo more; sleep 60"
    output = await shell.run({"command": command}, replace(environment, timeout=0.3))
    assert not output.is_error
    assert output.content.startswith("so far\n[It goes on in the background after 0.24 s as shell")
    assert (await told.run({"id": "shell-1"}, environment)).content == "[it still runs]"
    (root / "go").touch()
    seen = ""
    while "more" not in seen:
        seen += (await told.run({"id": "shell-1", "wait": 0.1}, environment)).content
    ended = (await stop.run({"id": "shell-1"}, environment)).content
    assert ended == "[ended, with everything it had started: you stopped it]"
    assert (await told.run({"id": "shell-1"}, environment)).content == ended
    with pytest.raises(ToolError, match="no command 'x' in the background; there are: shell-1"):
        await told.run({"id": "x"}, environment)


async def test_a_command_may_start_in_the_background(
    tools: dict[str, ITool], environment: ToolEnvironment
) -> None:
    shell = tools["shell"]
    output = await shell.run({"command": "echo up; sleep 60", "background": True}, environment)
    assert "up\n[It goes on in the background as shell-1" in output.content
    failed = await shell.run({"command": "exit 4", "background": True}, environment)
    assert failed.content == "[exit code 4]"
    told = await tools["shell_output"].run({"id": "shell-1"}, environment)
    assert told.content == "[it still runs]"


async def test_what_is_in_the_background_ends_with_the_agent(
    root: Path, environment: ToolEnvironment
) -> None:
    shell = Shell(Workspace(root))
    await shell.run({"command": "echo $$ > pid; sleep 60 & wait", "background": True}, environment)
    pid = await _pid_in(root / "pid")
    await shell.aclose()
    assert await _gone(pid)


async def test_only_so_many_commands_go_on_at_once(
    root: Path, environment: ToolEnvironment
) -> None:
    class Running:
        running = True

    background = Background()
    for _ in range(MOST_RUNNING):
        background.add(Running())  # type: ignore[arg-type]
    shell = Shell(Workspace(root), background=background)
    with pytest.raises(ToolError, match="8 commands run in the background already: shell-1"):
        await shell.run({"command": "true"}, environment)
    assert not (await shell.run({"command": "true", "timeout": 5}, environment)).is_error


def test_ended_commands_are_forgotten_in_the_end() -> None:
    class Ended:
        running = False

    background = Background()
    names = [background.add(Ended()) for _ in range(30)]  # type: ignore[arg-type]
    with pytest.raises(ToolError, match="no command 'shell-1'"):
        background.get(names[0])
    assert background.get(names[-1])


async def test_a_timeout_ends_grandchildren_even_those_that_left(root: Path, run: Run) -> None:
    command = (
        "(sleep 60 & echo $! > child; wait) & "
        "env -i setsid sh -c 'echo $$ > left; trap \"\" TERM; sleep 60 & wait; sleep 60' & "
        "(trap '' TERM; echo $BASHPID > deaf; while :; do sleep 0.05; done) & "
        "env -i setsid setsid -f sh -c '(sleep 60 & echo $! > orphan)' & wait"
    )
    output = await run("shell", command=command, timeout=0.5)
    assert "it took longer than 0.5 s" in output.content
    for name in ("child", "left", "deaf", "orphan"):
        assert await _gone(await _pid_in(root / name)), name


async def test_a_cancelled_command_ends_with_all_that_it_started(root: Path, run: Run) -> None:
    running = asyncio.create_task(run("shell", command="sleep 60 & echo $! > child; wait"))  # type: ignore[arg-type]
    pid = await _pid_in(root / "child")
    assert _alive(pid)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await _gone(pid)


@pytest.mark.parametrize(
    "start",
    [
        "sleep 60 & echo $! > child",
        "sleep 60 > /dev/null 2>&1 & echo $! > child",
        "env -i setsid -f sh -c 'echo $$ > child; exec sleep 60'; while [ ! -s child ]; do :; done",
    ],
)
async def test_a_daemon_does_not_hold_the_call_and_is_ended(
    root: Path, run: Run, start: str
) -> None:
    begun = time.monotonic()
    output = await run("shell", command=f"{start}; echo done")
    assert time.monotonic() - begun < 5
    assert output.content.startswith("done\n[exit code 0]\n[It left something running")
    assert "background=true" in output.content
    assert not output.is_error
    assert await _gone(await _pid_in(root / "child"))


async def test_ten_gigabytes_of_output_are_ended_early_and_take_no_memory(
    root: Path, tmp_path: Path, environment: ToolEnvironment
) -> None:
    import resource

    shell = Shell(
        Workspace(root), spill_folder=tmp_path / "outputs", limits=Limits(output=100_000_000)
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    output = await shell.run({"command": "yes | head -c 10000000000"}, environment)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert output.is_error
    assert output.content.endswith("it printed more than 100 MB]")
    assert (after - before) < 20_000
    (file,) = (tmp_path / "outputs").iterdir()
    assert file.stat().st_size <= 20_000_000


async def test_a_swarm_of_processes_is_ended_whole(root: Path, run: Run) -> None:
    bomb = (
        "f() { echo $BASHPID >> pids; [ $1 -gt 6 ] || { f $(($1+1)) & f $(($1+1)) & }; sleep 60; }"
    )
    output = await run("shell", command=f"{bomb}; f 1", timeout=2)
    assert "with everything it had started" in output.content
    pids = (root / "pids").read_text().split()
    assert len(pids) > 60
    for pid in pids:
        assert await _gone(int(pid))


BOMBS = (
    ":(){ :|:& :|:; };:",
    "f() { trap '' TERM; f & f; }; f",
    "python3 -c 'import os\nwhile True: os.fork()'",
    "python3 -c 'import threading as t\nwhile 1: t.Timer(9, print).start()'",
)


@pytest.fixture
async def cage() -> AsyncIterator[str]:
    """Give what a command begins with so as not to take the machine along, should it escape."""
    async with control_group.held_to(3_000) as group:
        yield "" if group is None else f"echo $$ > {group}/cgroup.procs; "


async def _defused(
    root: Path, environment: ToolEnvironment, bomb: str, *, seconds: float = 1
) -> str:
    """Return what is told of a fork bomb that may have 300 processes, all of them gone."""
    shell = Shell(Workspace(root), limits=Limits(processes=300))
    output = await shell.run({"command": bomb, "timeout": seconds}, environment)
    assert output.is_error
    until = time.monotonic() + 10
    while (left := _running_in(root)) and time.monotonic() < until:
        await asyncio.sleep(0.05)
    assert left == 0
    assert (await shell.run({"command": "echo next"}, environment)).content.startswith("next")
    return output.content


@pytest.mark.parametrize("bomb", BOMBS, ids=range(len(BOMBS)))
async def test_a_fork_bomb_is_bounded_and_ended(
    root: Path, environment: ToolEnvironment, bomb: str
) -> None:
    assert "ended, with everything it had started" in await _defused(root, environment, bomb)


@pytest.mark.parametrize("bomb", BOMBS, ids=range(len(BOMBS)))
async def test_a_fork_bomb_is_ended_where_the_system_holds_it_to_nothing(
    root: Path,
    environment: ToolEnvironment,
    cage: str,
    bomb: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "_is_root_on_linux", lambda: True)
    monkeypatch.setattr(control_group, "PLACES", (root,))
    told = await _defused(root, environment, cage + bomb, seconds=30)
    assert "it started more than 300 processes" in told
    assert not list(root.glob("victor-*"))


async def test_a_fork_bomb_of_who_is_not_root_is_held_by_the_system(
    root: Path, environment: ToolEnvironment, cage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "setpriv --reuid=65534 --regid=65534 --clear-groups" if os.geteuid() == 0 else ""
    monkeypatch.setattr(process, "_is_root_on_linux", lambda: False)
    told = await _defused(root, environment, f"{cage}{other} bash -c 'f() {{ f & f & wait; }}; f'")
    assert "Resource temporarily unavailable" in told
    assert "ended, with everything it had started" in told


async def test_a_control_group_holds_what_leaves_every_other_group() -> None:
    bomb = "import os\nfor _ in range(9):\n  if not os.fork(): os.setsid()"
    async with control_group.held_to(50) as group:
        if group is not None:
            argv = control_group.joining(group, (sys.executable, "-c", bomb))
            ran = await asyncio.create_subprocess_exec(*argv, stderr=-1)
            assert b"BlockingIOError" in (await ran.communicate())[1]
    assert not any(list(place.glob(f"victor-{os.getpid()}-*")) for place in control_group.PLACES)


async def test_groups_that_a_killed_victor_left_go_with_the_next(root: Path) -> None:
    own, lefts = f"victor-{os.getpid()}", ("victor-999999999-a", "victor-1-b", "victor-else")
    for name in (f"{own}-a", f"{own}-b", *lefts):
        (root / name).mkdir()
    await control_group._remove(root / f"{own}-a")
    assert sorted(path.name for path in root.iterdir()) == sorted(
        [f"{own}-b", "victor-1-b", "victor-else"]
    )


async def test_where_no_group_can_be_made_there_is_none(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_group, "PLACES", (root, root / "nowhere"))
    async with control_group.held_to(10) as group:
        assert group is None
    async with control_group.held_to(None) as group:
        assert group is None
    assert list(root.iterdir()) == []


def _running_in(folder: Path) -> int:
    """Return how many processes have this folder for their own; dead ones have none."""
    running = 0
    for process_folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            running += (process_folder / "cwd").readlink() == folder
    return running


async def test_a_process_that_fills_the_memory_is_ended(
    root: Path, environment: ToolEnvironment
) -> None:
    shell = Shell(Workspace(root), limits=Limits(memory=200))
    command = "python3 -c 'print(len(bytearray(1_000_000_000)))'"
    output = await shell.run({"command": command}, environment)
    assert output.is_error
    assert "MemoryError" in output.content


def test_limits_come_from_the_settings() -> None:
    limits = Limits.of({"command_memory_limit": 100, "command_process_limit": 7})
    assert (limits.memory, limits.processes) == (100, 7)
    assert (Limits.of({}).memory or 0) > 64


async def test_a_limit_on_processes_adds_to_those_that_there_are(
    root: Path, environment: ToolEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1_000)
    shell = Shell(Workspace(root), limits=Limits(processes=50))
    output = await shell.run({"command": "ulimit -u"}, environment)
    assert 50 < int(output.content.split()[0]) < 50 + running_threads(os.getuid()) + 500


async def test_a_shell_that_is_not_bash_runs_without_limits(
    root: Path, environment: ToolEnvironment
) -> None:
    shell = Shell(Workspace(root), program="/bin/sh", limits=Limits(1_000, 1_000))
    assert (await shell.run({"command": "echo hi"}, environment)).content == "hi\n[exit code 0]"


def test_nothing_is_killed_where_nothing_is_left() -> None:
    assert kill_all(999_999_999, 3) is False


class Noted(NoSandbox):
    """Confines nothing, but says that it does, and notes what it is asked for."""

    def __init__(self, *, confines: bool) -> None:
        super().__init__()
        self._confines = confines
        self.asked: list[tuple[Launch, SandboxPolicy]] = []

    async def confinement(self) -> Confinement:
        return Confinement("noted", confines=self._confines, reason="it is a test")

    def confine(self, launch: Launch, policy: SandboxPolicy) -> Any:
        self.asked.append((launch, policy))
        return super().confine(launch, policy)


async def test_commands_may_write_in_the_workspace_and_in_modes_that_read_nowhere(
    root: Path, tmp_path: Path, environment: ToolEnvironment
) -> None:
    sandbox = Noted(confines=True)
    shell = Shell(Workspace(root), sandbox=sandbox, policy=SandboxPolicy(writable=(tmp_path,)))
    await shell.run({"command": "true"}, environment)
    await shell.run({"command": "true"}, replace(environment, writable=False))
    assert [policy.writable for _, policy in sandbox.asked] == [(root, tmp_path), ()]
    launch = sandbox.asked[0][0]
    assert (launch.folder, launch.argv[0]) == (root, shell.program)
    assert launch.argv[-2:] == ("-c", "true")


async def test_in_modes_that_read_no_command_runs_without_a_sandbox(
    root: Path, environment: ToolEnvironment
) -> None:
    sandbox = Noted(confines=False)
    shell = Shell(Workspace(root), sandbox=sandbox)
    with pytest.raises(ToolError, match="without a sandbox a command could"):
        await shell.run({"command": "touch x"}, replace(environment, writable=False))
    assert sandbox.asked == []


async def test_many_programs_at_once_leave_no_descriptor_open(root: Path) -> None:
    async def run_one() -> None:
        launch = Launch(("/bin/bash", "-c", "true"), root, {"PATH": "/usr/bin:/bin"})
        program = Program(launch, KeptOutput(), sandbox=NoSandbox(), policy=SandboxPolicy())
        assert await program.wait(10)
        assert program.exit_code == 0

    await run_one()
    before = len(list(Path("/proc/self/fd").iterdir()))
    await asyncio.gather(*(run_one() for _ in range(10)))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
