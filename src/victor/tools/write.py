"""Writing files whole: `write`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from victor.errors import WorkspaceError
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import ToolEnvironment, ToolOutput
from victor.tools.changes import Change
from victor.tools.document import document_of, encodable, read_bytes, unified_diff
from victor.tools.files import refuse_hidden, refuse_unless_writable
from victor.tools.matching import usual_end
from victor.tools.planning import PlanningTool, change_plan, plan_of
from victor.tools.threads import in_thread_to_its_end


@dataclass(frozen=True, slots=True)
class Write(PlanningTool):
    """Writes a whole file."""

    bounds: ClassVar[tuple[str, ...]] = (
        "encoding, byte order mark, line ends and permissions of a file that is replaced are kept",
    )
    refuses: ClassVar[tuple[str, ...]] = (
        "a file that is there and was not read, or has changed since; an empty one may be replaced",
        "read-only files, folders, pipes and devices",
        "files that a rule hides",
        "characters that the encoding of the file does not have",
    )
    spec: ClassVar[ToolSpec] = ToolSpec(
        "write",
        "Write a whole file, creating or replacing it; one that is there must have been read. To"
        " change a part of a file, use edit.",
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
        essential=True,
    )

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Replace the file at once and whole. `display` is the diff. Raises `ToolError`."""
        path, content = arguments["path"], arguments["content"]
        if plan := plan_of(arguments, environment):
            return await in_thread_to_its_end(self._plan, plan, content, environment)
        refuse_unless_writable(environment)
        return await in_thread_to_its_end(self._write, path, content, environment)

    def _plan(self, plan: Path, content: str, environment: ToolEnvironment) -> ToolOutput:
        def write(tool: Write, path: str) -> ToolOutput:
            # The person is shown the plan itself.
            return replace(tool._write(path, content, environment), display="")

        return change_plan(self, plan, content, write)

    def _write(self, path: str, content: str, environment: ToolEnvironment) -> ToolOutput:
        file = self.workspace.resolve(path)
        name = self.workspace.name(file)
        data = encodable(content)
        lines = content.count("\n") + (not content.endswith("\n") and bool(content))
        told = "1 line" if lines == 1 else f"{lines} lines"
        before = self._before(file, name, environment)
        if before is None:
            self.commit(Change(file, name, None, data))
            display = unified_diff("", content, name, source="/dev/null")
            return ToolOutput(f"Created {name} ({told}).", display)
        said = f"Replaced {name} ({told})."
        try:
            was = document_of(before, name)
        except WorkspaceError:
            self.commit(Change(file, name, before, data))
            return ToolOutput(f"{said} It was no text file before.")
        text = content
        if "\n" in content and "\r\n" not in content and usual_end(was.text) == "\r\n":
            text = content.replace("\n", "\r\n")
            said += " Its line ends are CR LF, as they were."
        self.commit(Change(file, name, before, was.encode(text, name)))
        return ToolOutput(said, unified_diff(was.text, text, name))

    def _before(self, file: Path, name: str, environment: ToolEnvironment) -> bytes | None:
        """Return what the file holds, None where there is none.

        Raises `ToolError` where that is not what the model has seen; nothing is lost with an empty
        file.
        """
        if not file.exists():
            return None
        if not file.is_file():
            raise WorkspaceError(f"{name} is no regular file, so it is not written.")
        refuse_hidden(self.workspace, name, environment)
        before = read_bytes(file, name, self.workspace.root)
        if before or self.seen.knows(file):
            self.seen.check(file, before, name)
        return before
