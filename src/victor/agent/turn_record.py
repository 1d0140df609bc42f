"""What a turn leaves: its messages in the context, and its entries in the session's record."""

from __future__ import annotations

from dataclasses import asdict

from victor.agent.event_bus import EventBus
from victor.agent.fits import NONE
from victor.agent.stages import Stages
from victor.agent.turn import Turn
from victor.intents import intents
from victor.messages import Context, Message, Reply, Response, Role, StopReason, Text
from victor.protocols import CallReview, Record

INTERRUPTED_ANSWER = "\n\n[The answer was interrupted here.]"
"""Stands in the history, for the model and for people, behind an answer that broke off."""


class TurnRecord:
    """Puts on record what happens in a turn, each thing before anything follows from it."""

    def __init__(self, stages: Stages, bus: EventBus) -> None:
        self._stages = stages
        self._guard = bus.guard

    def in_force(self) -> Context:
        """Return the messages that the model sees now."""
        stage = self._stages.context
        return self._guard.require("context", "get_context", stage.get_context)

    async def end(self, turn: Turn, reply: Reply, stop_reason: StopReason) -> Response:
        """Keep how the turn ended, and return what it came to. Raises `SessionError`."""
        self.append(turn, reply.message)
        figures = {
            **turn.figures(),
            "stop_reason": stop_reason,
            "provider": reply.provider,
            "model": reply.model,
        }
        await self.record(turn, Record("ended", turn.id, data=figures))
        return Response(
            content=reply.message.text,
            messages=tuple(turn.messages),
            stop_reason=stop_reason,
            usage=turn.usage,
            cost=turn.cost,
            session_id=turn.session_id,
            turn_id=turn.id,
            model=reply.model,
            provider=reply.provider,
            output=turn.output.value if turn.output else None,
        )

    def append(self, turn: Turn, *messages: Message) -> None:
        """Add messages to what the model sees: one of the user's, or a whole step."""
        append = self._stages.context.append
        self._guard.require("context", "append", lambda: append(*messages))
        turn.messages.extend(messages)

    async def reply(self, turn: Turn, reply: Reply, reviews: tuple[CallReview, ...]) -> None:
        """Commit the reply and what its calls intend, before any of them runs."""
        calls = reply.message.tool_calls
        intended = intents(reviews)
        record = Record(
            "reply",
            turn.id,
            message=reply.message,
            calls=calls,
            data=turn.noted,
            intents=intended,
        )
        await self.record(turn, record)

    async def record(self, turn: Turn, record: Record) -> None:
        """Commit an entry. Raises `SessionError`; then the turn cannot go on."""
        store = self._stages.session.record
        await self._guard.critical("session", "record", lambda: store(turn.session_id, record))

    async def note(self, turn: Turn, record: Record) -> None:
        """Record how the turn ended, where that is not what decides its outcome."""
        store = self._stages.session.record
        await self._guard.optional(
            "session", "record", lambda: store(turn.session_id, record), None
        )

    async def partial(self, turn: Turn, partial: str) -> None:
        """Keep what a person has read of an answer that broke off, marked as such."""
        message = _interrupted(partial)
        await self.record(turn, Record("reply", turn.id, message=message))
        self.append(turn, message)

    async def shown(self, turn: Turn) -> None:
        """Keep what a person had read of an answer when the turn was cancelled, marked as such."""
        if shown := "".join(turn.shown).strip() and "".join(turn.shown):
            message = _interrupted(shown)
            await self.note(turn, Record("reply", turn.id, message=message))
            self.append(turn, message)

    async def compacted(self, turn: Turn, before: Context) -> None:
        """Put a compaction on record before anything is sent that follows from it.

        Else a resumed conversation would begin with all that was left out, and compact it anew.
        """
        kept = self.in_force().messages
        if kept == before.messages:
            return
        renew = self._stages.prompt.renew
        self._guard.read("prompt", "renew", renew, None, fits=NONE)
        receipt = turn.compaction
        data = {} if receipt is None else asdict(receipt)
        await self.record(turn, Record("compacted", turn.id, context=kept, data=data))


def _interrupted(text: str) -> Message:
    return Message(Role.ASSISTANT, (Text(text), Text(INTERRUPTED_ANSWER)))
