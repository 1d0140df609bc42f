"""Changing several files by one patch, all or none: `apply_patch`."""

from __future__ import annotations

import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from victor.errors import ToolError, WorkspaceError
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import Access, ToolEnvironment, ToolOutput
from victor.tools.changes import Change
from victor.tools.document import encodable, unified_diff
from victor.tools.edit import told
from victor.tools.files import (
    ChangingTool,
    OpenedFile,
    changed,
    reached_all,
    refuse_hidden,
    refuse_unless_writable,
)
from victor.tools.patch import FilePatch, Kind, parse
from victor.tools.patching import patched
from victor.tools.threads import in_thread_to_its_end


@dataclass(frozen=True, slots=True)
class _Done:
    """What one file's part of the patch comes to."""

    changes: tuple[Change, ...]
    told: str
    diff: str


@dataclass(frozen=True, slots=True)
class ApplyPatch(ChangingTool):
    """Applies a patch to several files: all of it, or nothing."""

    bounds: ClassVar[tuple[str, ...]] = (
        "line numbers are not looked at: a hunk stands where its lines stand",
        "all files are changed, or none",
    )
    refuses: ClassVar[tuple[str, ...]] = (
        "a hunk that stands nowhere or, after its `@@` line, at several places",
        "a hunk without lines that are there already, but at the end of a file",
        "adding a file that exists, deleting one that was not read, or naming one twice",
    )
    spec: ClassVar[ToolSpec] = ToolSpec(
        "apply_patch",
        "Change, add, delete or move several files by one patch, all of it or nothing. The patch:"
        " *** Begin Patch, then sections *** Update File: path (with *** Move to: path, if it is"
        " to be moved), *** Add File: path or *** Delete File: path, then *** End Patch. An update"
        " has hunks: @@ and, to tell alike places apart, the line that the function or class"
        " begins with; then the lines as they are, each after a space, with - before those to take"
        " out and + before those to put in. Unified diffs are taken, too; line numbers do not"
        " matter.",
        {
            "type": "object",
            "properties": {"patch": {"type": "string", "description": "The whole patch"}},
            "required": ["patch"],
            "additionalProperties": False,
        },
        Effect.EFFECTFUL,
    )

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return the files, links resolved; nothing where they will be refused."""
        return changed(self.workspace, _named(arguments))

    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        """Return the files."""
        return reached_all(self.workspace, _named(arguments))

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Change the files, all or none. `display` is the diffs. Raises `ToolError`."""
        refuse_unless_writable(environment)
        return await in_thread_to_its_end(self._apply, arguments["patch"], environment)

    def _apply(self, patch: str, environment: ToolEnvironment) -> ToolOutput:
        encodable(patch)
        done = [self._file(file, environment) for file in parse(patch)]
        changes = [change for one in done for change in one.changes]
        if len({change.path for change in changes}) < len(changes):
            raise ToolError(
                "The patch names a file twice; nothing was changed. Put all that becomes of a file"
                " into one section."
            )
        self.commit(*changes)
        diffs = [one.diff for one in done if one.diff]
        return ToolOutput("\n".join(one.told for one in done), "\n".join(diffs))

    def _file(self, file: FilePatch, environment: ToolEnvironment) -> _Done:
        match file.kind:
            case Kind.ADD:
                return self._added(file, environment)
            case Kind.DELETE:
                return self._deleted(file, environment)
            case Kind.UPDATE:
                return self._updated(file, environment)

    def _added(self, file: FilePatch, environment: ToolEnvironment) -> _Done:
        path, name = self._free(file.path, environment)
        content = file.content()
        diff = unified_diff("", content, name, source="/dev/null")
        change = Change(path, name, None, encodable(content), file.mode)
        return _Done((change,), f"Created {name}.", diff)

    def _deleted(self, file: FilePatch, environment: ToolEnvironment) -> _Done:
        opened = self.loaded(file.path, environment)
        if not file.hunks:
            self.seen.check(opened.path, opened.data, opened.name)
        elif file.content() != opened.document.text.replace("\r\n", "\n"):
            raise ToolError(f"{opened.name} is not what the patch takes out; nothing was changed.")
        gone = Change(opened.path, opened.name, opened.data, None)
        diff = unified_diff(opened.document.text, "", opened.name)
        return _Done((gone,), f"Deleted {opened.name}.", diff)

    def _updated(self, file: FilePatch, environment: ToolEnvironment) -> _Done:
        opened = self.loaded(file.path, environment)
        made = patched(opened.document.text, file.hunks, opened.name)
        if made.text == opened.document.text and not (file.moved_to or file.mode):
            raise ToolError(f"{opened.name} is already as the patch would make it.")
        said = told(opened.name, made) if file.hunks else f"Kept the text of {opened.name}."
        if file.mode is not None:
            said += f" Its permissions are {file.mode:o} now."
        diff = unified_diff(opened.document.text, made.text, opened.name)
        change = replace(opened.change(made.text), mode=file.mode)
        if not file.moved_to:
            return _Done((change,), said, diff)
        path, name = self._free(file.moved_to, environment)
        gone = Change(opened.path, opened.name, opened.data, None)
        moved = Change(path, name, None, change.after, file.mode or _permissions(opened))
        return _Done((moved, gone), f"{said} Moved {opened.name} to {name}.", diff)

    def _free(self, path: str, environment: ToolEnvironment) -> tuple[Path, str]:
        """Return where a new file goes, and its name. Raises `ToolError` where there is one."""
        file = self.workspace.resolve(path)
        name = self.workspace.name(file)
        refuse_hidden(self.workspace, name, environment)
        if file.exists():
            raise WorkspaceError(f"{name} exists already; nothing was changed.")
        return file, name


def _permissions(opened: OpenedFile) -> int:
    try:
        return stat.S_IMODE(opened.path.stat().st_mode)
    except OSError as error:
        raise WorkspaceError(f"{opened.name} is gone; nothing was changed.") from error


def _named(arguments: JsonObject) -> tuple[object, ...]:
    """Return the paths that the patch names; it is not checked yet."""
    try:
        files = parse(str(arguments.get("patch", "")))
    except ToolError:
        return (None,)
    return tuple(path for file in files for path in (file.path, file.moved_to) if path)
