from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from victor.errors import ToolError
from victor.protocols import ITool, ToolEnvironment, ToolOutput
from victor.tools.process import KeptOutput, run_program
from victor.tools.shell import Shell, child_environment
from victor.tools.workspace import Workspace

pytestmark = pytest.mark.anyio

Run = Callable[..., Awaitable[ToolOutput]]


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


async def test_a_command_is_not_given_secrets(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "AWS_SECRET_ACCESS_KEY", "MY_TOKEN", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter2@proxy")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    printed = (await run("shell", command="env")).content
    assert "hunter2" not in printed
    assert "LC_ALL=C.UTF-8" in printed
    assert "PATH=" in printed


def test_what_is_passed_on_is_named() -> None:
    given = child_environment(
        {"KEY": "1", "WANTED": "2", "HTTP_PROXY": "http://proxy", "HOME": "/h"}, ("WANTED",)
    )
    assert {name: given.get(name) for name in ("KEY", "WANTED", "HTTP_PROXY", "HOME", "TERM")} == {
        "KEY": None,
        "WANTED": "2",
        "HTTP_PROXY": "http://proxy",
        "HOME": "/h",
        "TERM": "dumb",
    }


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


async def test_output_of_ten_megabytes_keeps_its_beginning_and_end(run: Run) -> None:
    command = "echo first; head -c 10000000 /dev/zero | tr '\\0' x; echo; echo last"
    content = (await run("shell", command=command)).content
    assert content.startswith("first\n")
    assert content.endswith("last\n[exit code 0]")
    assert "bytes left out" in content
    assert len(content) < 1_100_000


def test_kept_output_never_grows_beyond_twice_its_limit() -> None:
    kept = KeptOutput(100)
    for number in range(1_000):
        kept.add(b"%04d" % number)
    output, left_out, split = kept.result()
    assert (
        output
        == b"".join(b"%04d" % number for number in range(1_000))[:50]
        + (b"".join(b"%04d" % number for number in range(1_000))[-50:])
    )
    assert (left_out, split) == (3_900, 50)


def test_short_output_is_kept_whole() -> None:
    kept = KeptOutput(100)
    kept.add(b"a" * 60)
    kept.add(b"b" * 30)
    assert kept.result() == (b"a" * 60 + b"b" * 30, 0, 50)


async def test_a_command_ends_before_its_result_would_be_lost(
    tools: dict[str, ITool], environment: ToolEnvironment
) -> None:
    begun = time.monotonic()
    output = await tools["shell"].run(
        {"command": "echo so far; sleep 60"}, replace(environment, timeout=0.2)
    )
    assert time.monotonic() - begun < 5
    assert output.is_error
    assert output.content.startswith("so far\n[ended after 0.16 s")


@pytest.mark.slow
async def test_a_timeout_ends_grandchildren_even_those_that_left(root: Path, run: Run) -> None:
    command = (
        "(sleep 60 & echo $! > child; wait) & "
        "setsid sh -c 'echo $$ > left; trap \"\" TERM; sleep 60 & wait; sleep 60' & "
        "(trap '' TERM; echo $BASHPID > deaf; while :; do sleep 0.05; done) & wait"
    )
    output = await run("shell", command=command, timeout=0.5)
    assert "it took too long" in output.content
    for name in ("child", "left", "deaf"):
        assert await _gone(await _pid_in(root / name)), name


@pytest.mark.slow
async def test_a_cancelled_command_ends_with_all_that_it_started(root: Path, run: Run) -> None:
    running = asyncio.create_task(run("shell", command="sleep 60 & echo $! > child; wait"))  # type: ignore[arg-type]
    pid = await _pid_in(root / "child")
    assert _alive(pid)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await _gone(pid)


@pytest.mark.slow
async def test_a_daemon_that_holds_the_output_does_not_hold_the_call(root: Path, run: Run) -> None:
    begun = time.monotonic()
    output = await run("shell", command="sleep 60 & echo $! > child; echo done")
    assert time.monotonic() - begun < 5
    group = int((root / "child").read_text())
    try:
        assert output.content.startswith("done\n[exit code 0]\n[It left something running")
        assert "program > program.log" in output.content
        assert not output.is_error
    finally:
        os.kill(group, signal.SIGKILL)


@pytest.mark.slow
async def test_a_program_left_in_a_group_of_its_own_is_told_too(root: Path, run: Run) -> None:
    output = await run("shell", command="setsid sleep 60 & sleep 0.1; pgrep -n sleep > child")
    os.kill(int((root / "child").read_text()), signal.SIGKILL)
    assert "[Something that it started still runs in the background.]" in output.content


async def test_a_program_left_quietly_is_told_with_how_to_stop_it(root: Path, run: Run) -> None:
    output = await run("shell", command="sleep 60 > /dev/null 2>&1 & echo $! > child")
    os.kill(int((root / "child").read_text()), signal.SIGKILL)
    assert "stop it with: kill -- -" in output.content
    assert "program.log" not in output.content


async def test_many_programs_at_once_leave_no_descriptor_open(root: Path) -> None:
    await run_program(("/bin/true",), root, {}, 5)
    before = len(list(Path("/proc/self/fd").iterdir()))
    await asyncio.gather(*(run_program(("/bin/true",), root, {}, 5) for _ in range(10)))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
