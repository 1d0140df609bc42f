"""What is let go in the end, and what stays."""

from __future__ import annotations

import os
import random
import sqlite3
from pathlib import Path

import pytest

from victor.agent.coordinators.checkpoint_coordinator import CheckpointCoordinator
from victor.protocols import ABSENT, FileState
from victor.storage import schema
from victor.storage.checkpoints import SqliteCheckpointStore
from victor.storage.file_images import FileImages
from victor.storage.memory_checkpoints import MemoryCheckpointStore
from victor.storage.retention import prune_folder, sweep

pytestmark = pytest.mark.anyio


def write(path: Path, size: int, used: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (used, used))
    return path


def test_old_files_go_and_then_the_oldest_until_the_rest_is_small_enough(tmp_path: Path) -> None:
    old = write(tmp_path / "gone" / "old", 10, 5.0)
    large = write(tmp_path / "kept" / "large", 900, 20.0)
    new = write(tmp_path / "kept" / "new", 90, 30.0)
    (tmp_path / "link").symlink_to(new)
    assert prune_folder(tmp_path, 10.0, 2_000) == 1
    assert not old.parent.exists()
    assert prune_folder(tmp_path, 10.0, 100) == 1
    assert (large.exists(), new.exists(), (tmp_path / "link").is_symlink()) == (False, True, True)
    assert prune_folder(tmp_path / "nowhere", 10.0, 100) == 0


async def test_outputs_and_copies_of_workspaces_are_swept_and_nothing_else(
    tmp_path: Path,
) -> None:
    swept = [write(tmp_path / name / "a", 1, 5.0) for name in ("outputs", "workspaces")]
    kept = write(tmp_path / "sessions.db", 1, 5.0)
    await sweep(tmp_path, 10.0)
    assert [path.exists() for path in (*swept, kept)] == [False, False, True]


async def test_in_the_end_old_checkpoints_are_let_go_as_the_settings_say(tmp_path: Path) -> None:
    store = MemoryCheckpointStore()
    moments: list[float] = []

    async def swept(before: float) -> None:
        moments.append(before)

    checkpoints = CheckpointCoordinator(store, FileImages(tmp_path), sweep=swept)
    checkpoints.configure({"checkpoint_days": 1.0, "checkpoint_limit_mb": 0.5})
    await checkpoints.aclose()
    assert moments == []
    noise = random.Random(1)
    for number in range(3):
        path = tmp_path / str(number)
        path.write_bytes(noise.randbytes(300_000))
        kept = await checkpoints.before("s1", f"t{number}", (path,))
        path.unlink()
        assert kept is not None
        await checkpoints.after(kept)
    await checkpoints.aclose()
    assert len(moments) == 1
    assert [bool(one.before) for one in await store.list("s1")] == [False, False, True]
    report = await checkpoints.undo("s1")
    assert (report.turn_id, len(report.restored)) == ("t2", 1)
    report = await checkpoints.preview_undo("s1")
    assert report.turn_id == "t1"
    assert "let go to make room" in report.skipped[0]


async def test_checkpoints_of_an_earlier_version_are_undone_as_before(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with sqlite3.connect(path) as connection:
        for statements in schema.MIGRATIONS[:2]:
            for statement in statements:
                connection.execute(statement)
        connection.execute("PRAGMA user_version = 2")
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute("INSERT INTO blobs VALUES ('aa', x'00')")
        after = '{"/a": "bb", "/new": "cc", "/link": "absent"}'
        connection.execute(
            "INSERT INTO checkpoints VALUES (1, 'c1', 's1', 't1', 1.0, ?, '[]', 0)", (after,)
        )
        connection.executemany(
            "INSERT INTO images VALUES (1, ?, ?, ?, ?)",
            [
                (b"/a", "aa", 0o755, b""),
                (b"/new", None, 0o644, b""),
                (b"/link", None, 0o644, b"there"),
                (b"/cut", None, 0o644, b""),
            ],
        )
    connection.close()
    store = SqliteCheckpointStore(path)
    (one,) = await store.list("s1")
    await store.aclose()
    assert one.before == {
        "/a": FileState("aa", 0o755),
        "/new": ABSENT,
        "/link": FileState.link_to("there"),
        "/cut": ABSENT,
    }
    assert one.after == {
        "/a": FileState("bb", 0o755),
        "/new": FileState("cc", 0o644),
        "/link": ABSENT,
    }
