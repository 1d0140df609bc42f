"""The part about skills: only what each is for; the rest is read when it is needed."""

from __future__ import annotations

from victor.protocols import PromptContext
from victor.protocols.prompt import BasePromptContributor
from victor.protocols.skill import Skill

_LEAD = (
    "Skills are instructions of the user's for kinds of work. Before such work, call the tool"
    " `skill` with the name, and follow what it returns:"
)


class Skills(BasePromptContributor):
    """Name and description of each skill."""

    name = "skills"
    constant = True

    def __init__(self, skills: tuple[Skill, ...]) -> None:
        lines = (f"- {skill.name}: {skill.description}" for skill in skills)
        self._text = "\n".join([_LEAD, "", *lines]) if skills else ""

    def priority(self) -> int:
        """Return a place behind the project's instructions."""
        return 250

    async def get_contribution(self, context: PromptContext) -> str:
        """Return the list; nothing where there are no skills."""
        return self._text
