"""What of an interrupted step may run again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from victor.intents import Unfinished, fingerprint, intents, unfinished
from victor.messages import Effect, Message, Role, ToolCall, ToolResult, assistant, user
from victor.protocols import CallReview, Intent, Record

LOOK = ToolCall("c1", "look", {"at": "a", "deep": True})
WRITE = ToolCall("c2", "write", {"path": "b"})
POKE = ToolCall("c3", "poke", {})
CALLS = (LOOK, WRITE, POKE)
EFFECTS = (Effect.READ_ONLY, Effect.IDEMPOTENT, Effect.EFFECTFUL)
INTENTS = intents(CallReview(call, effect) for call, effect in zip(CALLS, EFFECTS, strict=True))
ASKED = Record("user", "t1", user("Do it."))
REPLY = Record("reply", "t1", Message(Role.ASSISTANT, CALLS), CALLS, intents=INTENTS)


def result(call: ToolCall) -> Record:
    return Record("result", "t1", result=ToolResult(call.id, "done"))


def test_an_intent_names_the_call_its_effect_and_its_arguments() -> None:
    assert INTENTS[1] == Intent("c2", fingerprint({"path": "b"}), Effect.IDEMPOTENT)
    assert fingerprint({"deep": True, "at": "a"}) == INTENTS[0].arguments_sha256
    assert fingerprint({"at": "b", "deep": True}) != INTENTS[0].arguments_sha256


def test_calls_that_do_no_harm_twice_may_run_again() -> None:
    assert unfinished((ASKED, REPLY)) == Unfinished("t1", (LOOK, WRITE))
    assert unfinished((ASKED, REPLY, result(LOOK))) == Unfinished("t1", (WRITE,))
    assert unfinished((ASKED, REPLY, result(LOOK), result(WRITE))) is None


def test_a_result_beside_the_conversation_does_not_end_the_step() -> None:
    beside = Record("tool", "t1", result=ToolResult("w1", "done"))
    assert unfinished((ASKED, REPLY, beside)) == Unfinished("t1", (LOOK, WRITE))


@pytest.mark.parametrize("kind", ["cancelled", "failed", "ended", "user", "compacted"])
def test_a_step_that_is_over_is_left_alone(kind: str) -> None:
    assert unfinished((ASKED, REPLY, Record(kind, "t1"))) is None
    assert unfinished(()) is None
    assert unfinished((ASKED, Record("reply", "t1", assistant("Done.")))) is None


def test_what_was_not_intended_so_is_left_alone() -> None:
    assert unfinished((ASKED, replace(REPLY, intents=()))) is None
    other = replace(REPLY, calls=(replace(LOOK, arguments={"at": "elsewhere"}),))
    assert unfinished((ASKED, other)) is None
