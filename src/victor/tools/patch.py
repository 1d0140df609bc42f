"""Patches as models write them: the `*** Begin Patch` envelope, and unified diffs.

Line numbers are not trusted: a hunk stands where its own lines stand, and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from victor.errors import ToolError

_BEGIN, _END = "*** Begin Patch", "*** End Patch"
_END_OF_FILE = "*** End of File"
_SECTION = re.compile(r"\*\*\* (Add|Delete|Update) File: (.+)")
_MOVE = "*** Move to: "
_UNIFIED_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@(.*)")
_GIT_MODE = re.compile(r"(new file|deleted file|new) mode ([0-7]{6})")
_PERMISSIONS = {"100644": 0o644, "100755": 0o755}
_GIT_LINES = ("index ", "similarity ", "new file ", "deleted file ", "old mode ", "new mode ")
_GIT_BINARY = ("Binary files ", "GIT binary patch")
_NOTHING = "/dev/null"
_EXAMPLE = (
    "Write it as: *** Begin Patch, then for each file *** Update File: path (or Add File, Delete"
    " File) with hunks of lines that begin with a space, - or +, then *** End Patch."
)


class Kind(StrEnum):
    """What becomes of a file."""

    ADD = "Add"
    DELETE = "Delete"
    UPDATE = "Update"


@dataclass(slots=True)
class Hunk:
    """Lines of a file as they are, and as they shall be."""

    anchors: list[str] = field(default_factory=list)
    """Lines that stand somewhere before it, outermost first."""
    optional_anchors: bool = False
    """Whether the anchors are a hint that need not be found."""
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    at_end: bool = False
    """Whether its last line is the last of the file."""
    old_unended: bool = False
    """Whether the file's last line, as it is, is said to have no line end."""
    new_unended: bool = False
    """The same, as it shall be."""
    _last_mark: str = " "

    def add(self, mark: str, text: str) -> None:
        """Take a line that is kept (a space), taken out (-) or put in (+)."""
        self._last_mark = mark
        if mark != "+":
            self.old.append(text)
        if mark != "-":
            self.new.append(text)

    def end_without_newline(self) -> None:
        """Note that the line that came last ends the file, without a line end."""
        self.at_end = True
        self.old_unended |= self._last_mark != "+"
        self.new_unended |= self._last_mark != "-"


@dataclass(slots=True)
class FilePatch:
    """What becomes of one file."""

    kind: Kind
    path: str
    moved_to: str = ""
    hunks: list[Hunk] = field(default_factory=list)
    mode: int | None = None
    """Permissions that it shall have, where the patch tells."""

    def content(self) -> str:
        """Return the text of a file that is added, or was, where it is deleted."""
        side = [line for hunk in self.hunks for line in hunk.new or hunk.old]
        unended = any(hunk.new_unended or hunk.old_unended for hunk in self.hunks)
        return "\n".join(side) + ("" if unended or not side else "\n")


def parse(text: str) -> list[FilePatch]:
    """Return what the patch says of each file. Raises `ToolError`."""
    lines = text.replace("\r\n", "\n").split("\n")
    stripped = [line.strip() for line in lines]
    if _BEGIN in stripped:
        first = stripped.index(_BEGIN) + 1
        if _END not in stripped[first:]:
            raise ToolError(f"The patch has no {_END!r}: it may have been cut off. {_EXAMPLE}")
        files = _enveloped(lines[first : stripped.index(_END, first)])
    else:
        files = _unified(lines)
    if not files:
        raise ToolError(f"The patch names no file. {_EXAMPLE}")
    for file in files:
        if file.kind is Kind.UPDATE and not (file.hunks or file.moved_to or file.mode):
            raise ToolError(f"The patch says of {file.path} nothing that changes. {_EXAMPLE}")
    return files


def _enveloped(lines: list[str]) -> list[FilePatch]:
    files: list[FilePatch] = []
    for line in lines:
        if section := _SECTION.fullmatch(line.rstrip()):
            files.append(FilePatch(Kind(section[1]), section[2].strip()))
        elif not files:
            if line.strip():
                raise ToolError(f"The patch begins with {line!r} and names no file. {_EXAMPLE}")
        else:
            _enveloped_line(files[-1], line)
    for file in files:
        _drop_blank_end(file)
    return files


def _enveloped_line(file: FilePatch, line: str) -> None:
    if line.startswith(_MOVE) and file.kind is Kind.UPDATE:
        file.moved_to = line.removeprefix(_MOVE).strip()
    elif file.kind is Kind.DELETE:
        if line.strip():
            raise ToolError(f"A file that is deleted, {file.path}, has no lines. {_EXAMPLE}")
    elif file.kind is Kind.ADD:
        if not line.startswith("+"):
            if not line.strip():
                return
            raise ToolError(f"Each line of a new file, {file.path}, begins with +: {line!r}")
        _last_hunk(file).add("+", line[1:])
    elif line.rstrip() == _END_OF_FILE:
        _last_hunk(file).at_end = True
    elif line.startswith("@@"):
        _begin_hunk(file, line.removeprefix("@@").strip())
    else:
        _take(file, line)


