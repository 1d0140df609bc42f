"""The built-in contributors to the system prompt.

What they write is the same, byte for byte, for a whole session: a vendor's cache of the prompt
holds, whatever the mode, the task or the turn. What changes goes behind it, as a message.
"""

from __future__ import annotations

from pathlib import Path

from victor.prompt.environment import Environment
from victor.prompt.fixed import Identity, Modes, Safety, TaskHints
from victor.prompt.instructions import ProjectInstructions, UserInstructions
from victor.prompt.skills import Skills
from victor.protocols import IPromptContributor
from victor.protocols.skill import Skill

__all__ = [
    "Environment",
    "Identity",
    "Modes",
    "ProjectInstructions",
    "Safety",
    "Skills",
    "TaskHints",
    "UserInstructions",
    "builtin_contributors",
]


def builtin_contributors(
    workspace: Path,
    *,
    template: str = "default",
    templates: Path | None = None,
    instructions: str = "",
    task_hints: bool = True,
    skills: tuple[Skill, ...] = (),
) -> tuple[IPromptContributor, ...]:
    """Return the built-in parts for a session in `workspace`, the highest priority first.

    `templates` is a folder with templates of one's own. The other values are the settings
    `system_prompt_template`, `instructions` and `enable_task_hints`, which `configure` changes.
    Raises `UnknownNameError` and `ConfigError`.
    """
    return (
        Identity(template=template, folder=templates),
        Safety(),
        Modes(),
        TaskHints(enabled=task_hints),
        Environment(workspace),
        ProjectInstructions(workspace),
        Skills(skills),
        UserInstructions(instructions),
    )
