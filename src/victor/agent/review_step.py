"""Whether the calls of a reply may run, as they are or rewritten, a person's word included."""

from __future__ import annotations

from dataclasses import replace

from victor.agent.event_bus import EventBus
from victor.agent.fits import MODE, NONE
from victor.agent.stages import Stages
from victor.events import ApprovalRequested, ToolCallReviewed, ToolCallRewritten
from victor.history import IMPORTED
from victor.messages import Effect, Message, Text, ToolCall, ToolResult
from victor.protocols import Allow, Ask, CallReview, Deny, Mode, Record, Rewrite, Verdict


class ReviewStep:
    """Sees to it that every call has a verdict, also where safety fails, and lets safety know
    what the conversation hears and reads."""

    def __init__(self, stages: Stages, bus: EventBus) -> None:
        self._stages = stages
        self._publish = bus.publish
        self._guard = bus.guard
        self.rewritten: dict[str, str] = {}
        """Why calls that have no result yet are others than the model made, by id."""

    def reviews(self, calls: tuple[ToolCall, ...]) -> tuple[CallReview, ...]:
        """Return what is known of each call before it runs, in order."""
        unknown = tuple(CallReview(call, Effect.EFFECTFUL, known=False) for call in calls)
        return self._guard.read(
            "tool",
            "reviews",
            lambda: self._stages.tool.reviews(calls),
            unknown,
            fits=lambda value: _reviews(value, len(calls)),
        )

    async def review(
        self, reviews: tuple[CallReview, ...]
    ) -> tuple[tuple[CallReview, ...], tuple[Verdict, ...]]:
        """Return the calls, rewritten ones in their places, and `Allow` or `Deny` for each.

        Where it must be asked, a person has answered. When safety fails, effects are denied. When
        the mode is unknown, the strictest holds.
        """
        verdicts = await self._verdicts(reviews)
        decided: list[tuple[CallReview, Allow | Deny]] = []
        asked = False
        for review, verdict in zip(reviews, verdicts, strict=True):
            if asked and isinstance(verdict, Ask):
                # The answer to an earlier question may have settled this one.
                (verdict,) = await self._verdicts((review,))
            asked = asked or isinstance(verdict, Ask)
            decided.append(await self._decide(review, verdict))
        return tuple(review for review, _ in decided), tuple(verdict for _, verdict in decided)

    async def harmless(self, calls: tuple[ToolCall, ...]) -> tuple[CallReview, ...]:
        """Return those of the interrupted calls that may run again without asking anybody."""
        reviews = tuple(
            review for review in self.reviews(calls) if review.effect is not Effect.EFFECTFUL
        )
        verdicts = await self._verdicts(reviews)
        return tuple(
            review
            for review, verdict in zip(reviews, verdicts, strict=True)
            if isinstance(verdict, Allow)
        )

    def mode(self) -> Mode:
        """Return the mode in force; the strictest where it is not known."""
        return self._guard.read(
            "mode", "current", lambda: self._stages.mode.current, Mode.PLAN, fits=MODE
        )

    def hear(self, words: str) -> None:
        """Let safety take note of what the person said."""
        self._tell_safety("hear", words)

    def remember(self, records: tuple[Record, ...]) -> None:
        """Let safety know what a recorded conversation has heard and read.

        Of a turn's messages only what the person wrote counts: its first one, without the notes
        behind. What was imported may be anybody's, and vouches for nothing.
        """
        heard = ""
        for record in records:
            if record.data.get(IMPORTED):
                self.read_from(("a session that was imported",))
                if record.result is not None:
                    self.learn(ToolResult("", "", private=record.result.private))
            elif record.kind == "user" and record.message is not None and record.turn_id != heard:
                heard = record.turn_id
                if record.data.get("heard", True):
                    self.hear(_first_text(record.message))
                self.read_from(tuple(map(str, record.data.get("sources", ()))))
            elif record.result is not None:
                self.learn(record.result)

    def overhear(self, records: tuple[Record, ...]) -> None:
        """Let safety know what the session has read that this one was forked from: its files of
        what was too long can be read here. Nothing in it vouches for anything.
        """
        for record in records:
            if record.result is not None:
                self.learn(replace(record.result, vouched=()))
            self.read_from(tuple(map(str, record.data.get("sources", ()))))

    def learn(self, result: ToolResult) -> None:
        """Let safety take note of what the conversation has read."""
        if result.source or result.vouched or result.private:
            self._tell_safety("learn", (result,))

    def read_from(self, sources: tuple[str, ...]) -> None:
        """Let safety take note of where words come from that a person has attached."""
        for source in sources:
            self.learn(ToolResult("", "", source=source))

    def _tell_safety(self, operation: str, what: object) -> None:
        tell = getattr(self._stages.safety, operation, None)
        if tell is not None:
            self._guard.read("safety", operation, lambda: tell(what), None, fits=NONE)

    async def _verdicts(self, reviews: tuple[CallReview, ...]) -> tuple[Verdict, ...]:
        verdicts = await self._guard.optional(
            "safety",
            "review",
            lambda: self._stages.safety.review(reviews, self.mode()),
            None,
            fits=lambda value: _verdicts(value, len(reviews)),
        )
        if verdicts is None:
            return tuple(_without_safety(review) for review in reviews)
        return verdicts

    async def _decide(
        self, review: CallReview, verdict: Verdict
    ) -> tuple[CallReview, Allow | Deny]:
        call = review.call
        decision = await self._ask(call, verdict) if isinstance(verdict, Ask) else verdict
        if isinstance(decision, Rewrite):
            review, decision = await self._rewrite(review, decision)
        self._publish(ToolCallReviewed(review.call, isinstance(decision, Allow), decision.reason))
        return review, decision

    async def _rewrite(
        self, review: CallReview, rewrite: Rewrite
    ) -> tuple[CallReview, Allow | Deny]:
        """Put the other call in its place, and let it be reviewed as any, but rewritten no more."""
        call = rewrite.call
        self._publish(ToolCallRewritten(review.call, call, rewrite.reason))
        (again,) = self.reviews((call,))
        (verdict,) = await self._verdicts((again,))
        if isinstance(verdict, Ask):
            verdict = await self._ask(call, verdict)
        if isinstance(verdict, Rewrite):
            verdict = Deny("it was to be rewritten twice")
        self.rewritten[call.id] = rewrite.reason
        return again, verdict

    async def _ask(self, call: ToolCall, verdict: Ask) -> Allow | Deny | Rewrite:
        self._publish(ApprovalRequested(call, verdict.question))
        nobody = Deny("nobody could be asked")
        return await self._guard.optional(
            "safety",
            "ask",
            lambda: self._stages.safety.ask(call, verdict),
            nobody,
            fits=lambda value: _answers(value, call),
            seconds=None,  # A person takes as long as it takes.
        )

    async def ask_without_undo(self, review: CallReview) -> Verdict:
        """Return the verdict on a call of which nothing could be kept: a person must say."""
        reason = "no checkpoint could be kept, so this cannot be undone"
        question = f"Run {review.call.name}, although {reason}?"
        _, verdict = await self._decide(review, Ask(question, reason))
        return verdict


def _first_text(message: Message) -> str:
    return next((part.text for part in message.parts if isinstance(part, Text)), "")


def _without_safety(review: CallReview) -> Allow | Deny:
    if review.known and review.effect is Effect.READ_ONLY:
        return Allow("read-only; the safety check failed")
    return Deny("the safety check failed, so nothing that has effects may run")


def _reviews(value: object, count: int) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == count
        and all(isinstance(review, CallReview) for review in value)
    )


def _verdicts(value: object, count: int) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == count
        and all(isinstance(verdict, Verdict) for verdict in value)
    )


def _answers(value: object, call: ToolCall) -> bool:
    if isinstance(value, Rewrite):
        return value.call.id == call.id
    return isinstance(value, Allow | Deny)
