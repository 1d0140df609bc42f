"""Looking at files: `read`."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO, ClassVar

from victor.errors import ToolError, WorkspaceError
from victor.messages import Effect, Image, JsonObject, ToolSpec
from victor.protocols import ToolEnvironment, ToolOutput
from victor.tokens import of_text
from victor.tools import document, notebook, pdf
from victor.tools.document import document_of, encoding_of, is_binary, opened_regular
from victor.tools.files import ReadingTool
from victor.tools.matching import body, lines_of
from victor.tools.seen import SeenFiles
from victor.tools.threads import Stop, in_thread_until

READ_LINES = 2_000
LINE_CHARACTERS = 2_000
PICTURE_BYTES = 3_500_000
"""More than this, sent as text, is refused by vendors."""
_NUMBER_TOKENS = 6
"""What the number of a line takes, and what stands around it."""
_BEGINNING = 8_192
_SKIPPED_AT_ONCE = 65_536
_SETTLED_SECONDS = 2.0

_PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


@dataclass(frozen=True, slots=True)
class _Page:
    """Which lines are asked for."""

    offset: int
    limit: int
    tokens: int
    """How many it may have; the first line is shown whatever it has."""


@dataclass(frozen=True, slots=True)
class Read(ReadingTool):
    """Shows a file: text with line numbers, a page at a time; pictures, notebooks and PDFs, too."""

    seen: SeenFiles = field(default_factory=SeenFiles)
    """What the model knows of files; to be shared with the tools that change them."""

    bounds: ClassVar[tuple[str, ...]] = (
        f"{READ_LINES:,} lines at once, and what the model may be shown; the rest by `offset`",
        f"{LINE_CHARACTERS:,} characters of a line",
        f"pictures of {PICTURE_BYTES / 1_000_000:g} MB, for models that see",
        f"files over {document.EDITABLE_BYTES // 1_000_000} MB by pieces, and not to be edited",
    )
    refuses: ClassVar[tuple[str, ...]] = (
        "binary files, pipes and devices",
        "what rules hide, and what is outside of the workspace",
        "PDFs where the extra `documents` is not installed, and encrypted ones",
    )
    spec: ClassVar[ToolSpec] = ToolSpec(
        "read",
        "Read a file. Gives its lines with their numbers. Pictures are shown, the text of PDFs and"
        " the cells of notebooks are given as lines.",
        {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "File, from the top of the workspace"},
                "offset": {"type": "integer", "description": "First line, counted from 1"},
                "limit": {"type": "integer", "description": "How many lines at most"},
                "raw": {
                    "type": "boolean",
                    "description": "Show a notebook as the JSON that it is, to edit it",
                },
            },
            "required": ["path"],
            "additionalProperties": False,
        },
        Effect.READ_ONLY,
        essential=True,
    )

    async def depends_on(
        self, arguments: JsonObject, environment: ToolEnvironment
    ) -> tuple[object, ...] | None:
        """Return which state of the file the result is of."""
        return await in_thread_until(Stop(), self._state, arguments.get("path"))

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return the lines, and how to go on where there are more. Raises `ToolError`."""
        limit = arguments.get("limit") or READ_LINES
        if limit < 1:
            raise ToolError("limit must be at least 1.")
        page = _Page(
            max(1, arguments.get("offset") or 1), limit, environment.output_tokens * 9 // 10
        )
        return await in_thread_until(Stop(), self._shown, arguments, page, environment)

    def _state(self, _stop: Stop, path: object) -> tuple[object, ...] | None:
        try:
            status = self.workspace.file(path if isinstance(path, str) else "").stat()
        except (WorkspaceError, OSError):
            return None
        if max(status.st_mtime, status.st_ctime) > time.time() - _SETTLED_SECONDS:
            return None  # A clock that is coarse could hide the next change.
        return (
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )

    def _shown(
        self, stop: Stop, arguments: JsonObject, page: _Page, environment: ToolEnvironment
    ) -> ToolOutput:
        file = self.workspace.file(arguments["path"], environment.hides)
        name = self.workspace.name(file)
        with opened_regular(file, name, self.workspace.root_of(file)) as raw:
            size = os.fstat(raw.fileno()).st_size
            beginning = raw.read(_BEGINNING)
            raw.seek(0)
            data = raw.read() if size <= document.EDITABLE_BYTES else None
            raw.seek(0)
            if data is not None:
                self.seen.note(file, data)
            if not beginning:
                return ToolOutput(f"{name} is empty.")
            if media_type := _picture(beginning):
                return _looked_at(name, raw, size, media_type, environment)
            if beginning.startswith(pdf.MARK):
                return ToolOutput(_numbered(name, pdf.lines(raw, name), page, stop))
            if is_binary(beginning):
                said = f"{name} is not a text file ({size:,} bytes); it cannot be shown."
                return ToolOutput(said)
            if data is None:
                return ToolOutput(_numbered(name, _streamed(raw, beginning, stop), page, stop))
        found = document_of(data, name)
        text = _encodable(found.text)
        if file.suffix == ".ipynb" and not arguments.get("raw"):
            return ToolOutput(_numbered(name, notebook.lines(text, name), page, stop))
        lines = lines_of(text)
        more = f" Lines in all: {len(lines)}."
        if found.encoding != "utf-8":
            more += f" Encoding: {found.encoding}."
        return ToolOutput(_numbered(name, (_cut(body(line)) for line in lines), page, stop, more))


