"""Files as checkpoints know them: read before a step, compared after it, put back by an undo.

A state is `absent`, the sha256 of a file's content, or `link:` with a symbolic link's target; what
is neither, or cannot be read, has none. Permission bits are kept and restored with a content; a
change of them alone is none. A path is never followed out of the workspace.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from victor.errors import CheckpointError
from victor.protocols import FileImage

T = TypeVar("T")

ABSENT = "absent"
MOST_BYTES = 20 * 1024 * 1024
"""A larger file is not kept."""

_INLINE_BYTES = 256 * 1024
"""Up to here reading and hashing is cheaper than a thread."""


class FileImages:
    """The files below `workspace`; of each at most `most_bytes` are kept."""

    def __init__(self, workspace: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._workspace = workspace.resolve()
        self._most_bytes = most_bytes

    async def read(self, paths: tuple[Path, ...]) -> tuple[tuple[FileImage, ...], tuple[str, ...]]:
        """Return the files at `paths` as they are, and those that cannot be kept, with the reason.

        A symbolic link is kept as such, and with it the file that it leads to. Relative paths
        start at the workspace.
        """
        return await _where_it_fits(tuple(map(os.fspath, paths)), lambda: self._read(paths))

    async def states(self, paths: tuple[str, ...]) -> Mapping[str, str]:
        """Return the state of each path now; those that have none are left out."""

        def work() -> Mapping[str, str]:
            states = ((path, _state(path)) for path in paths)
            return {path: state for path, state in states if state is not None}

        return await _where_it_fits(paths, work)

    async def states_of(self, images: tuple[FileImage, ...]) -> tuple[str, ...]:
        """Return the state that `states` would tell of each image were it at its path."""
        size = sum(len(image.content or b"") for image in images)
        return await _done(lambda: tuple(map(_state_of, images)), size)

    async def restore(
        self, images: tuple[FileImage, ...], expected: Mapping[str, str]
    ) -> tuple[str, ...]:
        """Put the images at their paths and return the paths that were left as they are.

        Each is replaced as a whole, and only while its state is the `expected` one. Raises
        `CheckpointError` for what cannot be written; what came before it is restored.
        """

        def work() -> tuple[str, ...]:
            return tuple(
                image.path for image in images if not self._restore(image, expected[image.path])
            )

        return await asyncio.to_thread(work)

    async def diff(self, images: tuple[FileImage, ...]) -> str:
        """Return what restoring the images would change, as a unified diff."""
        return await asyncio.to_thread(lambda: "".join(self._diff(image) for image in images))

    def _read(self, paths: tuple[Path, ...]) -> tuple[tuple[FileImage, ...], tuple[str, ...]]:
        images: dict[str, FileImage] = {}
        skipped: dict[str, None] = {}
        for path in paths:
            try:
                for image in self._images(path):
                    images.setdefault(image.path, image)
            except CheckpointError as error:
                skipped[str(error)] = None
            except OSError as error:
                skipped[f"{path}: {error.strerror}"] = None
        return tuple(images.values()), tuple(skipped)

    def _images(self, path: Path) -> Iterable[FileImage]:
        """Return the image of `path`, and of what it leads to. Raises `CheckpointError`."""
        path = self._workspace / path
        place = _resolved(path.parent) / path.name
        if not self._contains(place):
            raise CheckpointError(f"{place}: outside the workspace")
        try:
            status = place.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return (FileImage(str(place), None),)
        if stat.S_ISLNK(status.st_mode):
            link = FileImage(str(place), None, link=str(place.readlink()))
            target = _resolved(place)
            followed = self._contains(target) and not target.is_symlink()
            return (link, *self._images(target)) if followed else (link,)
        if not stat.S_ISREG(status.st_mode):
            raise CheckpointError(f"{place}: not a file")
        if status.st_size > self._most_bytes:
            raise CheckpointError(
                f"{place}: {status.st_size} bytes, more than the {self._most_bytes} that are kept"
            )
        return (FileImage(str(place), place.read_bytes(), stat.S_IMODE(status.st_mode)),)

    def _contains(self, path: Path) -> bool:
        return path.is_relative_to(self._workspace)

    def _restore(self, image: FileImage, expected: str) -> bool:
        path = Path(image.path)
        try:
            # A folder of the path may have become a link that leads elsewhere.
            if not self._contains(_resolved(path.parent)) or _state(image.path) != expected:
                return False
            if image.link or image.content is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            _put(image, path, fresh=expected == ABSENT)
        except (FileExistsError, NotADirectoryError):
            return False
        except OSError as error:
            raise CheckpointError(
                f"Cannot restore {image.path}: {error.strerror}.",
                hint="Make it writable, then undo again.",
            ) from error
        return True

    def _diff(self, image: FileImage) -> str:
        now = _content(Path(image.path), _state(image.path))
        then = image.link.encode(errors="surrogateescape") if image.link else image.content
        name = os.path.relpath(image.path, self._workspace)
        return _unified(name, now, then)


def _resolved(path: Path) -> Path:
    # `Path.resolve` fails on links that lead to themselves.
    return Path(os.path.realpath(path))


def _state(path: str) -> str | None:
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            return f"link:{Path(path).readlink()}"
        if not stat.S_ISREG(mode):
            return None
        from hashlib import file_digest

        with Path(path).open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    except OSError:
        return None


def _state_of(image: FileImage) -> str:
    from hashlib import sha256

    if image.link:
        return f"link:{image.link}"
    return ABSENT if image.content is None else sha256(image.content).hexdigest()


def _put(image: FileImage, path: Path, *, fresh: bool) -> None:
    """Make `path` what the image says; where it is `fresh`, only if nothing has come there."""
    if not image.link and image.content is None:
        path.unlink()
        return
    aside = _written_aside(image, path.parent)
    try:
        if fresh:
            _move_to_free_place(aside, path)
        else:
            aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _move_to_free_place(aside: Path, path: Path) -> None:
    """Raises `FileExistsError` if the place is taken."""
    try:
        os.link(aside, path, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        # Some file systems know no second names; there a look has to do.
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        aside.replace(path)


def _written_aside(image: FileImage, folder: Path) -> Path:
    """Return a file beside the place, so that it can take the place in one move."""
    aside = folder / f".victor-{os.urandom(8).hex()}"
    if image.link:
        aside.symlink_to(image.link)
        return aside
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(image.content or b"")
            os.fchmod(file.fileno(), image.mode)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return aside


def _content(path: Path, state: str | None) -> bytes | None:
    if state == ABSENT:
        return None
    if state is not None and state.startswith("link:"):
        return state.removeprefix("link:").encode(errors="surrogateescape")
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""


def _unified(name: str, now: bytes | None, then: bytes | None) -> str:
    from difflib import unified_diff

    before, after = _lines(now), _lines(then)
    if before is None or after is None:
        return f"Binary file {name} changes\n"
    source = "/dev/null" if now is None else f"a/{name}"
    target = "/dev/null" if then is None else f"b/{name}"
    lines = unified_diff(before, after, source, target)
    ended = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    return "".join(ended)


def _lines(content: bytes | None) -> list[str] | None:
    """Return the lines of a text; None where it is none."""
    content = content or b""
    if b"\0" in content:
        return None
    with contextlib.suppress(UnicodeDecodeError):
        return re.findall(r"[^\n]*\n|[^\n]+", content.decode())
    return None


async def _where_it_fits(paths: tuple[str, ...], work: Callable[[], T]) -> T:
    """Do `work` on the files here if they are small, else in a thread."""
    size = 0
    for path in paths:
        with contextlib.suppress(OSError):
            size += os.stat(path).st_size  # noqa: PTH116 - half the time of Path.stat
    return await _done(work, size)


async def _done(work: Callable[[], T], size: int) -> T:
    return work() if size <= _INLINE_BYTES else await asyncio.to_thread(work)
