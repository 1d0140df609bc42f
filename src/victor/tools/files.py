"""Looking at files and writing them whole: `read`, `write` and `list`."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from victor.errors import ToolError, WorkspaceError
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import Access, ToolEnvironment, ToolOutput
from victor.tools.document import (
    encodable,
    encoding_of,
    is_binary,
    load,
    replace_file,
    unified_diff,
)
from victor.tools.threads import in_thread, in_thread_to_its_end
from victor.tools.workspace import Workspace

READ_LINES = 2_000
LINE_CHARACTERS = 2_000
LISTED = 500
_COUNTED_BYTES = 4_000_000
"""Larger files are not read to the end just to tell how many lines there are."""


@dataclass(frozen=True, slots=True)
class Read:
    """Shows a text file with line numbers, a page at a time."""

    workspace: Workspace

    spec: ClassVar[ToolSpec] = ToolSpec(
        "read",
        "Read a text file. Gives its lines with their numbers.",
        {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "File, from the top of the workspace"},
                "offset": {"type": "integer", "description": "First line, counted from 1"},
                "limit": {"type": "integer", "description": "How many lines at most"},
            },
            "required": ["path"],
            "additionalProperties": False,
        },
        Effect.READ_ONLY,
    )

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return nothing: reading changes nothing."""
        return ()

    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        """Return the file."""
        return reached(self.workspace, arguments.get("path", ""))

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return the lines, and how to go on where there are more. Raises `ToolError`."""
        offset = max(1, arguments.get("offset") or 1)
        limit = arguments.get("limit") or READ_LINES
        if limit < 1:
            raise ToolError("limit must be at least 1.")
        text = await in_thread(
            self._page, arguments["path"], offset, limit, environment.output_limit * 9 // 10
        )
        return ToolOutput(text)

    def _page(self, path: str, offset: int, limit: int, characters: int) -> str:
        file = self.workspace.file(path)
        name = self.workspace.name(file)
        try:
            with file.open("rb") as raw:
                beginning = raw.read(8_192)
            if is_binary(beginning):
                size = file.stat().st_size
                return f"{name} is not a text file ({size:,} bytes); it cannot be shown."
            if not beginning:
                return f"{name} is empty."
            mark, encoding = encoding_of(beginning)
            with file.open(encoding=encoding, errors="replace", newline="\n") as lines:
                lines.seek(len(mark))
                return _numbered(name, lines, offset, limit, characters) + _total(file, encoding)
        except OSError as error:
            raise WorkspaceError(f"{name} cannot be read: {error.strerror}.") from error


def _numbered(name: str, lines: Iterator[str], offset: int, limit: int, characters: int) -> str:
    shown: list[str] = []
    used = 0
    before = sum(1 for _ in itertools.islice(lines, offset - 1))
    for number, line in enumerate(itertools.islice(lines, limit), offset):
        line = line.rstrip("\r\n")
        if len(line) > LINE_CHARACTERS:
            cut = len(line) - LINE_CHARACTERS
            line = f"{line[:LINE_CHARACTERS]} [... {cut:,} more characters]"
        used += len(line) + 8
        if shown and used > characters:
            return f"{_joined(shown)}\n[There are more lines: go on with offset={number}."
        shown.append(f"{number}\t{line}")
    if not shown:
        return f"[{name} has only {before} lines, so there is no line {offset}."
    if next(lines, None) is not None:
        following = offset + len(shown)
        return f"{_joined(shown)}\n[There are more lines: go on with offset={following}."
    return f"{_joined(shown)}\n[End of {name}."


def _joined(lines: list[str]) -> str:
    return "\n".join(lines)


def _total(file: Path, encoding: str) -> str:
    if encoding != "utf-8" or file.stat().st_size > _COUNTED_BYTES:
        return "]"
    data = file.read_bytes()
    lines = data.count(b"\n") + (not data.endswith(b"\n"))
    return f" Lines in all: {lines}.]"


@dataclass(frozen=True, slots=True)
class Write:
    """Writes a whole file."""

    workspace: Workspace

    spec: ClassVar[ToolSpec] = ToolSpec(
        "write",
        "Write a whole file, creating or replacing it. To change a part of one, use edit.",
        {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "File, from the top of the workspace"},
                "content": {"type": "string", "description": "Everything the file shall hold"},
            },
            "required": ["path", "content"],
            "additionalProperties": False,
        },
        Effect.IDEMPOTENT,
    )

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return the file, links resolved."""
        return changed(self.workspace, arguments.get("path", ""))

    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        """Return the file."""
        return reached(self.workspace, arguments.get("path", ""))

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Replace the file at once and whole. `display` is the diff. Raises `ToolError`."""
        refuse_unless_writable(environment)
        return await in_thread_to_its_end(self._write, arguments["path"], arguments["content"])

    def _write(self, path: str, content: str) -> ToolOutput:
        file = self.workspace.resolve(path)
        name = self.workspace.name(file)
        data = encodable(content)
        existed = file.exists()
        if existed and not file.is_file():
            raise WorkspaceError(f"{name} is no regular file, so it is not written.")
        before = _before(file, name) if existed else ""
        replace_file(file, data, name)
        lines = content.count("\n") + (not content.endswith("\n") and bool(content))
        verb = "Replaced" if existed else "Created"
        source = "" if existed else "/dev/null"
        display = "" if before is None else unified_diff(before, content, name, source=source)
        return ToolOutput(f"{verb} {name} ({lines} lines).", display)


def _before(file: Path, name: str) -> str | None:
    """Return the text of the file; None where it is no text that a diff could show."""
    try:
        return load(file, name).text
    except WorkspaceError:
        return None


@dataclass(frozen=True, slots=True)
class List:
    """Lists a folder."""

    workspace: Workspace

    spec: ClassVar[ToolSpec] = ToolSpec(
        "list",
        "List the files and folders in a folder. Names of folders end with /.",
        {
            "type": "object",
            "properties": {
                "path": {
                    "type": "string",
                    "description": "Folder, from the top of the workspace; the top if left out",
                },
            },
            "additionalProperties": False,
        },
        Effect.READ_ONLY,
    )

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return nothing: listing changes nothing."""
        return ()

    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        """Return the folder."""
        return reached(self.workspace, arguments.get("path") or ".")

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return the names, folders first, without what `.gitignore` names or rules hide.

        Raises `ToolError`.
        """
        path = arguments.get("path") or "."
        return ToolOutput(await in_thread(self._list, path, environment))

    def _list(self, path: str, environment: ToolEnvironment) -> str:
        folder = self.workspace.folder(path)
        name = self.workspace.name(folder)
        rules = self.workspace.ignore_rules(folder)
        folders: list[str] = []
        files: list[str] = []
        ignored = 0
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    is_folder = entry.is_dir()
                    if entry.name == ".git" or rules.ignore(entry.name, is_folder=is_folder):
                        ignored += entry.name != ".git"
                    elif environment.hides(self.workspace.name(folder / entry.name)):
                        continue
                    elif is_folder:
                        folders.append(f"{entry.name}/")
                    else:
                        files.append(entry.name)
        except OSError as error:
            raise WorkspaceError(f"{name} cannot be listed: {error.strerror}.") from error
        names = sorted(folders) + sorted(files)
        lines = names[:LISTED] or [f"{name} is empty."]
        if len(names) > LISTED:
            lines.append(f"[{len(names) - LISTED:,} more; use glob to find some of them.]")
        if ignored:
            lines.append(f"[{ignored} ignored by .gitignore are not listed.]")
        return "\n".join(lines)


def refuse_unless_writable(environment: ToolEnvironment) -> None:
    """Raise `ToolError` in a mode that may not change the workspace."""
    if not environment.writable:
        raise ToolError("Nothing may be changed in this mode.")


def changed(workspace: Workspace, path: object) -> tuple[Path, ...]:
    """Return the path that a change of `path` is about; nothing where it will be refused."""
    try:
        return (workspace.resolve(path),) if isinstance(path, str) else ()
    except WorkspaceError:
        return ()


def reached(workspace: Workspace, path: object) -> Access:
    """Return what rules see of a call that opens `path`; as written where it will be refused."""
    if not isinstance(path, str):
        return Access(known=False)
    try:
        return Access((workspace.name(workspace.resolve_readable(path)),))
    except WorkspaceError:
        return Access((path,))
