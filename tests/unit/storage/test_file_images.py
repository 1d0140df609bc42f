"""Files read for checkpoints and put back, with what a workspace may hold."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from victor.errors import CheckpointError
from victor.protocols import FileImage, IFileImages
from victor.storage import file_images
from victor.storage.file_images import ABSENT, FileImages

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


async def test_the_states_of_images_are_the_states_of_their_files(
    files: FileImages, workspace: Path
) -> None:
    (workspace / "a").write_bytes(b"x" * 1_000_000)
    (workspace / "link").symlink_to("gone")
    (workspace / "odd-\udcff").write_bytes(b"")
    paths = tuple(workspace / name for name in ("a", "link", "odd-\udcff", "none", "a/below"))
    images, skipped = await files.read(paths)
    assert skipped == ()
    states = await files.states(tuple(image.path for image in images))
    assert tuple(states.values()) == await files.states_of(images)
    assert states[str(workspace / "none")] == states[str(workspace / "a" / "below")] == ABSENT
    assert states[str(workspace / "link")] == "link:gone"


async def test_relative_paths_start_at_the_workspace(files: FileImages, workspace: Path) -> None:
    (workspace / "a").write_bytes(b"x")
    images, _ = await files.read((Path("a"), workspace / "a", Path("sub/../a")))
    assert images == (FileImage(str(workspace / "a"), b"x", 0o644),)


async def test_nothing_outside_the_workspace_is_read(
    files: FileImages, workspace: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"key")
    (workspace / "out").symlink_to(tmp_path)
    (workspace / "file").symlink_to(secret)
    (workspace / "loop").symlink_to("loop")
    images, skipped = await files.read(
        (secret, workspace / "out" / "secret", workspace / "file", workspace / "loop")
    )
    assert {image.content for image in images} == {None}
    assert [image.link for image in images] == [str(secret), "loop"]
    assert skipped == (f"{secret}: outside the workspace",)


async def test_what_is_no_file_has_no_state_and_is_not_kept(
    files: FileImages, workspace: Path
) -> None:
    os.mkfifo(workspace / "pipe")
    (workspace / "folder").mkdir()
    paths = (workspace / "pipe", workspace / "folder")
    images, skipped = await files.read(paths)
    assert images == ()
    assert skipped == tuple(f"{path}: not a file" for path in paths)
    assert await files.states(tuple(map(str, paths))) == {}


async def test_a_name_that_the_system_refuses_is_skipped_with_its_reason(
    files: FileImages, workspace: Path
) -> None:
    path = workspace / ("x" * 300)
    assert await files.read((path,)) == ((), (f"{path}: File name too long",))
    assert await files.states((str(path),)) == {}


async def test_an_image_takes_its_place_with_its_mode_and_folders(
    files: FileImages, workspace: Path
) -> None:
    path = workspace / "deep" / "er" / "run.sh"
    image = FileImage(str(path), b"#!/bin/sh\n", 0o755)
    assert await files.restore((image,), {str(path): ABSENT}) == ()
    assert path.read_bytes() == b"#!/bin/sh\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert [entry.name for entry in path.parent.iterdir()] == ["run.sh"]


async def test_a_path_that_is_not_as_expected_is_left(files: FileImages, workspace: Path) -> None:
    taken = workspace / "taken"
    taken.write_bytes(b"theirs")
    blocked = workspace / "taken" / "below"
    images = (FileImage(str(taken), b"old"), FileImage(str(blocked), b"old"))
    left = await files.restore(images, {str(taken): ABSENT, str(blocked): ABSENT})
    assert left == (str(taken), str(blocked))
    assert taken.read_bytes() == b"theirs"


async def test_a_folder_that_became_a_link_leads_nowhere(
    files: FileImages, workspace: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (workspace / "sub").symlink_to(outside)
    path = str(workspace / "sub" / "a")
    assert await files.restore((FileImage(path, b"x"),), {path: ABSENT}) == (path,)
    assert list(outside.iterdir()) == []


async def test_what_cannot_be_written_is_an_error_that_names_it(
    files: FileImages, workspace: Path
) -> None:
    path = str(workspace / ("x" * 255) / "a")
    too_long = str(workspace / ("x" * 300))
    with pytest.raises(CheckpointError, match=r"Cannot restore .*xxx.*: .*undo again"):
        await files.restore((FileImage(path, None),), {path: ABSENT})
    assert await files.restore((FileImage(too_long, b""),), {too_long: ABSENT}) == (too_long,)


async def test_without_second_names_a_file_still_comes_back_and_overwrites_nothing(
    files: FileImages, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(file_images.os, "link", refuse)
    path = workspace / "a"
    image = FileImage(str(path), b"x")
    assert await files.restore((image,), {str(path): ABSENT}) == ()
    assert path.read_bytes() == b"x"
    with pytest.raises(FileExistsError):
        file_images._move_to_free_place(workspace / "b", path)


async def test_a_diff_reads_as_one_whatever_the_files_hold(
    files: FileImages, workspace: Path
) -> None:
    (workspace / "latin").write_bytes(b"\xe9\n")
    (workspace / "odd").write_text("a\x0cb\u2028c\n")
    (workspace / "link").symlink_to("here")
    images = (
        FileImage(str(workspace / "latin"), b"e\n"),
        FileImage(str(workspace / "odd"), b"a\n"),
        FileImage(str(workspace / "link"), None, link="there"),
        FileImage(str(workspace / "back"), b"x\r\n"),
    )
    assert await files.diff(images) == (
        "Binary file latin changes\n"
        "--- a/odd\n+++ b/odd\n@@ -1 +1 @@\n-a\x0cb\u2028c\n+a\n"
        "--- a/link\n+++ b/link\n@@ -1 +1 @@\n"
        "-here\n\\ No newline at end of file\n+there\n\\ No newline at end of file\n"
        "--- /dev/null\n+++ b/back\n@@ -0,0 +1 @@\n+x\r\n"
    )