def _encodable(text: str) -> str:
    """Return the text with a sign for each byte that was not of its encoding."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _picture(beginning: bytes) -> str:
    """Return the media type of a picture; empty for anything else."""
    if beginning.startswith(b"RIFF") and beginning[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for mark, kind in _PICTURES if beginning.startswith(mark)), "")


def _looked_at(
    name: str, raw: BinaryIO, size: int, media_type: str, environment: ToolEnvironment
) -> ToolOutput:
    said = f"{name} is a picture ({media_type}, {size:,} bytes)"
    if not environment.sees_images:
        return ToolOutput(f"{said}; the model in use cannot see pictures.")
    if size > PICTURE_BYTES:
        raise ToolError(f"{said}, which is too large to look at. Make a smaller one of it.")
    return ToolOutput(f"{said}; it is shown below.", images=(Image(raw.read(), media_type),))


def _streamed(raw: BinaryIO, beginning: bytes, stop: Stop) -> Iterator[str]:
    """Yield the lines of a file too large to hold; of a line, no more than may be shown."""
    mark, encoding = encoding_of(beginning)
    raw.seek(len(mark))
    text = io.TextIOWrapper(raw, encoding, "replace", newline="\n")
    try:
        while line := text.readline(LINE_CHARACTERS + 1):
            more, rest = 0, line
            while not rest.endswith("\n") and (rest := text.readline(_SKIPPED_AT_ONCE)):
                stop.check()
                more += len(body(rest))
            yield _cut(body(line), more)
    finally:
        text.detach()


def _numbered(name: str, lines: Iterator[str], page: _Page, stop: Stop, more: str = "") -> str:
    """Return the page of the lines, which have no ends, with what there is to say of the file."""
    shown: list[str] = []
    used = before = 0
    for _ in islice(lines, page.offset - 1):
        stop.check()
        before += 1
    ending = f"[End of {name}."
    for number, line in enumerate(lines, page.offset):
        used += of_text(line) + _NUMBER_TOKENS
        if len(shown) == page.limit or (shown and used > page.tokens):
            ending = f"[There are more lines: go on with offset={number}."
            break
        shown.append(f"{number}\t{line}")
    if not shown:
        return f"[{name} has only {before} lines, so there is no line {page.offset}.]"
    return "\n".join([*shown, f"{ending}{more}]"])


def _cut(line: str, more: int = 0) -> str:
    """Return the line, at most so long as may be shown; `more` is how much of it is missing."""
    if len(line) <= LINE_CHARACTERS:
        return line
    more += len(line) - LINE_CHARACTERS
    return f"{line[:LINE_CHARACTERS]} [... {more:,} more characters]"
