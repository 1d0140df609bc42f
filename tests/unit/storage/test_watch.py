"""What a command changed in a workspace, whatever it did."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from victor.agent.coordinators.checkpoint_coordinator import CheckpointCoordinator, UndoReport
from victor.errors import CheckpointError
from victor.protocols import ABSENT, Changed, FileState, IWorkspaceWatch, Kept
from victor.storage import watch as watching
from victor.storage.file_images import FileImages, sha256_of
from victor.storage.memory_checkpoints import MemoryCheckpointStore
from victor.storage.shadow import Shadow
from victor.storage.watch import Limits, WorkspaceWatch

pytestmark = pytest.mark.anyio


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
async def watch(workspace: Path, tmp_path: Path) -> AsyncIterator[WorkspaceWatch]:
    made = WorkspaceWatch(workspace, Shadow(tmp_path / "shadow.db"))
    yield made
    await made.aclose()


@pytest.fixture
def checkpoints(workspace: Path, watch: WorkspaceWatch) -> CheckpointCoordinator:
    return CheckpointCoordinator(MemoryCheckpointStore(), FileImages(workspace), watch)


def file(content: bytes, mode: int = 0o644) -> FileState:
    return FileState(sha256_of(content), mode)


def write(path: Path, content: bytes, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


async def test_it_fits_the_port(watch: WorkspaceWatch) -> None:
    assert isinstance(watch, IWorkspaceWatch)


async def test_where_nothing_changes_nothing_is_told(
    watch: WorkspaceWatch, workspace: Path
) -> None:
    write(workspace / "a", b"x")
    assert await watch.begin("c1") == ()
    os.utime(workspace / "a")
    assert await watch.end("c1") == Changed(Kept({}, {}), {})


async def test_what_changed_is_told_with_what_was_there(
    watch: WorkspaceWatch, workspace: Path
) -> None:
    changed = write(workspace / "changed", b"old\r\n\x00")
    deleted = write(workspace / "deep" / "deleted", b"gone", 0o600)
    same_size = write(workspace / "odd-\udcff", b"one")
    only_mode = write(workspace / "run.sh", b"sh")
    write(workspace / "untouched", b"x")
    link = workspace / "link"
    link.symlink_to("changed")
    await watch.begin("c1")
    changed.write_bytes(b"new")
    deleted.unlink()
    deleted.parent.rmdir()
    same_size.write_bytes(b"two")
    only_mode.chmod(0o755)
    link.unlink()
    link.symlink_to("nowhere")
    created = write(workspace / "created", b"c")
    told = await watch.end("c1")
    assert told.before.states.keys() == told.after.keys()
    assert told.before.states[str(changed)] == file(b"old\r\n\x00")
    assert told.after[str(changed)] == file(b"new")
    assert told.before.states[str(deleted)] == file(b"gone", 0o600)
    assert told.after[str(deleted)] == told.after[str(deleted.parent)] == ABSENT
    assert told.after[str(same_size)] == file(b"two")
    assert (told.before.states[str(only_mode)], told.after[str(only_mode)]) == (
        file(b"sh"),
        file(b"sh", 0o755),
    )
    assert told.before.states[str(link)].link == "changed"
    assert told.after[str(link)].link == "nowhere"
    assert told.before.states[str(created)] == ABSENT
    assert str(workspace / "untouched") not in told.after
    assert told.before.contents[sha256_of(b"gone")] == b"gone"
    assert told.before.skipped == ()


async def test_whatever_a_command_did_is_undone_and_redone(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    changed = write(workspace / "changed", b"old")
    deleted = write(workspace / "deep" / "deleted", b"gone", 0o600)
    ignored = write(workspace / "ignored.log", b"log")
    write(workspace / ".gitignore", b"*.log\n")
    nested = write(workspace / "vendor" / "lib" / "file", b"nested")
    write(workspace / "vendor" / "lib" / ".git" / "HEAD", b"ref: refs/heads/main\n")
    write(workspace / "Readme", b"case")
    before = snapshot(workspace)
    kept = await checkpoints.before("s1", "t1", (), workspace=True)
    changed.write_bytes(b"new")
    deleted.unlink()
    deleted.parent.rmdir()
    deleted.parent.write_bytes(b"a file in its place")
    ignored.unlink()
    nested.rename(nested.with_name("renamed"))
    (workspace / "Readme").rename(workspace / "README")
    write(workspace / "made" / "by" / "it", b"m")
    (workspace / "empty").mkdir()
    after = snapshot(workspace)
    assert kept is not None
    await checkpoints.after(kept)
    report = await checkpoints.undo("s1")
    assert report.conflicts == ()
    assert snapshot(workspace) == before
    assert (await checkpoints.redo("s1")).conflicts == ()
    assert snapshot(workspace) == after


async def test_a_command_that_changed_nothing_leaves_nothing_to_undo(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    write(workspace / "a", b"x")
    kept = await checkpoints.before("s1", "t1", (), workspace=True)
    assert kept is not None
    await checkpoints.after(kept)
    assert not any(one.changed or one.skipped for one in await checkpoints.list("s1"))
    assert await checkpoints.preview_undo("s1") == UndoReport()


async def test_a_command_that_was_running_when_victor_ended_is_told_of(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    path = write(workspace / "a", b"x")
    await checkpoints.before("s1", "t1", (), workspace=True)
    path.write_bytes(b"half")
    report = await checkpoints.undo("s1")
    assert (report.turn_id, report.changes) == ("t1", 0)
    assert "Victor ended before it did" in report.skipped[0]
    assert path.read_bytes() == b"half"


async def test_files_that_a_person_changed_after_the_command_are_left(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    path = write(workspace / "a", b"old")
    kept = await checkpoints.before("s1", "t1", (), workspace=True)
    path.write_bytes(b"agent")
    made = write(workspace / "new" / "file", b"agent")
    assert kept is not None
    await checkpoints.after(kept)
    path.write_bytes(b"person")
    write(made.parent / "mine", b"person")
    report = await checkpoints.undo("s1")
    assert report.conflicts == (str(path),)
    assert report.removed == (str(made),)
    assert snapshot(workspace) == {"a": b"person", "new": None, "new/mine": b"person"}


async def test_what_programs_make_again_is_not_looked_into_and_that_is_told(
    watch: WorkspaceWatch, workspace: Path
) -> None:
    write(workspace / "node_modules" / "x" / "index.js", b"x")
    write(workspace / ".git" / "HEAD", b"x")
    write(workspace / "env" / "pyvenv.cfg", b"x")
    write(workspace / "target" / "CACHEDIR.TAG", b"x")
    (told,) = await watch.begin("c1")
    for name in (".git", "node_modules", "env", "target"):
        assert name in told
        write(workspace / name / "new", b"x")
    assert (await watch.end("c1")).after == {}


async def test_what_is_marked_as_a_cache_meanwhile_does_not_count_as_gone(
    watch: WorkspaceWatch, workspace: Path
) -> None:
    write(workspace / "build" / "mine", b"x")
    changed = write(workspace / "build" / "changed", b"x")
    await watch.begin("c1")
    write(workspace / "build" / "CACHEDIR.TAG", b"x")
    changed.write_bytes(b"new")
    told = await watch.end("c1")
    assert dict(told.after) == {str(changed): file(b"new")}
    (workspace / "build" / "CACHEDIR.TAG").unlink()


async def test_what_is_too_large_is_told_when_it_changed(workspace: Path, tmp_path: Path) -> None:
    watch = WorkspaceWatch(workspace, Shadow(None), limits=Limits(file_bytes=3))
    large = write(workspace / "large", b"12345")
    write(workspace / "other", b"12345")
    await watch.begin("c1")
    large.write_bytes(b"123456")
    grown = write(workspace / "grown", b"1234567")
    told = await watch.end("c1")
    assert told.before.skipped == (
        "large: changed by a command, and too large or too much to be kept",
    )
    assert dict(told.after) == {str(grown): file(b"1234567")}
    await watch.aclose()


async def test_of_very_many_files_the_first_are_covered_and_the_rest_is_not_guessed_at(
    workspace: Path,
) -> None:
    watch = WorkspaceWatch(workspace, Shadow(None), limits=Limits(files=3))
    paths = [write(workspace / "deep" / str(number), b"x") for number in range(5)]
    assert await watch.begin("c1") == (f"{workspace}: only the first 3 entries are kept",)
    for path in paths:
        path.unlink()
    told = await watch.end("c1")
    assert len(told.after) == 2
    await watch.aclose()


async def test_without_room_or_time_contents_are_not_kept_and_that_is_told(
    workspace: Path,
) -> None:
    for limits in (Limits(bytes=2), Limits(seconds=-1)):
        path = write(workspace / "a", b"123")
        watch = WorkspaceWatch(workspace, Shadow(None), limits=limits)
        await watch.begin("c1")
        path.write_bytes(b"456")
        told = await watch.end("c1")
        assert (dict(told.after), len(told.before.skipped)) == ({}, 1)
        await watch.aclose()


async def test_a_later_look_reads_only_what_looks_different(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write(workspace / str(number), b"x%d" % number) for number in range(20)]
    for path in paths:
        os.utime(path, (1, 1))
    read: list[str] = []
    content = watching._content

    def counted(path: str) -> bytes | None:
        read.append(path)
        return content(path)

    monkeypatch.setattr(watching, "_content", counted)
    monkeypatch.setattr(watching, "_FRESH_NANOSECONDS", -(10**12))
    for expected in (20, 0, 1):
        watch = WorkspaceWatch(workspace, Shadow(tmp_path / "shadow.db"))
        if expected == 1:
            paths[3].write_bytes(b"longer than before")
        read.clear()
        await watch.begin("c1")
        assert len(read) == expected
        await watch.end("c1")
        assert len(read) == expected
        await watch.aclose()


async def test_a_file_changed_at_the_same_instant_is_read_again(
    watch: WorkspaceWatch, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(workspace / "a", b"one")
    look = watching._look_of(path.lstat())
    monkeypatch.setattr(watching, "_look_of", lambda _: look)
    await watch.begin("c1")
    path.write_bytes(b"two")
    assert dict((await watch.end("c1")).after) == {str(path): file(b"two")}


async def test_what_is_no_file_and_what_cannot_be_read_is_passed_over(
    watch: WorkspaceWatch, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(workspace / "pipe")
    gone = write(workspace / "gone", b"x")
    monkeypatch.setattr(watching, "_content", lambda _: None)
    await watch.begin("c1")
    gone.unlink()
    assert (await watch.end("c1")).before.skipped[0].startswith("gone: changed by a command")


async def test_another_folder_of_victors_own_is_left_out(workspace: Path) -> None:
    own = workspace / "home"
    watch = WorkspaceWatch(workspace, Shadow(own / "shadow.db"), apart=(own,))
    await watch.begin("c1")
    assert (await watch.end("c1")).after == {}
    assert stat.S_IMODE((own / "shadow.db").stat().st_mode) == 0o600
    await watch.aclose()


async def test_an_end_without_a_begin_is_an_error(watch: WorkspaceWatch) -> None:
    with pytest.raises(CheckpointError, match="'c9'"):
        await watch.end("c9")


async def test_a_copy_that_is_no_database_is_made_anew(workspace: Path, tmp_path: Path) -> None:
    shadow = write(tmp_path / "shadow.db", b"no database at all" * 100)
    path = write(workspace / "a", b"old")
    watch = WorkspaceWatch(workspace, Shadow(shadow))
    await watch.begin("c1")
    path.write_bytes(b"newer")
    assert list((await watch.end("c1")).after) == [str(path)]
    await watch.aclose()


async def test_a_copy_that_breaks_in_use_is_an_error_once(workspace: Path, tmp_path: Path) -> None:
    shadow = tmp_path / "shadow.db"
    path = write(workspace / "a", b"old")
    watch = WorkspaceWatch(workspace, Shadow(shadow))
    await watch.begin("c1")
    with sqlite3.connect(shadow) as connection:
        connection.execute("UPDATE contents SET data = x'00'")
    connection.close()
    path.write_bytes(b"newer")
    with pytest.raises(CheckpointError, match=r"shadow.db: .*only a copy"):
        await watch.end("c1")
    await watch.begin("c2")
    path.write_bytes(b"and newest")
    assert list((await watch.end("c2")).after) == [str(path)]
    await watch.aclose()


async def test_a_copy_that_cannot_be_made_is_an_error_that_names_it(
    workspace: Path, tmp_path: Path
) -> None:
    taken = write(tmp_path / "taken", b"")
    watch = WorkspaceWatch(workspace, Shadow(taken / "shadow.db"))
    with pytest.raises(CheckpointError, match="taken"):
        await watch.begin("c1")
    await watch.aclose()


async def test_a_content_that_was_lost_is_told_and_nothing_else(
    watch: WorkspaceWatch, workspace: Path, tmp_path: Path
) -> None:
    path = write(workspace / "a", b"old")
    await watch.begin("c1")
    with sqlite3.connect(tmp_path / "shadow.db") as connection:
        connection.execute("DELETE FROM contents")
    connection.close()
    path.write_bytes(b"new")
    told = await watch.end("c1")
    assert (dict(told.after), len(told.before.skipped)) == ({}, 1)


async def test_contents_that_no_file_has_any_more_are_dropped_in_the_end(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadow = tmp_path / "shadow.db"
    path = write(workspace / "a", b"old")
    monkeypatch.setattr("victor.storage.shadow.UNUSED_SECONDS", -10.0)
    watch = WorkspaceWatch(workspace, Shadow(shadow))
    await watch.begin("c1")
    path.write_bytes(b"newer")
    await watch.end("c1")
    await watch.aclose()
    with sqlite3.connect(shadow) as connection:
        assert connection.execute("SELECT count(*) FROM contents").fetchone() == (1,)
    connection.close()


async def test_a_copy_of_another_version_is_made_anew(workspace: Path, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shadow.db") as connection:
        connection.execute("CREATE TABLE contents (other)")
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    path = write(workspace / "a", b"old")
    watch = WorkspaceWatch(workspace, Shadow(tmp_path / "shadow.db"))
    await watch.begin("c1")
    path.write_bytes(b"newer")
    assert list((await watch.end("c1")).after) == [str(path)]
    await watch.aclose()


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Everything below the folder: contents of files, None for folders."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }
