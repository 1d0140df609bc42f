"""The part of the facade that fetches what a person names in a message, such as a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from victor.agent.plan_access import PlanAccess
from victor.protocols import Ability, Attachment, Endpoint, Mentionable

if TYPE_CHECKING:
    from victor.agent.event_bus import EventBus
    from victor.agent.turn_loop import TurnLoop


class AttachmentAccess(PlanAccess):
    """Resources and prompts of servers that go along with what a person says."""

    _bus: EventBus
    _turns: TurnLoop

    @property
    def current(self) -> Endpoint:
        """The provider and model that the next model call goes to."""
        raise NotImplementedError

    def mentions(self, words: str) -> bool:
        """Return whether `words` name something to attach: `@SERVER:ADDRESS`, `/SERVER:PROMPT`."""
        attachments = getattr(self.tool_coordinator, "attachments", None)
        return bool(attachments is not None and attachments.mentions(words))

    async def mentionable(self) -> tuple[Mentionable, ...]:
        """Return what can be named, starting the servers if need be; a person may be asked."""
        self._enter()
        await self._conversation.begin()
        await self._turns.join()
        attachments = getattr(self.tool_coordinator, "attachments", None)
        return () if attachments is None else tuple(attachments.mentionable())

    async def attach(self, words: str) -> tuple[Attachment, ...]:
        """Fetch what `words` name, to go along with the next turn, and return it.

        For words of a person's: what a model wrote could tell a server something. From then on the
        conversation holds foreign words. Raises `ToolError` where something cannot be had; then
        nothing goes along.
        """
        self._enter()
        self._conversation.attached = ()
        if not self.mentions(words):
            return ()
        await self._conversation.begin()
        await self._turns.join()
        provider = self.provider_coordinator
        sees = Ability.IMAGES in provider.model_info(self.current).abilities
        attachments = self.tool_coordinator.attachments
        self._conversation.attached = await self._bus.guard.critical(
            "tool", "attach", lambda: attachments.attach(words, sees_images=sees), seconds=None
        )
        return self._conversation.attached
