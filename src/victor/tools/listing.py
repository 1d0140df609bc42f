"""Looking into folders: `list`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from victor.errors import WorkspaceError
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import ToolEnvironment, ToolOutput
from victor.tools.files import ReadingTool
from victor.tools.threads import in_thread

LISTED = 500


@dataclass(frozen=True, slots=True)
class List(ReadingTool):
    """Lists a folder."""

    bounds: ClassVar[tuple[str, ...]] = (
        f"{LISTED} names; what `.gitignore` names is counted only",
    )
    refuses: ClassVar[tuple[str, ...]] = (
        "folders outside of the workspace; names that rules hide are left out",
    )
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
        essential=True,
    )

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return the names, folders first, without what `.gitignore` names or rules hide.

        Raises `ToolError`.
        """
        path = arguments.get("path") or "."
        return ToolOutput(await in_thread(self._list, path, environment))

    def _list(self, path: str, environment: ToolEnvironment) -> str:
        folder = self.workspace.folder(path, environment.hides)
        name = self.workspace.name(folder)
        rules = self.workspace.ignore_rules(folder)
        folders: list[str] = []
        files: list[str] = []
        ignored = 0
        try:
            with self.workspace.entries(folder) as entries:
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
