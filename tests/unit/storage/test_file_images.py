"""Files read for checkpoints and put back, with what a workspace may hold."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest

from victor.errors import CheckpointError
from victor.protocols import ABSENT, Change, FileState, IFileImages, ReadContent, folder_state
from victor.storage import file_images
from victor.storage.file_images import FileImages, sha256_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def files(workspace: Path) -> FileImages:
    return FileImages(workspace)


async def test_it_fits_the_port(files: FileImages) -> None:
    assert isinstance(files, IFileImages)


def file(content: bytes, mode: int = 0o644) -> FileState:
    return FileState(sha256_of(content), mode)


async def nothing(sha256: str) -> bytes:
    raise AssertionError(sha256)


def only(content: bytes) -> ReadContent:
    async def read(sha256: str) -> bytes:
        assert sha256 == sha256_of(content)
        return content

    return read


async def test_what_is_read_is_what_is_told_of_each_path(
    files: FileImages, workspace: Path
) -> None:
    large = b"x" * 1_000_000
    (workspace / "a").write_bytes(large)
    (workspace / "a").chmod(0o640)
    (workspace / "link").symlink_to("gone")
    (workspace / "odd-\udcff").write_bytes(b"")
    (workspace / "odd-\udcff").chmod(0o644)
    (workspace / "folder").mkdir(mode=0o755)
    names = ("a", "link", "odd-\udcff", "none", "folder", "new/deep/file")
    kept = await files.read(tuple(workspace / name for name in names))
    assert kept.skipped == ()
    assert kept.states == {
        str(workspace / "a"): file(large, 0o640),
        str(workspace / "link"): FileState.link_to("gone"),
        str(workspace / "gone"): ABSENT,
        str(workspace / "odd-\udcff"): file(b""),
        str(workspace / "none"): ABSENT,
        str(workspace / "folder"): folder_state(0o755),
        str(workspace / "new"): ABSENT,
        str(workspace / "new" / "deep"): ABSENT,
        str(workspace / "new" / "deep" / "file"): ABSENT,
    }
    assert await files.states(tuple(kept.states)) == kept.states
    assert kept.contents == {sha256_of(large): large, sha256_of(b""): b""}


async def test_below_a_file_there_is_nothing(files: FileImages, workspace: Path) -> None:
    (workspace / "a").write_bytes(b"x")
    below = workspace / "a" / "below"
    assert await files.states((str(below),)) == {str(below): ABSENT}
    assert (await files.read((below,))).states == {str(below): ABSENT}


async def test_relative_paths_start_at_the_workspace(files: FileImages, workspace: Path) -> None:
    (workspace / "a").write_bytes(b"x")
    kept = await files.read((Path("a"), workspace / "a", Path("sub/../a")))
    assert list(kept.states) == [str(workspace / "a")]


async def test_nothing_outside_the_workspace_is_read(
    files: FileImages, workspace: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"key")
    (workspace / "out").symlink_to(tmp_path)
    (workspace / "file").symlink_to(secret)
    (workspace / "loop").symlink_to("loop")
    kept = await files.read(
        (secret, workspace / "out" / "secret", workspace / "file", workspace / "loop")
    )
    assert kept.contents == {}
    assert [state.link for state in kept.states.values()] == [str(secret), "loop"]
    assert kept.skipped == (f"{secret}: outside the workspace",)


async def test_what_is_no_file_has_no_state_and_is_not_kept(
    files: FileImages, workspace: Path
) -> None:
    os.mkfifo(workspace / "pipe")
    kept = await files.read((workspace / "pipe",))
    assert kept.states == {}
    assert kept.skipped == (f"{workspace / 'pipe'}: neither a file nor a folder",)
    assert await files.states((str(workspace / "pipe"),)) == {}


async def test_a_name_that_the_system_refuses_is_skipped_with_its_reason(
    files: FileImages, workspace: Path
) -> None:
    path = workspace / ("x" * 300)
    assert (await files.read((path,))).skipped == (f"{path}: File name too long",)
    assert await files.states((str(path),)) == {}


async def test_a_file_takes_its_place_with_its_permissions_and_folders(
    files: FileImages, workspace: Path
) -> None:
    path = workspace / "deep" / "er" / "run.sh"
    content = b"#!/bin/sh\n"
    change = Change(str(path), ABSENT, file(content, 0o755))
    assert await files.restore((change,), only(content)) == ()
    assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert [entry.name for entry in path.parent.iterdir()] == ["run.sh"]


async def test_permissions_alone_change_without_a_new_file(
    files: FileImages, workspace: Path
) -> None:
    path = workspace / "a"
    path.write_bytes(b"x")
    path.chmod(0o400)
    inode = path.stat().st_ino
    change = Change(str(path), file(b"x", 0o400), file(b"x", 0o755))
    assert await files.restore((change,), nothing) == ()
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_ino) == (0o755, inode)


async def test_a_read_only_file_is_replaced(files: FileImages, workspace: Path) -> None:
    path = workspace / "a"
    path.write_bytes(b"x")
    path.chmod(0o444)
    change = Change(str(path), file(b"x", 0o444), file(b"y", 0o444))
    assert await files.restore((change,), only(b"y")) == ()
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"y", 0o444)


async def test_a_folder_that_is_not_empty_stays(files: FileImages, workspace: Path) -> None:
    full, empty = workspace / "full", workspace / "empty"
    full.mkdir()
    empty.mkdir()
    (full / "note").write_bytes(b"theirs")
    mode = stat.S_IMODE(full.stat().st_mode)
    changes = tuple(Change(str(path), folder_state(mode), ABSENT) for path in (full, empty))
    assert await files.restore(changes, nothing) == (str(full),)
    assert not empty.exists()


async def test_a_path_that_is_not_as_expected_is_left(files: FileImages, workspace: Path) -> None:
    taken = workspace / "taken"
    taken.write_bytes(b"theirs")
    blocked = taken / "below"
    changes = tuple(Change(str(path), ABSENT, file(b"old")) for path in (taken, blocked))
    assert await files.restore(changes, only(b"old")) == (str(taken), str(blocked))
    assert taken.read_bytes() == b"theirs"


async def test_a_folder_that_became_a_link_leads_nowhere(
    files: FileImages, workspace: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "there").write_bytes(b"x")
    (workspace / "sub").symlink_to(outside)
    new, there = (str(workspace / "sub" / name) for name in ("new", "there"))
    mode = stat.S_IMODE((outside / "there").stat().st_mode)
    changes = (Change(new, ABSENT, file(b"y")), Change(there, file(b"x", mode), ABSENT))
    assert await files.restore(changes, only(b"y")) == (new, there)
    assert [entry.name for entry in outside.iterdir()] == ["there"]


async def test_a_folder_that_became_a_link_is_not_looked_into(
    files: FileImages, workspace: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "there").write_bytes(b"key")
    (workspace / "sub").symlink_to(outside)
    there = str(workspace / "sub/there")
    assert await files.states((there,)) == {there: ABSENT}
    change = Change(there, file(b"key"), file(b"new"))
    assert "key" not in await files.diff((change,), only(b"new"))


@pytest.mark.slow
async def test_a_folder_swapped_for_a_link_lets_nothing_out_or_in(
    files: FileImages, workspace: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    for folder in (outside, workspace / "sub"):
        folder.mkdir()
        (folder / "there").write_bytes(b"key" if folder is outside else b"own")
    (workspace / "link").symlink_to(outside)
    path = workspace / "sub/there"
    swap = (
        "import ctypes, sys\nlibc = ctypes.CDLL(None)\none, other = map(str.encode, sys.argv[1:])\n"
        "while True: libc.renameat2(-100, one, -100, other, 2)"
    )
    names = (str(workspace / "sub"), str(workspace / "link"))
    process = await asyncio.create_subprocess_exec(sys.executable, "-I", "-S", "-c", swap, *names)
    seen: set[bytes | None] = set()
    try:
        for _ in range(2_000):
            kept = await files.read((path,))
            seen.update(kept.contents.values() or (None,))
            change = Change(str(path), file(b"own", 0o644), file(b"own", 0o644))
            seen.add((await files.diff((change,), only(b"own"))).encode() or None)
            await files.restore((Change(str(path), ABSENT, file(b"new")),), only(b"new"))
    finally:
        process.kill()
        await process.wait()
    assert seen <= {b"own", b"new", None}
    assert len(seen) > 1
    assert [entry.name for entry in outside.iterdir()] == ["there"]


async def test_what_lies_outside_is_never_written(
    files: FileImages, workspace: Path, tmp_path: Path
) -> None:
    change = Change(str(tmp_path / "outside"), ABSENT, file(b"x"))
    assert await files.restore((change,), only(b"x")) == (change.path,)
    assert not (tmp_path / "outside").exists()


async def test_what_cannot_be_written_is_an_error_that_names_it(
    files: FileImages, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file_images.os, "fsync", refuse)
    path = workspace / "a"
    with pytest.raises(CheckpointError, match=r"Cannot restore .*a: No space left.*do it again"):
        await files.restore((Change(str(path), ABSENT, file(b"x")),), only(b"x"))
    assert list(workspace.iterdir()) == []


async def test_a_name_that_is_too_long_is_left(files: FileImages, workspace: Path) -> None:
    path = str(workspace / ("x" * 300))
    assert await files.restore((Change(path, ABSENT, file(b"x")),), only(b"x")) == (path,)


async def test_without_second_names_a_file_still_comes_back_and_overwrites_nothing(
    files: FileImages, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(file_images.os, "link", refuse)
    path = workspace / "a"
    change = Change(str(path), ABSENT, file(b"x"))
    assert await files.restore((change,), only(b"x")) == ()
    assert path.read_bytes() == b"x"
    folder = os.open(workspace, os.O_RDONLY)
    try:
        with pytest.raises(FileExistsError):
            file_images._move_to_free_place(folder, "b", "a")
    finally:
        os.close(folder)


async def test_a_diff_reads_as_one_whatever_the_files_hold(
    files: FileImages, workspace: Path
) -> None:
    (workspace / "latin").write_bytes(b"\xe9\n")
    (workspace / "odd").write_text("a\x0cb\u2028c\n")
    (workspace / "link").symlink_to("here")
    (workspace / "made").mkdir()
    contents = {sha256_of(content): content for content in (b"e\n", b"a\n", b"x\r\n")}

    async def content(sha256: str) -> bytes:
        return contents[sha256]

    def changed(name: str, then: FileState) -> Change:
        path = str(workspace / name)
        now = file_images.state_of(workspace, path)
        assert now is not None
        return Change(path, now, then)

    changes = (
        changed("latin", file(b"e\n")),
        changed("odd", file(b"a\n")),
        changed("link", FileState.link_to("there")),
        changed("back", file(b"x\r\n")),
        changed("made", ABSENT),
    )
    assert await files.diff(changes, content) == (
        "Binary file latin changes\n"
        "--- a/odd\n+++ b/odd\n@@ -1 +1 @@\n-a\x0cb\u2028c\n+a\n"
        "--- a/link\n+++ b/link\n@@ -1 +1 @@\n"
        "-here\n\\ No newline at end of file\n+there\n\\ No newline at end of file\n"
        "--- /dev/null\n+++ b/back\n@@ -0,0 +1 @@\n+x\r\n"
        "Folder made goes\n"
    )


async def test_a_diff_of_very_many_files_counts_the_rest(
    files: FileImages, workspace: Path
) -> None:
    changes = tuple(
        Change(str(workspace / str(number)), ABSENT, file(b"x\n")) for number in range(203)
    )
    assert (await files.diff(changes, only(b"x\n"))).endswith("... and 3 more files\n")
