"""The part of the facade that deals with conversations on record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from victor.agent.coordinator_access import CoordinatorAccess
from victor.errors import SessionError

if TYPE_CHECKING:
    from victor.agent.conversation import Conversation
    from victor.messages import Message
    from victor.protocols import SessionInfo


class SessionAccess(CoordinatorAccess):
    """Going on with recorded sessions, forking, listing and deleting them."""

    workspace: Path
    _conversation: Conversation

    async def resume(self, session_id: str = "last") -> tuple[Message, ...]:
        """Go on with a recorded session, and return its messages.

        `session_id` may be how just one id begins, or `last`: the workspace's latest. Raises
        `SessionNotFound`, or `SessionError` where this orchestrator has had a turn already.
        """
        self._enter()
        return await self._conversation.resume(session_id)

    async def fork(
        self, session_id: str = "last", *, at_turn: int | None = None
    ) -> tuple[Message, ...]:
        """Go on with a copy of a recorded session, which stays as it is, and return its messages.

        `at_turn` is the last turn that the copy has, counted from 1; None takes all, 0 none. The
        new session has the id of this orchestrator, and knows its parent. Raises as `resume`.
        """
        self._enter()
        return await self._conversation.fork(session_id, at_turn)

    async def sessions(self, limit: int = 50) -> tuple[SessionInfo, ...]:
        """Return the workspace's recorded sessions, the last used first."""
        self._enter()
        return await self.session_coordinator.list(str(self.workspace), limit)

    async def delete_session(self, session_id: str) -> None:
        """Forget a recorded session, with its checkpoints and what its tools had set aside.

        Raises `SessionNotFound`, or `SessionError` where it is open, here or elsewhere.
        """
        self._enter()
        session_id = await self.session_coordinator.resolve(session_id, str(self.workspace))
        if session_id == self._conversation.session_id:
            raise SessionError(
                f"The session {session_id!r} is open here.", hint="Delete it from another one."
            )
        await self.session_coordinator.open(session_id)
        # The record goes last: where something fails on the way, the session is still listed.
        await self.checkpoint_coordinator.forget(session_id)
        forget_outputs = getattr(self.tool_coordinator, "forget_session", None)
        if forget_outputs is not None:
            await forget_outputs(session_id)
        await self.session_coordinator.delete(session_id)

    def _enter(self) -> None:
        """Check that the orchestrator may be used now."""
        raise NotImplementedError
