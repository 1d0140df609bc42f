"""What the tools on files have in common: what they reach for, and when they must not run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from victor.errors import ToolError, WorkspaceError
from victor.messages import JsonObject
from victor.protocols import Access, ToolEnvironment
from victor.tools.changes import Change, commit
from victor.tools.document import Document, document_of, read_bytes
from victor.tools.names import MOST_ENTRIES, Hidden, TooManyFiles, hidden_below
from victor.tools.seen import SeenFiles
from victor.tools.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ReadingTool:
    """A tool that looks at what its argument `path` names, or at all of the workspace."""

    workspace: Workspace

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return nothing: looking changes nothing."""
        return ()

    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        """Return the file or folder."""
        return reached(self.workspace, arguments.get("path") or ".")


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A text file that is about to be changed."""

    path: Path
    name: str
    data: bytes
    document: Document

    def change(self, text: str) -> Change:
        """Return the change after which it holds `text`. Raises `ToolError`."""
        return Change(self.path, self.name, self.data, self.document.encode(text, self.name))


@dataclass(frozen=True, slots=True)
class ChangingTool:
    """A tool that changes what its argument `path` names."""

    workspace: Workspace
    seen: SeenFiles = field(default_factory=SeenFiles)
    """What the model knows of files; to be shared with the tools that show them."""

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return the files, links resolved; nothing where they will be refused."""
        return changed(self.workspace, named(arguments))

    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        """Return the files."""
        return reached_all(self.workspace, named(arguments))

    def loaded(self, path: str, environment: ToolEnvironment) -> OpenedFile:
        """Return the text file at `path`, whether the model has seen it or not.

        Raises `ToolError`.
        """
        self.workspace.resolve(path)
        file = self.workspace.file(path, environment.hides)
        name = self.workspace.name(file)
        refuse_hidden(self.workspace, path, environment)
        data = read_bytes(file, name, self.workspace.root)
        return OpenedFile(file, name, data, document_of(data, name))

    def opened(self, path: str, environment: ToolEnvironment) -> OpenedFile:
        """Return the text file at `path`. Raises `ToolError` unless the model has seen it."""
        file = self.loaded(path, environment)
        self.seen.check(file.path, file.data, file.name)
        return file

    def commit(self, *changes: Change) -> None:
        """Make the changes, all or none, and note what the model knows then."""
        commit(changes, self.workspace.root)
        for change in changes:
            if change.after is None:
                self.seen.forget(change.path)
            else:
                self.seen.note(change.path, change.after)


def refuse_unless_writable(environment: ToolEnvironment) -> None:
    """Raise `ToolError` in a mode that may not change the workspace."""
    if not environment.writable:
        raise ToolError("Nothing may be changed in this mode.")


def refuse_hidden(workspace: Workspace, path: str, environment: ToolEnvironment) -> None:
    """Raise `ToolError` for a file that a rule keeps from being read: a change would tell of it."""
    if not environment.hidden:
        return
    try:
        hidden = any(map(environment.hides, workspace.names(path)))
    except TooManyFiles:
        hidden = True
    if hidden:
        raise ToolError(f"A rule keeps {path} from being read, so it is not changed either.")


async def hidden_in(workspace: Workspace, environment: ToolEnvironment) -> Hidden:
    """Return what of the workspace must not be shown, by each of its names. Raises `ToolError`."""
    if not environment.hidden:
        return Hidden()
    try:
        return await asyncio.to_thread(hidden_below, workspace.root, environment.hides)
    except TooManyFiles:
        raise ToolError(
            f"The workspace holds more than {MOST_ENTRIES:,} files, so those that must not be shown"
            " cannot be kept apart. Name the file that you look for, or open a smaller folder."
        ) from None


def files_said(count: int) -> str:
    """Return the number of files, in words."""
    return "1 file" if count == 1 else f"{count:,} files"


def named(arguments: JsonObject) -> tuple[object, ...]:
    """Return the path that the arguments name, checked or not."""
    return (arguments.get("path", ""),)


def changed(workspace: Workspace, paths: tuple[object, ...]) -> tuple[Path, ...]:
    """Return the files that a change of `paths` is about; nothing where one will be refused."""
    try:
        found = [workspace.resolve(path) for path in paths if isinstance(path, str)]
    except WorkspaceError:
        return ()
    return tuple(dict.fromkeys(found)) if len(found) == len(paths) else ()


def reached(workspace: Workspace, path: object) -> Access:
    """Return what rules see of a call that opens `path`; as written where it will be refused."""
    return reached_all(workspace, (path,))


def reached_all(workspace: Workspace, paths: tuple[object, ...]) -> Access:
    """Return what rules see of a call that opens all of `paths`."""
    texts = [path for path in paths if isinstance(path, str)]
    if not texts or len(texts) < len(paths):
        return Access(known=False)
    try:
        names = [name for path in texts for name in _rule_names(workspace, path)]
    except TooManyFiles:
        return Access(known=False)
    return Access(tuple(dict.fromkeys(names)))


def _rule_names(workspace: Workspace, path: str) -> tuple[str, ...]:
    """Return every name by which a rule may mean it. Raises `TooManyFiles`."""
    try:
        return workspace.names(path)
    except WorkspaceError:
        return (path,)