def _begin_hunk(file: FilePatch, anchor: str) -> None:
    """Begin a hunk; `@@` lines that follow one another are the anchors of one."""
    if not file.hunks or file.hunks[-1].old or file.hunks[-1].new:
        file.hunks.append(Hunk())
    if anchor:
        file.hunks[-1].anchors.append(anchor)


def _take(file: FilePatch, line: str) -> None:
    mark, text = (line[0], line[1:]) if line else (" ", "")
    if mark not in " +-":
        raise ToolError(
            f"Lines of a hunk begin with a space, - or +, which this one of {file.path} does not:"
            f" {line[:200]!r}"
        )
    _last_hunk(file).add(mark, text)


def _last_hunk(file: FilePatch) -> Hunk:
    if not file.hunks:
        file.hunks.append(Hunk())
    return file.hunks[-1]


def _drop_blank_end(file: FilePatch) -> None:
    """Drop what only separates a section from the next: an empty line without a mark."""
    for hunk in file.hunks:
        if file.kind is Kind.UPDATE and hunk.old and hunk.new:
            while hunk.old and hunk.new and hunk.old[-1] == hunk.new[-1] == "":
                hunk.old.pop()
                hunk.new.pop()


def _unified(lines: list[str]) -> list[FilePatch]:
    files: list[FilePatch] = []
    header = _GitHeader()
    remaining = zip(lines, [*lines[1:], ""], strict=True)
    for line, following in remaining:
        if line.startswith("diff --git "):
            header = _GitHeader(line)
        elif header.takes(line, files):
            continue
        elif line.startswith("--- ") and following.startswith("+++ "):
            next(remaining, None)
            _begin_file(files, _file_name(line), _file_name(following))
        elif files and (hunk := _UNIFIED_HUNK.fullmatch(line)):
            context = hunk[1].strip()
            files[-1].hunks.append(Hunk([context] if context else [], optional_anchors=True))
        elif files and files[-1].hunks:
            _unified_line(files[-1], line)
    for file in files:
        _drop_blank_end(file)
    return files


class _GitHeader:
    """The lines that git puts above a file's hunks; they are all there is of an empty file."""

    def __init__(self, line: str = "") -> None:
        """Begin with the line that names the file, twice."""
        names = line.removeprefix("diff --git ")
        before, after = names[: len(names) // 2], names[len(names) // 2 + 1 :]
        self._path = before[2:] if before[2:] == after[2:] else ""
        self._source = ""

    def takes(self, line: str, files: list[FilePatch]) -> bool:
        """Return whether the line is one of them; what it says of a file is put into `files`.

        Raises `ToolError` for a file that is no text.
        """
        if line.startswith(_GIT_BINARY):
            raise ToolError(f"The patch changes a file that is no text, which it cannot: {line}")
        if line.startswith("rename from "):
            self._source = line.removeprefix("rename from ").strip()
        elif line.startswith("rename to ") and self._source:
            moved = line.removeprefix("rename to ").strip()
            files.append(FilePatch(Kind.UPDATE, self._source, moved))
        elif self._path and (said := _GIT_MODE.fullmatch(line)):
            files.append(self._begun(said[1], said[2]))
        else:
            return line.startswith(_GIT_LINES)
        return True

    def _begun(self, what: str, mode: str) -> FilePatch:
        if mode not in _PERMISSIONS:
            raise ToolError(f"The patch says that {self._path} is no regular file; use shell.")
        match what:
            case "new file":
                # Without a word, it has the permissions of any new file.
                special = mode if mode != "100644" else ""
                return FilePatch(Kind.ADD, self._path, mode=_PERMISSIONS.get(special))
            case "deleted file":
                return FilePatch(Kind.DELETE, self._path)
        return FilePatch(Kind.UPDATE, self._path, mode=_PERMISSIONS[mode])


def _begin_file(files: list[FilePatch], before: str, after: str) -> None:
    begun = files[-1] if files and not files[-1].hunks else None
    if begun is not None and (begun.moved_to or begun.path) == (
        before if after == _NOTHING else after
    ):
        return
    if before == _NOTHING:
        files.append(FilePatch(Kind.ADD, after))
    elif after == _NOTHING:
        files.append(FilePatch(Kind.DELETE, before))
    else:
        files.append(FilePatch(Kind.UPDATE, before, "" if before == after else after))


def _file_name(line: str) -> str:
    name = line[4:].split("\t", maxsplit=1)[0].strip().strip('"')
    return name[2:] if name.startswith(("a/", "b/")) else name


def _unified_line(file: FilePatch, line: str) -> None:
    if line.startswith("\\"):
        file.hunks[-1].end_without_newline()
    elif line or file.kind is Kind.UPDATE:
        _take(file, line)
