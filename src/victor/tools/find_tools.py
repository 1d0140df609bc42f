"""`find_tools`: the way to the tools that are not sent to the model, being too many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from victor.errors import ToolError
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import ToolEnvironment, ToolOutput
from victor.protocols.selection import FIND_TOOLS
from victor.tools.inward import InwardTool

MOST_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class FindTools(InwardTool):
    """Says what to search for; the turn has the search made by who knows all tools."""

    bounds: ClassVar[tuple[str, ...]] = (
        "sent to the model only where others are not: see [many tools](many-tools.md)",
        "5 tools at once, and the names of 5 more",
        f"{MOST_CHARACTERS} characters of query",
    )
    spec: ClassVar[ToolSpec] = ToolSpec(
        FIND_TOOLS,
        "Find more tools. Not all tools that there are have been described to you; those that you"
        " find here will be, and you can call them from your next step on. Search before you say"
        " that something cannot be done.",
        {
            "type": "object",
            "properties": {
                "query": {
                    "type": "string",
                    "maxLength": MOST_CHARACTERS,
                    "description": "What the tool should do, in a few words; or names of tools",
                }
            },
            "required": ["query"],
            "additionalProperties": False,
        },
        Effect.READ_ONLY,
        essential=True,
    )

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return the search to be made. Raises `ToolError` where nothing is asked for."""
        query = " ".join(str(arguments["query"]).split())
        if not query:
            raise ToolError("Say in a few words what the tool should do.")
        return ToolOutput("If none of these is right, search again in other words.", search=query)
