"""What an undo takes back, and what it never touches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from victor.agent.coordinators.checkpoint_coordinator import CheckpointCoordinator, UndoReport
from victor.errors import CheckpointError
from victor.protocols import Change, ReadContent
from victor.storage.file_images import FileImages
from victor.storage.memory_checkpoints import MemoryCheckpointStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def checkpoints(workspace: Path) -> CheckpointCoordinator:
    return CheckpointCoordinator(MemoryCheckpointStore(), FileImages(workspace))


async def edit(
    checkpoints: CheckpointCoordinator, turn: str, changes: dict[Path, bytes | None]
) -> None:
    """One step of the agent, as the turn loop makes it."""
    checkpoint = await checkpoints.before("s1", turn, tuple(changes))
    for path, content in changes.items():
        if content is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    assert checkpoint is not None
    await checkpoints.after(checkpoint)


async def test_where_nothing_may_change_there_is_no_checkpoint(
    checkpoints: CheckpointCoordinator,
) -> None:
    assert await checkpoints.before("s1", "t1", ()) is None
    assert await checkpoints.undo("s1") == UndoReport()


async def test_the_last_turn_is_taken_back_whole_and_then_the_one_before(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    old, new, gone = workspace / "old.txt", workspace / "deep" / "new.txt", workspace / "gone.bin"
    old.write_bytes(b"one\r\n")
    gone.write_bytes(b"\x00\xff")
    gone.chmod(0o750)
    await edit(checkpoints, "t1", {old: b"two"})
    await edit(checkpoints, "t2", {old: b"three", new: b"n"})
    await edit(checkpoints, "t2", {old: b"four", gone: None})

    report = await checkpoints.undo("s1")
    assert report.turn_id == "t2"
    assert set(report.restored) == {str(old), str(gone)}
    assert set(report.removed) == {str(new), str(new.parent)}
    assert report.conflicts == report.skipped == ()
    assert old.read_bytes() == b"two"
    assert gone.read_bytes() == b"\x00\xff"
    assert gone.stat().st_mode & 0o777 == 0o750
    assert not new.parent.exists()

    assert (await checkpoints.undo("s1")).turn_id == "t1"
    assert old.read_bytes() == b"one\r\n"
    assert await checkpoints.undo("s1") == UndoReport()


async def test_a_file_that_a_person_changed_since_is_left_and_named(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    mine, theirs, fresh = (workspace / name for name in ("mine", "theirs", "fresh"))
    mine.write_bytes(b"a")
    theirs.write_bytes(b"a")
    await edit(checkpoints, "t1", {mine: b"b", theirs: b"b", fresh: b"b"})
    theirs.write_bytes(b"person")
    fresh.write_bytes(b"person")
    report = await checkpoints.undo("s1")
    assert report.restored == (str(mine),)
    assert report.conflicts == (str(theirs), str(fresh))
    assert theirs.read_bytes() == fresh.read_bytes() == b"person"


async def test_what_a_person_did_between_two_steps_is_what_comes_back(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    path = workspace / "a"
    path.write_bytes(b"1")
    await edit(checkpoints, "t1", {path: b"2"})
    path.write_bytes(b"person")
    await edit(checkpoints, "t1", {path: b"3"})
    report = await checkpoints.undo("s1")
    assert path.read_bytes() == b"person"
    assert report.restored == report.conflicts == (str(path),)


async def test_a_change_that_a_person_took_back_is_not_dug_under(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    once, twice = workspace / "once", workspace / "twice"
    once.write_bytes(b"0")
    twice.write_bytes(b"0")
    await edit(checkpoints, "t1", {twice: None})
    await edit(checkpoints, "t1", {once: b"1", twice: b"1"})
    once.write_bytes(b"0")
    twice.unlink()
    report = await checkpoints.undo("s1")
    assert (report.restored, report.conflicts) == ((), (str(twice),))
    assert not twice.exists()


async def test_a_preview_tells_the_same_and_changes_nothing(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    text, binary, made = (workspace / name for name in ("text", "binary", "made"))
    text.write_bytes(b"one\ntwo")
    binary.write_bytes(b"\x00")
    await edit(checkpoints, "t1", {text: b"one\nthree\n", binary: b"\x01\x00", made: b"x\n"})
    preview = await checkpoints.preview_undo("s1")
    assert text.read_bytes() == b"one\nthree\n"
    assert preview.diff == (
        "--- a/text\n+++ b/text\n@@ -1,2 +1,2 @@\n"
        " one\n-three\n+two\n\\ No newline at end of file\n"
        "Binary file binary changes\n"
        "--- a/made\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    )
    report = await checkpoints.undo("s1")
    assert (report.restored, report.removed) == (preview.restored, preview.removed)


async def test_a_step_that_was_cut_short_is_not_guessed_at(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    changed, untouched = workspace / "changed", workspace / "untouched"
    changed.write_bytes(b"a")
    untouched.write_bytes(b"a")
    await checkpoints.before("s1", "t1", (changed, untouched))
    changed.write_bytes(b"half")
    report = await checkpoints.undo("s1")
    assert report.conflicts == (str(changed),)
    assert report.restored == ()
    assert changed.read_bytes() == b"half"


async def test_a_file_that_became_a_folder_is_a_file_again_unless_somebody_uses_the_folder(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    free, used = workspace / "free", workspace / "used"
    for path in (free, used):
        path.write_bytes(b"a")
    kept = await checkpoints.before("s1", "t1", (free, used))
    for path in (free, used):
        path.unlink()
        path.mkdir()
    assert kept is not None
    await checkpoints.after(kept)
    (used / "note").write_bytes(b"person")
    report = await checkpoints.undo("s1")
    assert report.restored == (str(free),)
    assert free.read_bytes() == b"a"
    assert (used / "note").read_bytes() == b"person"
    report = await checkpoints.redo("s1")
    assert report.restored == (str(free),)
    assert free.is_dir()


async def test_a_folder_that_became_a_file_is_a_folder_again_with_all_that_was_in_it(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    folder = workspace / "folder"
    inner = folder / "deep" / "file"
    inner.parent.mkdir(parents=True)
    inner.write_bytes(b"x")
    kept = await checkpoints.before("s1", "t1", (folder, inner.parent, inner))
    inner.unlink()
    inner.parent.rmdir()
    folder.rmdir()
    folder.write_bytes(b"now a file")
    assert kept is not None
    await checkpoints.after(kept)
    assert (await checkpoints.undo("s1")).conflicts == ()
    assert inner.read_bytes() == b"x"
    assert (await checkpoints.redo("s1")).conflicts == ()
    assert folder.read_bytes() == b"now a file"


async def test_what_was_undone_comes_back_until_the_agent_changes_something_again(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    path = workspace / "a"
    for turn, content in (("t1", b"1"), ("t2", b"2"), ("t3", b"3")):
        await edit(checkpoints, turn, {path: content})
    assert (await checkpoints.redo("s1")) == UndoReport()
    await checkpoints.undo("s1")
    await checkpoints.undo("s1")
    assert path.read_bytes() == b"1"
    assert "+2" in (await checkpoints.preview_redo("s1")).diff
    assert (await checkpoints.redo("s1")).turn_id == "t2"
    assert path.read_bytes() == b"2"
    assert (await checkpoints.redo("s1")).turn_id == "t3"
    assert path.read_bytes() == b"3"
    assert await checkpoints.preview_redo("s1") == await checkpoints.redo("s1") == UndoReport()
    await checkpoints.undo("s1")
    await edit(checkpoints, "t4", {path: b"4"})
    assert await checkpoints.redo("s1") == UndoReport()
    assert path.read_bytes() == b"4"
    await checkpoints.undo("s1")
    assert path.read_bytes() == b"2"


async def test_a_redo_leaves_what_somebody_has_changed_since_the_undo(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    mine, theirs = workspace / "mine", workspace / "theirs"
    await edit(checkpoints, "t1", {mine: b"1", theirs: b"1"})
    await checkpoints.undo("s1")
    theirs.write_bytes(b"person")
    report = await checkpoints.redo("s1")
    assert (report.restored, report.conflicts) == ((str(mine),), (str(theirs),))
    assert theirs.read_bytes() == b"person"


async def test_a_rewind_takes_several_turns_back_at_once_and_a_redo_brings_them_back(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    one, two = workspace / "one", workspace / "two"
    await edit(checkpoints, "t1", {one: b"1"})
    await edit(checkpoints, "t2", {one: b"2"})
    await edit(checkpoints, "t3", {one: b"3", two: b"3"})
    preview = await checkpoints.preview_rewind("s1", ("t2", "t3"))
    report = await checkpoints.rewind("s1", ("t2", "t3"))
    assert report == replace(preview, diff="", restore_id=report.restore_id)
    assert report.turns == ("t2", "t3")
    assert (one.read_bytes(), two.exists()) == (b"1", False)
    assert (await checkpoints.redo("s1")).turns == ("t2", "t3")
    assert (one.read_bytes(), two.read_bytes()) == (b"3", b"3")


async def test_a_restore_that_was_cut_short_is_finished_and_comes_back_whole(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    one, two = workspace / "one", workspace / "two"
    for path in (one, two):
        path.write_bytes(b"0")
    await edit(checkpoints, "t1", {one: b"1", two: b"1"})
    cut = CheckpointCoordinator(checkpoints._store, HalfRestored(workspace))
    with pytest.raises(CheckpointError):
        await cut.undo("s1")
    assert (one.read_bytes(), two.read_bytes()) == (b"0", b"1")
    await checkpoints.undo("s1")
    assert (one.read_bytes(), two.read_bytes()) == (b"0", b"0")
    await checkpoints.redo("s1")
    assert (one.read_bytes(), two.read_bytes()) == (b"1", b"1")


async def test_permissions_alone_are_taken_back_and_a_persons_are_kept(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    plain, edited, theirs = (workspace / name for name in ("plain", "edited", "theirs"))
    for path in (plain, edited, theirs):
        path.write_bytes(b"x")
        path.chmod(0o644)
    kept = await checkpoints.before("s1", "t1", (plain, edited, theirs))
    plain.chmod(0o755)
    edited.chmod(0o755)
    theirs.write_bytes(b"agent")
    assert kept is not None
    await checkpoints.after(kept)
    edited.write_bytes(b"person")
    theirs.chmod(0o600)
    preview = await checkpoints.preview_undo("s1")
    assert "Permissions of plain: 0755 become 0644\n" in preview.diff
    assert (await checkpoints.undo("s1")).conflicts == ()
    modes = [path.stat().st_mode & 0o777 for path in (plain, edited, theirs)]
    assert modes == [0o644, 0o644, 0o600]
    assert [path.read_bytes() for path in (plain, edited, theirs)] == [b"x", b"person", b"x"]


class HalfRestored(FileImages):
    """Files of which the first is restored, and then the disk is gone."""

    async def restore(self, changes: tuple[Change, ...], content: ReadContent) -> tuple[str, ...]:
        await super().restore(changes[:1], content)
        raise CheckpointError("Cannot restore: the disk is gone.")


async def test_what_was_not_kept_is_listed_with_the_reason(tmp_path: Path, workspace: Path) -> None:
    checkpoints = CheckpointCoordinator(
        MemoryCheckpointStore(), FileImages(workspace, most_bytes=3)
    )
    large, small, outside = workspace / "large", workspace / "small", tmp_path / "outside"
    large.write_bytes(b"1234")
    await edit(checkpoints, "t1", {large: b"x", small: b"y", outside: b"z"})
    report = await checkpoints.undo("s1")
    assert report.skipped == (
        f"{large}: 4 bytes, more than the 3 that are kept",
        f"{outside}: outside the workspace",
    )
    assert large.read_bytes() == b"x"
    assert outside.read_bytes() == b"z"
    assert report.removed == (str(small),)


async def test_a_file_written_through_a_link_comes_back_and_the_link_stays(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    target, link = workspace / "target", workspace / "link"
    target.write_bytes(b"a")
    link.symlink_to("target")
    await edit(checkpoints, "t1", {link: b"b"})
    assert (await checkpoints.undo("s1")).restored == (str(target),)
    assert target.read_bytes() == b"a"
    assert str(link.readlink()) == "target"


async def test_a_link_that_was_replaced_or_deleted_comes_back(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    replaced, deleted = workspace / "replaced", workspace / "deleted"
    replaced.symlink_to("nowhere")
    deleted.symlink_to("/etc/passwd")
    kept = await checkpoints.before("s1", "t1", (replaced, deleted))
    replaced.unlink()
    replaced.write_bytes(b"now a file")
    deleted.unlink()
    assert kept is not None
    await checkpoints.after(kept)
    assert "/etc/passwd" in (await checkpoints.preview_undo("s1")).diff
    assert len((await checkpoints.undo("s1")).restored) == 2
    assert str(replaced.readlink()) == "nowhere"
    assert str(deleted.readlink()) == "/etc/passwd"


async def test_forgetting_a_session_leaves_nothing_to_undo(
    checkpoints: CheckpointCoordinator, workspace: Path
) -> None:
    path = workspace / "a"
    await edit(checkpoints, "t1", {path: b"b"})
    assert len(await checkpoints.list("s1")) == 1
    await checkpoints.forget("s1")
    assert await checkpoints.undo("s1") == UndoReport()
    assert path.read_bytes() == b"b"
    await checkpoints.aclose()


class UnwritableFiles(FileImages):
    """Files of which none can be written."""

    async def restore(self, changes: object, content: object) -> tuple[str, ...]:
        raise CheckpointError("Cannot restore: the disk is gone.")


async def test_an_undo_that_fails_can_be_done_again(workspace: Path) -> None:
    store = MemoryCheckpointStore()
    path = workspace / "a"
    path.write_bytes(b"a")
    await edit(CheckpointCoordinator(store, FileImages(workspace)), "t1", {path: b"b"})
    with pytest.raises(CheckpointError):
        await CheckpointCoordinator(store, UnwritableFiles(workspace)).undo("s1")
    await CheckpointCoordinator(store, FileImages(workspace)).undo("s1")
    assert path.read_bytes() == b"a"
