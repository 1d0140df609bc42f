"""The plan of a session: its file, and what a person said of it that the model does not know."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from victor import plans
from victor.agent.plan_files import PlanFiles
from victor.plans import Plan
from victor.protocols import Record


class SessionPlan:
    """Knows whether a person has handed the plan over since the last turn began."""

    def __init__(self, files: PlanFiles) -> None:
        self._files = files
        self._approved = ""
        """The plan that the person has approved, until the model is told."""
        self.taken_back = ""
        """The plan that they approved and took back, until that is on record; else empty."""

    async def restore(self, session_id: str, records: tuple[Record, ...]) -> None:
        """Let the plan be there again, also in a fork, and on another machine."""
        self._approved = plans.not_told_yet(records)
        if (known := plans.recorded(records)) is not None:
            with suppress(OSError):
                await self._files.restore(session_id, known.text)

    async def current(self, session_id: str, records: Iterable[Record]) -> Plan | None:
        """Return the plan as it is now, by its file or else the record; None without one."""
        known = plans.recorded(records)
        text: str | None = None
        with suppress(OSError):
            text = await self._files.read(session_id)
        text = text or (known.text if known else "")
        if not text.strip():
            return None
        approved = known is not None and known.approved and known.text == text
        return Plan(text, str(self._files.of(session_id)), approved)

    def approve(self, text: str) -> None:
        """Let the model be told with the next turn to build this plan."""
        self._approved, self.taken_back = text, ""

    def keep_planning(self) -> None:
        """Take the word back that a plan shall be built, where the model was not told of it."""
        self.taken_back, self._approved = self._approved or self.taken_back, ""

    def note(self, session_id: str) -> str:
        """Return what the model is to be told of the plan; empty where there is nothing."""
        if not self._approved:
            return ""
        return plans.note(Plan(self._approved, str(self._files.of(session_id)), approved=True))

    def settle(self) -> None:
        """Take what the person has said as known: a turn begins."""
        self._approved, self.taken_back = "", ""

    async def aclose(self) -> None:
        """Leave no file behind, where that was promised."""
        await self._files.aclose()
