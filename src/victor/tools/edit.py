"""Changing parts of files: `edit` and `multi_edit` replace exact texts, or say why they did not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from victor.errors import ToolError
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import Access, ToolEnvironment, ToolOutput
from victor.tools.document import EDITABLE_BYTES, encodable, unified_diff
from victor.tools.files import (
    ChangingTool,
    OpenedFile,
    changed,
    reached_all,
    refuse_unless_writable,
)
from victor.tools.planning import PlanningTool, change_plan, plan_of
from victor.tools.replacing import Replaced, Wish, replaced
from victor.tools.threads import in_thread_to_its_end

LISTED_LINES = 10

_EDIT: dict[str, Any] = {
    "path": {"type": "string", "description": "File, from the top of the workspace"},
    "old": {"type": "string", "description": "The text to replace, exactly as it is"},
    "new": {"type": "string", "description": "The text to put there"},
    "all": {"type": "boolean", "description": "Replace every occurrence instead of just one"},
}
_REQUIRED = ["path", "old", "new"]


@dataclass(frozen=True, slots=True)
class Edit(PlanningTool):
    """Replaces a text that stands exactly once in a file."""

    bounds: ClassVar[tuple[str, ...]] = (
        f"files of {EDITABLE_BYTES // 1_000_000} MB",
        "the text is found exactly, whichever line ends the file has",
        "or else as whole lines that differ in white space around them only, which is told",
        "encoding, byte order mark, line ends, permissions and all other lines stay, to the byte",
    )
    refuses: ClassVar[tuple[str, ...]] = (
        "a file that was not read, or has changed since",
        "a text that stands nowhere, telling the nearest lines",
        "a text that stands at several places, telling which",
        "binary and read-only files, and files that a rule hides",
    )
    spec: ClassVar[ToolSpec] = ToolSpec(
        "edit",
        "Change a part of a file that you have read: put `new` where `old` stands. `old` must be"
        " copied exactly from the file, without line numbers, and stand there once; add lines"
        " around it if need be.",
        {
            "type": "object",
            "properties": _EDIT,
            "required": _REQUIRED,
            "additionalProperties": False,
        },
        Effect.EFFECTFUL,
        essential=True,
    )

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Change the file at once and whole. `display` is the diff. Raises `ToolError`."""
        if plan := plan_of(arguments, environment):
            return await in_thread_to_its_end(self._plan, plan, arguments, environment)
        refuse_unless_writable(environment)
        return await in_thread_to_its_end(self._edit, arguments, environment)

    def _plan(self, plan: Path, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        def edit(tool: Edit, path: str) -> ToolOutput:
            return tool._edit({**arguments, "path": path}, environment)

        return change_plan(self, plan, arguments["new"], edit)

    def _edit(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        file = self.opened(arguments["path"], environment)
        made = _replaced(file, [_wish(arguments, "old")])
        self.commit(file.change(made.text))
        return ToolOutput(told(file.name, made), _diff(file, made))


@dataclass(frozen=True, slots=True)
class MultiEdit(ChangingTool):
    """Replaces several texts, in one file or more: all or none."""

    bounds: ClassVar[tuple[str, ...]] = (
        "all edits are made, or none, also where a file cannot be written",
    )
    refuses: ClassVar[tuple[str, ...]] = ("what `edit` refuses, and edits that overlap",)
    spec: ClassVar[ToolSpec] = ToolSpec(
        "multi_edit",
        "Make several edits, in one file or in several, all or none. Each is as in edit, and is"
        " found in its file as it is before any of them; they must not overlap.",
        {
            "type": "object",
            "properties": {
                "edits": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "properties": _EDIT,
                        "required": _REQUIRED,
                        "additionalProperties": False,
                    },
                }
            },
            "required": ["edits"],
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
        return await in_thread_to_its_end(self._edit, arguments["edits"], environment)

    def _edit(self, edits: list[JsonObject], environment: ToolEnvironment) -> ToolOutput:
        files: dict[Path, OpenedFile] = {}
        wishes: dict[Path, list[Wish]] = {}
        for number, edit in enumerate(edits, 1):
            path = self.workspace.resolve(edit["path"])
            if path not in files:
                files[path] = self.opened(edit["path"], environment)
            label = "old" if len(edits) == 1 else f"old of edit {number}"
            wishes.setdefault(path, []).append(_wish(edit, label))
        made = {path: _replaced(file, wishes[path]) for path, file in files.items()}
        self.commit(*(file.change(made[path].text) for path, file in files.items()))
        lines = [told(file.name, made[path]) for path, file in files.items()]
        diffs = [_diff(file, made[path]) for path, file in files.items()]
        return ToolOutput("\n".join(lines), "\n".join(diffs))


def _named(arguments: JsonObject) -> tuple[object, ...]:
    """Return the paths that the arguments name; they are not checked yet."""
    edits = arguments.get("edits")
    if not isinstance(edits, list | tuple):
        return (None,)
    return tuple(edit.get("path") if isinstance(edit, dict) else None for edit in edits)


def _wish(edit: JsonObject, label: str) -> Wish:
    encodable(edit["new"])
    return Wish(edit["old"], edit["new"], bool(edit.get("all")), label)


def _replaced(file: OpenedFile, wishes: list[Wish]) -> Replaced:
    """Return the text with the wishes fulfilled. Raises `ToolError` where nothing changes."""
    made = replaced(file.document.text, wishes, file.name)
    if made.text == file.document.text:
        raise ToolError(f"{file.name} would be the same, white space aside; nothing was changed.")
    return made


def _diff(file: OpenedFile, made: Replaced) -> str:
    return unified_diff(file.document.text, made.text, file.name)


def told(name: str, made: Replaced) -> str:
    """Return what the model is told of a change that was made."""
    lines = list(dict.fromkeys(made.lines))
    listed = ", ".join(map(str, lines[:LISTED_LINES]))
    if len(lines) > LISTED_LINES:
        listed += " and more"
    where = f"at line {listed}" if len(made.lines) == 1 else f"at lines {listed}"
    text = f"Changed {name} {where}."
    if made.loosely:
        differing = " and ".join(made.loosely)
        text += f" What was to be replaced differed in {differing}; the file's own was kept."
    return text
