"""What was intended when a process died, and what of it may run again.

A step's intents are committed with the reply that asks for the calls, before any of them runs. A
call with an intent and no result was interrupted: nobody knows what it did. It may only run again
where that does no harm, by its effect as declared then and now.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from victor.messages import Effect, JsonObject, ToolCall
from victor.protocols import CallReview, Intent, Record

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=repr).encode


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The step that a record breaks off in."""

    turn_id: str
    calls: tuple[ToolCall, ...]
    """Those of its calls that have no result and may run again, in order."""


def intents(reviews: Iterable[CallReview]) -> tuple[Intent, ...]:
    """Return what is committed of each call before it runs."""
    return tuple(
        Intent(review.call.id, fingerprint(review.call.arguments), review.effect)
        for review in reviews
    )


def fingerprint(arguments: JsonObject) -> str:
    """Return the sha256 of the arguments, whatever the order of their names."""
    return sha256(_CANONICAL(dict(arguments)).encode()).hexdigest()


def unfinished(records: tuple[Record, ...]) -> Unfinished | None:
    """Return the step that the records end in the middle of; None where there is none.

    A step that was cancelled or failed is over: its calls are not run again.
    """
    answered: set[str] = set()
    for record in reversed(records):
        match record.kind:
            case "result" if record.result is not None:
                answered.add(record.result.call_id)
            case "reply" if record.calls:
                return _left_of(record, answered)
            case "tool":
                continue
            case _:
                return None
    return None


def _left_of(reply: Record, answered: set[str]) -> Unfinished | None:
    intended = {intent.call_id: intent for intent in reply.intents}
    left = tuple(
        call
        for call in reply.calls
        if call.id not in answered and _harmless(call, intended.get(call.id))
    )
    return Unfinished(reply.turn_id, left) if left else None


def _harmless(call: ToolCall, intent: Intent | None) -> bool:
    return (
        intent is not None
        and intent.effect is not Effect.EFFECTFUL
        and intent.arguments_sha256 == fingerprint(call.arguments)
    )
