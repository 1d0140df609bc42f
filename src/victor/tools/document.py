"""Text files as they are on disk: encoding, byte order mark, line ends, permissions, all kept."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from victor.beneath import regular_beneath
from victor.errors import ToolError, WorkspaceError

EDITABLE_BYTES = 20_000_000
DIFF_LINES = 400
"""What a diff is capped at, in lines."""
_DIFFED_LINES = 20_000

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_UTF_32 = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_UTF_8_BEYOND_ASCII = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)


@dataclass(frozen=True, slots=True)
class Document:
    """A text file's content."""

    text: str
    """Line ends as in the file. Bytes that are not of the encoding are kept as surrogates."""
    encoding: str = "utf-8"
    mark: bytes = b""
    """The byte order mark, if any; not part of `text`."""

    def encode(self, text: str, name: str) -> bytes:
        """Return the bytes of a file like this one, called `name`, that holds `text`.

        Raises `ToolError` for a character that its encoding does not have.
        """
        errors = "surrogateescape" if self.encoding == "utf-8" else "strict"
        try:
            return self.mark + text.encode(self.encoding, errors)
        except UnicodeEncodeError as error:
            sign = text[error.start]
            raise ToolError(
                f"{name} is written in {self.encoding}, which has no {sign!r}"
                f" (U+{ord(sign):04X}); nothing was changed."
            ) from error


def encoding_of(data: bytes) -> tuple[bytes, str]:
    """Return (the byte order mark at the beginning of `data`, the encoding)."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return mark, encoding
    return b"", "utf-8"


def is_binary(data: bytes) -> bool:
    """Return whether `data`, the beginning of a file or all of it, is no text."""
    if data.startswith(_UTF_32):
        return True
    return encoding_of(data)[1] == "utf-8" and b"\0" in data


@contextmanager
def opened_regular(path: Path, name: str, root: Path) -> Iterator[BinaryIO]:
    """Open the regular file at `path`, called `name` in errors, for reading.

    It is below `root`, and no link on the way is followed. Never waits for anybody, as opening a
    pipe would. Raises `WorkspaceError`.
    """
    try:
        file = regular_beneath(root, path)
        if file is None:
            raise WorkspaceError(f"{name} is no regular file, so it is not opened.")
        with file:
            yield file
    except OSError as error:
        raise WorkspaceError(f"{name} cannot be read: {error.strerror}.") from error


def read_bytes(path: Path, name: str, root: Path, limit: int | None = None) -> bytes:
    """Return what a file below `root` holds.

    Raises `WorkspaceError`, also for more than `limit` bytes.
    """
    most = EDITABLE_BYTES if limit is None else limit
    with opened_regular(path, name, root) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise WorkspaceError(f"{name} has {size:,} bytes, which is too large for this.")
        return file.read()


def document_of(data: bytes, name: str) -> Document:
    """Return the text that `data` is. Raises `WorkspaceError` where it is none.

    Without a byte order mark it is UTF-8; or else, where nothing in it is UTF-8 beyond ASCII, a
    text of one byte for each character, as Windows and older systems write it.
    """
    if is_binary(data):
        raise WorkspaceError(f"{name} is not a text file.")
    mark, encoding = encoding_of(data)
    rest = data[len(mark) :]
    try:
        return Document(rest.decode(encoding), encoding, mark)
    except UnicodeDecodeError as error:
        if mark and encoding != "utf-8":
            raise WorkspaceError(f"{name} is not valid {encoding}: {error.reason}.") from error
    if mark or _UTF_8_BEYOND_ASCII.search(rest):
        return Document(rest.decode("utf-8", "surrogateescape"), "utf-8", mark)
    try:
        return Document(rest.decode("cp1252"), "cp1252")
    except UnicodeDecodeError:
        return Document(rest.decode("latin-1"), "latin-1")


def unified_diff(before: str, after: str, name: str, *, source: str = "") -> str:
    """Return a unified diff of two texts, at most `DIFF_LINES` long; empty if they are equal.

    `source` is what the first text is called, where it is not the file itself.
    """
    if before == after:
        return ""
    old, new = before.splitlines(), after.splitlines()
    if len(old) + len(new) > _DIFFED_LINES:
        return f"{name}: {len(old):,} lines before, {len(new):,} after; too long for a diff"
    lines = list(difflib.unified_diff(old, new, source or f"a/{name}", f"b/{name}", lineterm=""))
    if not lines:
        return f"{name}: only line ends changed"
    if len(lines) > DIFF_LINES:
        left_out = len(lines) - DIFF_LINES
        lines = [*lines[:DIFF_LINES], f"... {left_out:,} more lines"]
    return "\n".join(lines)


def encodable(content: str) -> bytes:
    """Return `content` in UTF-8. Raises `ToolError` where it holds half a character."""
    try:
        return content.encode()
    except UnicodeEncodeError as error:
        raise ToolError(f"The text has an invalid character at {error.start}.") from error
