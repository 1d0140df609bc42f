"""What a record explains of a turn, and what it says that it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from victor.errors import SessionError
from victor.explanations import Explanation, Part, Topic
from victor.explanations.record import from_record
from victor.messages import Effect, ToolCall, ToolResult, assistant, user
from victor.protocols import Intent, Record

CALL = ToolCall("c1", "shell", {"command": "rm a"})
NOTED: dict[str, Any] = {
    "provider": "acme",
    "model": "m-1",
    "mode": "build",
    "system": "Be kind.\n\nBe safe.",
    "system_because": [["identity", 1000, 4, 8], ["safety", 900, 4, 8]],
    "tools": [{"name": "shell", "description": "Run.", "parameters": {}, "effect": "effectful"}],
    "tools_because": [["shell", 0.5, "it fits", True], ["web", 0.1, "it does not", False]],
    "settings": {"tool_selection_strategy": "keyword"},
    "usage": {"input": 90, "output": 5, "cache_read": 15, "cost_usd": 0.1, "estimate": 80},
}


SHELL = {"tokens": 9, "cached": True}


def turn(number: int, data: dict[str, Any], **more: Any) -> tuple[Record, ...]:
    name = f"s-{number}"
    return (
        Record("user", name, message=user(f"Do {number}.")),
        Record("reply", name, message=assistant(f"Done {number}."), data=data, **more),
        Record("ended", name, data={"cost_usd": 0.1}),
    )


def told(topic: Topic, *records: Record, number: int | None = None) -> Explanation:
    return from_record(topic, "s", records, number)


def test_each_part_of_the_prompt_has_its_writer_and_whether_it_was_cached() -> None:
    found = told(Topic.PROMPT, *turn(1, NOTED), *turn(2, {}))
    assert found.of == "turn 2 of session s"
    assert found.facts["noted in turn"] == 1
    assert [
        (part.name, part.figures["priority"], part.figures["text"]) for part in found.parts
    ] == [
        ("identity", 1000, "Be kind."),
        ("safety", 900, "Be safe."),
    ]
    assert found.unknown == ("What of it came from the vendor's cache is not on record.",)
    first = told(Topic.PROMPT, *turn(1, NOTED))
    assert [part.figures["cached"] for part in first.parts] == [True, False]


def test_tools_have_score_reason_and_whether_they_were_offered() -> None:
    found = told(Topic.TOOLS, *turn(1, NOTED))
    assert found.facts["strategy"] == "keyword"
    assert found.parts == (
        Part("shell", "it fits", {"score": 0.5, "offered": True, **SHELL}),
        Part("web", "it does not", {"score": 0.1, "offered": False}),
    )
    without = {name: part for name, part in NOTED.items() if name != "tools_because"}
    assert told(Topic.TOOLS, *turn(1, without)).unknown
    assert told(Topic.TOOLS, *turn(1, without)).parts[0].figures == {"offered": True, **SHELL}


KNOWN = {
    "window": 200_000,
    "max_output": 8_000,
    "input_price": 5.0,
    "output_price": 25.0,
    "cache_read_price": 0.5,
    "abilities": ["tools"],
    "known": True,
}


def test_each_part_has_its_cost_by_what_was_known_of_the_model_then() -> None:
    records = (*turn(1, {**NOTED, "known_model": KNOWN}), *turn(2, {}))
    cached, fresh = told(Topic.PROMPT, *records[:3]).parts
    assert cached.figures["cost_usd"] == cached.figures["tokens"] * 0.5 / 1_000_000
    assert fresh.figures["cost_usd"] == fresh.figures["tokens"] * 5.0 / 1_000_000
    (tool, *_) = told(Topic.TOOLS, *records[:3]).parts
    assert tool.figures["cost_usd"] == tool.figures["tokens"] * 0.5 / 1_000_000
    (said, *_) = told(Topic.CONTEXT, *records).parts
    assert said.figures["cost_usd"] == said.figures["tokens"] * 5.0 / 1_000_000
    free = {**KNOWN, "input_price": None, "cache_read_price": None}
    unpriced = told(Topic.PROMPT, *turn(1, {**NOTED, "known_model": free})).parts[0]
    assert unpriced.figures["cost_usd"] is None


def test_a_past_model_is_told_as_it_was_known_in_its_turn() -> None:
    later = {"known_model": {**KNOWN, "window": 400_000}}
    records = (*turn(1, {**NOTED, "known_model": KNOWN}), *turn(2, later))
    first, second = (told(Topic.MODEL, *records, number=number) for number in (1, 2))
    assert (first.facts["window"], second.facts["window"]) == (200_000, 400_000)
    assert first.facts["dollars for a million tokens from the cache"] == 0.5
    assert first.facts["abilities"] == ["tools"]
    assert (first.unknown, second.unknown) == ((), ())


def test_the_context_has_each_message_and_each_compaction() -> None:
    why = {"reason": "over 80%", "strategy": "hybrid", "kept": "/x/left-out.md"}
    records = (
        *turn(1, NOTED),
        Record("compacted", "s-2", context=(user("Do 1."),), data=why),
        Record("reply", "s-2", message=assistant("More.")),
        Record("compacted", "s-2", context=(user("Do 1."), assistant("Done 1."))),
        *turn(2, {}),
    )
    found = told(Topic.CONTEXT, *records)
    compaction, dropped, bare, left_too, *messages = found.parts
    assert (dropped.name, dropped.why) == ("left out: assistant", "Done 1.")
    assert {**why, "time": "1970-01-01T00:00:00+00:00"}.items() <= dropped.figures.items()
    assert (left_too.name, left_too.figures["strategy"]) == ("left out: assistant", "")
    assert (compaction.why, compaction.figures["kept"]) == ("over 80%", "/x/left-out.md")
    assert bare.why == ""
    assert [part.name for part in messages] == [
        *("1 user", "2 assistant", "3 user", "4 assistant"),
    ]
    assert found.facts["tokens"] == sum(part.figures["tokens"] for part in messages)
    assert found.unknown == ("Of some compactions only the result is on record, not the reason.",)


def test_settings_are_told_as_they_were_in_the_turn() -> None:
    later = {"settings": {"tool_selection_strategy": "hybrid"}}
    records = (*turn(1, NOTED), *turn(2, later), *turn(3, {}))
    first, last = (told(Topic.CONFIG, *records, number=number) for number in (1, 3))
    assert first.parts == (Part("tool_selection_strategy", "on record", {"value": "keyword"}),)
    assert last.parts[0].figures == {"value": "hybrid"}
    assert last.facts == {"noted in turn": 2}
    assert last.unknown == ("Of the other settings there is no record.",)


def test_calls_have_what_decided_of_them() -> None:
    intended = {"calls": (CALL,), "intents": (Intent("c1", "0", Effect.EFFECTFUL),)}
    decided = {"allowed": False, "because": "rule deny shell"}
    result = Record("result", "s-1", result=ToolResult("c1", "no", is_error=True), data=decided)
    asked, reply, end = turn(1, NOTED, **intended)
    found = told(Topic.SAFETY, asked, reply, result, end)
    assert found.parts[0].why == "rule deny shell"
    assert found.parts[0].figures["allowed"] is False
    assert found.unknown == ()
    assert told(Topic.SAFETY, asked, reply, end).unknown


def test_the_model_has_every_switch_with_its_reason() -> None:
    switched = {"model": "m-2", "model_because": "m-1 is overloaded"}
    found = told(Topic.MODEL, *turn(1, NOTED), *turn(2, switched), *turn(3, {"model": "m-3"}))
    assert [(part.name, part.why) for part in found.parts] == [
        ("acme:m-1", "the first of the session"),
        ("acme:m-2", "m-1 is overloaded"),
        ("acme:m-3", "asked for"),
    ]
    assert (found.facts["model"], found.facts["cost_usd"]) == ("m-3", 0.1)


@pytest.mark.parametrize("topic", [Topic.PROMPT, Topic.TOOLS, Topic.MODEL])
def test_what_an_old_record_lacks_is_unknown(topic: Topic) -> None:
    found = told(topic, *turn(1, {}))
    assert found.unknown
    assert found.parts == ()


def test_there_is_nothing_to_tell_of_a_turn_that_was_not_had() -> None:
    with pytest.raises(SessionError, match="no turn 3: it has 1"):
        told(Topic.PROMPT, *turn(1, NOTED), number=3)
