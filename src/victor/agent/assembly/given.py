"""What the application has chosen, and what several coordinators are given of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from victor.agent.event_bus import EventBus
from victor.agent.plan_files import PlanFiles
from victor.agent.subagents import Subagents
from victor.events import CoordinatorFailed
from victor.protocols import IApprover, IProvider, ISandbox, ITool
from victor.set_aside import SetAside

if TYPE_CHECKING:
    from victor.protocols.skill import Skill

OnFailure: TypeAlias = Callable[[str, str], None]
"""Told of a failure: (which part, what it said)."""


@dataclass(frozen=True)
class Given:
    """What the application has chosen, and what is made once for all coordinators."""

    provider: IProvider
    model: str
    tools: tuple[ITool, ...] | None
    workspace: Path
    approver: IApprover | None
    config: Mapping[str, Any]
    bus: EventBus
    sandbox: ISandbox
    """What commands run in; safety asks it, and the tools use it."""
    subagents: Subagents

    @property
    def skill_folders(self) -> tuple[Path, ...]:
        """The folders of the settings in which skills are looked for."""
        return tuple(Path(folder).expanduser() for folder in self.config.get("skill_folders", ()))

    @cached_property
    def skills(self) -> tuple[Skill, ...]:
        """What was found in them, read once. One that is broken is told of as an event."""
        from victor.skills import find_skills

        return find_skills(self.skill_folders, self.failed_in("prompt"))

    @property
    def outputs(self) -> Path | None:
        """The folder of what was too long to be told; none where nothing is left behind."""
        from victor.storage.location import data_folder

        return None if self.config.get("ephemeral", False) else data_folder() / "outputs"

    @cached_property
    def plans(self) -> PlanFiles:
        """The plans of sessions. Where nothing is left behind, they are in a folder that goes."""
        if self.outputs is not None:
            return PlanFiles(self.outputs)
        from tempfile import gettempdir

        # Made at the first plan only, and nobody can know the name before.
        folder = Path(gettempdir(), f"victor-{os.urandom(8).hex()}")
        return PlanFiles(folder, passing=True)

    @cached_property
    def set_aside(self) -> SetAside:
        """What of that folder is the conversation's own."""
        return SetAside(self.plans.folder)

    def failed_in(self, coordinator: str) -> OnFailure:
        """Return what tells as an event that a part of this coordinator has failed."""
        publish = self.bus.publish

        def failed(part: str, error: str) -> None:
            publish(CoordinatorFailed(coordinator, part, error))

        return failed
