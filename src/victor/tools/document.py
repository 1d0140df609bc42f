"""Text files as they are on disk: encoding, byte order mark, line ends, permissions, all kept."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class Document:
    """A text file's content."""

    text: str
    """Line ends as in the file. Bytes that are not of the encoding are kept as surrogates."""
    encoding: str = "utf-8"
    mark: bytes = b""
    """The byte order mark, if any; not part of `text`."""

    def encode(self, text: str) -> bytes:
        """Return the bytes of a file like this one that holds `text`."""
        return self.mark + text.encode(self.encoding, "surrogateescape")


def encoding_of(data: bytes) -> tuple[bytes, str]:
    """Return (the byte order mark at the beginning of `data`, the encoding)."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return mark, encoding
    return b"", "utf-8"


def is_binary(data: bytes) -> bool:
    """Return whether `data`, the beginning of a file, is no text."""
    return encoding_of(data)[1] == "utf-8" and b"\0" in data


def load(path: Path, name: str) -> Document:
    """Return the text file at `path`, called `name` in errors. Raises `WorkspaceError`."""
    try:
        size = path.stat().st_size
        if size > EDITABLE_BYTES:
            raise WorkspaceError(f"{name} has {size:,} bytes, which is too large to edit.")
        data = path.read_bytes()
    except OSError as error:
        raise WorkspaceError(f"{name} cannot be read: {error.strerror}.") from error
    if is_binary(data):
        raise WorkspaceError(f"{name} is not a text file.")
    mark, encoding = encoding_of(data)
    try:
        text = data[len(mark) :].decode(
            encoding, "surrogateescape" if encoding == "utf-8" else "strict"
        )
    except UnicodeDecodeError as error:
        raise WorkspaceError(f"{name} is not valid {encoding}: {error.reason}.") from error
    return Document(text, encoding, mark)


def replace_file(path: Path, data: bytes, name: str) -> None:
    """Put `data` at `path`, all or nothing, keeping permissions; folders are created.

    Raises `WorkspaceError`, and then what was there is untouched.
    """
    temporary = path.with_name(f".{path.name[:50]}.{secrets.token_hex(6)}")
    try:
        mode = _writable_mode(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise WorkspaceError(
            f"{name} cannot be written: {error.strerror}. What was there is unchanged."
        ) from error


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


def _writable_mode(path: Path) -> int | None:
    """Return the permissions of what stands at `path`; None where nothing does."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "it is read-only")
    return stat.S_IMODE(status.st_mode)
