"""`skill`: the instructions for a kind of work."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from victor.errors import ToolError
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import ToolEnvironment, ToolOutput
from victor.protocols.skill import Skill


class UseSkill:
    """Gives a skill's instructions to the model."""

    def __init__(self, skills: tuple[Skill, ...]) -> None:
        self._skills = {skill.name: skill for skill in skills}
        self.spec = ToolSpec(
            "skill",
            "Return a skill's instructions. The skills that there are stand in your instructions.",
            {
                "type": "object",
                "properties": {"name": {"type": "string", "description": "The skill's name"}},
                "required": ["name"],
                "additionalProperties": False,
            },
            Effect.READ_ONLY,
            essential=True,
        )

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return nothing: it changes no files."""
        return ()

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return the instructions, and where the skill's other files are. Raises `ToolError`."""
        name = str(arguments["name"])
        skill = self._skills.get(name)
        if skill is None:
            near = get_close_matches(name, self._skills, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise ToolError(f"There is no skill {name!r}.{meant}")
        return ToolOutput(f"{skill.instructions}\n\n(Files of this skill are in {skill.folder}.)")
