"""Asking the person: `ask_user`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from victor.errors import ToolError
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import IAnswerer, ToolEnvironment, ToolOutput
from victor.tools.inward import InwardTool

_NOBODY = (
    "Nobody is there to answer. Decide for yourself what is most likely meant, take the way that"
    " can be undone, and say in your answer what you assumed."
)


@dataclass(frozen=True, slots=True)
class AskUser(InwardTool):
    """Asks the person at the other end, where there is one."""

    person: IAnswerer | None = None

    bounds: ClassVar[tuple[str, ...]] = (
        "waits as long as the person takes; where nobody is there, the model is told so",
    )
    spec: ClassVar[ToolSpec] = ToolSpec(
        "ask_user",
        "Ask the person a question that only they can answer, such as which of two things is"
        " meant. Not for permission: what needs it is asked for by itself.",
        {
            "type": "object",
            "properties": {
                "question": {"type": "string"},
                "choices": {
                    "type": "array",
                    "items": {"type": "string"},
                    "maxItems": 9,
                    "description": "Likely answers; the person may give another",
                },
            },
            "required": ["question"],
            "additionalProperties": False,
        },
        Effect.READ_ONLY,
        essential=True,
    )

    def most_seconds(self, arguments: JsonObject, environment: ToolEnvironment) -> float | None:
        """Return None: a person takes as long as it takes."""
        return None

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return the answer, or that there is nobody. Raises `ToolError`."""
        question = arguments["question"]
        if not question.strip():
            raise ToolError("The question is empty.")
        if self.person is None:
            return ToolOutput(_NOBODY)
        answer = await self.person.answer(question, tuple(arguments.get("choices") or ()))
        if answer is None:
            return ToolOutput(_NOBODY)
        return ToolOutput(f"The person answered: {answer}" if answer.strip() else "No answer.")
