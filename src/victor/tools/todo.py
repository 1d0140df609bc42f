"""The list of what is to be done, which the person sees: `todo`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from victor.errors import ToolError
from victor.events import TodoChanged
from victor.messages import Effect, JsonObject, TodoItem, TodoStatus, ToolSpec
from victor.protocols import ToolEnvironment, ToolOutput
from victor.todo_list import TOOL, lines
from victor.tools.inward import InwardTool

MOST_ITEMS = 50


@dataclass(frozen=True, slots=True)
class Todo(InwardTool):
    """Writes the list down, all of it, each time it changes. It is no file: nothing is changed."""

    bounds: ClassVar[tuple[str, ...]] = (f"{MOST_ITEMS} items",)
    spec: ClassVar[ToolSpec] = ToolSpec(
        TOOL,
        "Write down your plan for work of several steps, where the person sees it, and write it"
        " again whenever a step begins or is done. Give all of its items each time.",
        {
            "type": "object",
            "properties": {
                "items": {
                    "type": "array",
                    "maxItems": MOST_ITEMS,
                    "items": {
                        "type": "object",
                        "properties": {
                            "text": {"type": "string", "description": "A step, in a few words"},
                            "status": {"type": "string", "enum": [*TodoStatus]},
                        },
                        "required": ["text", "status"],
                        "additionalProperties": False,
                    },
                }
            },
            "required": ["items"],
            "additionalProperties": False,
        },
        Effect.READ_ONLY,
        essential=True,
    )

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Publish `TodoChanged` and return how far the list is. Raises `ToolError`."""
        items = tuple(
            TodoItem(" ".join(item["text"].split()), TodoStatus(item["status"]))
            for item in arguments["items"]
        )
        if not all(item.text for item in items):
            raise ToolError("An item of the list has no text.")
        environment.emit(TodoChanged(items))
        count = Counter(item.status for item in items)
        some = "1 item" if len(items) == 1 else f"{len(items)} items"
        said = f"The list has {some}, {count[TodoStatus.DONE]} of them done."
        return ToolOutput(said, "\n".join(lines(items)))
