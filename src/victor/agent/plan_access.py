"""The part of the facade that deals with the session's plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from victor.agent.session_access import SessionAccess
from victor.errors import SessionError
from victor.events import ModeChanged
from victor.plans import Plan
from victor.protocols import Mode

if TYPE_CHECKING:
    from victor.agent.event_bus import EventBus


class PlanAccess(SessionAccess):
    """Reading the plan that was made in `plan` mode, and handing it over to be built."""

    _bus: EventBus

    async def plan(self) -> Plan | None:
        """Return the session's plan as it is now; None where there is none. Raises `SessionError`.

        Who changed its file since, such as the person with an editor, is heeded.
        """
        self._enter()
        return await self._conversation.plan()

    async def approve_plan(self, plan: Plan | None = None) -> Plan:
        """Put `build` in force, and let the next turn tell the model to carry the plan out.

        `plan` is what the person has seen, by default the plan as it is now. No word of a model
        does this. Raises `SessionError` where there is no plan.
        """
        self._enter()
        plan = plan or await self._conversation.plan()
        if plan is None:
            raise SessionError(
                "There is no plan to build.", hint="Let one be made in plan mode first."
            )
        await self._conversation.begin()
        await self._conversation.approve(plan)
        self.set_mode(Mode.BUILD)
        return plan

    def set_mode(self, mode: Mode | str) -> None:
        """Change what the agent may do, from the next tool call on. Raises `UnknownNameError`.

        Any mode but `build` takes the word back that an approved plan shall be built.
        """
        before, after = self.mode_coordinator.switch(mode)
        self.config_coordinator.set("mode", after.value, source="set_mode")
        if after is not Mode.BUILD:
            self._conversation.keep_planning()
        if before is not after:
            self._bus.publish(ModeChanged(before, after))
