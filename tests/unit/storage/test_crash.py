"""What is left when a process is killed, a disk is full, and several processes write at once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from victor.errors import SessionError
from victor.messages import user
from victor.protocols import Record, SessionInfo
from victor.storage.inspection import problems
from victor.storage.sqlite import SqliteSessionStore

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

INFO = SessionInfo("s1", "First", "/work", "acme", "m-1", created=1.0, updated=1.0)

WRITER = """
import asyncio, sys
from pathlib import Path
from victor.messages import user
from victor.protocols import Record, SessionInfo
from victor.storage.inspection import problems
from victor.storage.sqlite import SqliteSessionStore

async def main(path, session, count):
    store = SqliteSessionStore(Path(path))
    await store.create(SessionInfo(session, "", "/work", "acme", "m", 1.0, 1.0))
    for i in range(int(count)):
        await store.append(session, Record("user", f"t{i}", user("x" * (i % 7 * 900))))
        print(i, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


def writer(path: Path, session: str, count: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WRITER, str(path), session, str(count)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


async def turns(path: Path, session: str = "s1") -> list[str]:
    store = SqliteSessionStore(path)
    try:
        return [record.turn_id for record in await store.load(session)]
    finally:
        await store.aclose()


@pytest.mark.parametrize("after", [1, 7, 60, 150, 333])
async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, after: int) -> None:
    path = tmp_path / "s.db"
    process = writer(path, "s1", 100_000)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(after)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.read().splitlines()
    process.wait()
    process.stdout.close()
    stored = await turns(path)
    assert stored[: len(acknowledged)] == [f"t{i}" for i in range(len(acknowledged))]
    assert len(stored) <= len(acknowledged) + 1

    store = SqliteSessionStore(path)
    await store.append("s1", Record("user", "after", user("I hold it now")))
    await store.aclose()
    assert (await turns(path))[-1] == "after"


@pytest.mark.timeout(180)
async def test_eight_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    processes = [writer(path, f"s{i}", 2_000) for i in range(8)]
    for process in processes:
        process.communicate(timeout=150)
    assert [process.returncode for process in processes] == [0] * 8
    for i in range(8):
        assert await turns(path, f"s{i}") == [f"t{n}" for n in range(2_000)]
    assert problems(path) == ()


async def test_a_process_that_does_not_close_ends_and_keeps_what_it_said(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    process = writer(path, "s1", 5)
    output, _ = process.communicate(timeout=20)
    assert output.split() == ["0", "1", "2", "3", "4"]
    assert process.returncode == 0
    assert len(await turns(path)) == 5
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["s.db"]


async def test_a_second_process_is_told_who_has_the_session(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    process = writer(path, "s1", 100_000)
    assert process.stdout is not None
    process.stdout.readline()
    store = SqliteSessionStore(path)
    try:
        with pytest.raises(SessionError, match=f"process {process.pid}"):
            await store.open("s1")
        assert await store.load("s1")
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
    await store.open("s1")
    await store.aclose()


async def test_a_forked_child_gets_a_connection_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = SqliteSessionStore(path)
    await store.create(INFO)
    script = WRITER.replace(
        "asyncio.run(main(*sys.argv[1:]))",
        """
import os
path, session, count = sys.argv[1:]
store = SqliteSessionStore(Path(path))
asyncio.run(store.list())
child = os.fork()
async def add():
    await store.create(SessionInfo(f"{os.getpid()}", "", "/work", "acme", "m", 1.0, 1.0))
    await store.aclose()
asyncio.run(add())
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""",
    )
    arguments = [sys.executable, "-c", script, str(path), "x", "0"]
    process = await asyncio.create_subprocess_exec(*arguments)
    assert await asyncio.wait_for(process.wait(), 20) == 0
    assert len(await store.list()) == 3
    await store.aclose()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_a_store_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    home = tmp_path / "home"
    store = SqliteSessionStore(home / "s.db")
    await store.create(INFO)
    await store.aclose()
    script = """
import os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.argv[0] = "x"
"""
    for folder in (*home.parents, home):
        if str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    (home / "s.db").chmod(0o644)
    (home / "s.db.locks").chmod(0o755)
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            "import victor.storage.sqlite, encodings.ascii, sqlite3, fcntl\n"
            "import platformdirs, uuid, json\n" + script + WRITER,
            str(home / "s.db"),
            "s1",
            "1",
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    assert "SessionError" in process.stderr
    assert "VICTOR_HOME" in process.stderr
