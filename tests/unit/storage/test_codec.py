"""Records as JSON, and back."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from victor.errors import SessionError
from victor.messages import (
    Image,
    Message,
    Part,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    assistant,
    user,
)
from victor.protocols import Record
from victor.storage.codec import KINDS, VERSION, decode, encode

anything = st.text(st.characters(), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | anything,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(anything, inner, max_size=2),
    max_leaves=4,
)
objects = st.dictionaries(anything, values, max_size=3)
calls = st.builds(ToolCall, anything, anything, objects, anything)
results = st.builds(ToolResult, anything, anything, st.booleans(), anything)
parts: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, anything),
    st.builds(Image, st.binary(max_size=8), anything),
    st.builds(Thinking, anything, anything, anything),
    calls,
    results,
)
messages = st.builds(Message, st.sampled_from(Role), st.lists(parts, max_size=3).map(tuple))
records = st.builds(
    Record,
    st.sampled_from(sorted(KINDS)),
    anything,
    st.none() | messages,
    st.lists(calls, max_size=2).map(tuple),
    st.none() | results,
    st.lists(messages, max_size=2).map(tuple),
    objects,
    st.floats(0, 1e10),
)


@settings(max_examples=60)
@given(records)
def test_every_record_comes_back_unchanged_through_utf_8(record: Record) -> None:
    stored = encode(record).encode()
    assert decode(record.kind, record.turn_id, record.time, stored.decode()) == record


def test_the_form_is_compact_and_keeps_letters_readable() -> None:
    call = ToolCall("c", "read", {"path": "ä"})
    record = Record("reply", "t", assistant("Größe", call), calls=(call,))
    assert encode(record) == (
        '{"v":1,"message":{"role":"assistant","parts":[{"text":"Größe"},'
        '{"call":"c","name":"read","arguments":{"path":"ä"}}]},"calls":true}'
    )


def test_read_only_mappings_are_objects() -> None:
    data = MappingProxyType({"a": MappingProxyType({"b": 1})})
    body = encode(Record("ended", "t", data=data))
    assert decode("ended", "t", 0.0, body).data == {"a": {"b": 1}}


def test_a_kind_that_could_not_be_read_is_not_written() -> None:
    with pytest.raises(SessionError, match="no kind of record 'dreamt'"):
        encode(Record("dreamt", "t"))


def test_what_is_no_json_is_not_written() -> None:
    with pytest.raises(SessionError, match="object cannot be recorded"):
        encode(Record("ended", "t", data={"x": object()}))


def body(**form: object) -> str:
    return json.dumps({"v": VERSION, **form})


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("ended", body(v=VERSION + 1)),
        ("dreamt", body()),
        ("user", body(message={"role": "oracle", "parts": []})),
        ("user", body(message={"role": "user", "parts": [{"smell": "smoke"}]})),
        ("user", body(message={"role": "user", "parts": [{}]})),
    ],
)
def test_what_a_newer_version_wrote_is_refused_with_the_remedy(kind: str, text: str) -> None:
    with pytest.raises(SessionError, match="update Victor"):
        decode(kind, "t", 0.0, text)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        body(message={"role": "user"}),
        body(message={"role": "user", "parts": [{"image": "***", "type": "image/png"}]}),
        body(message={"role": "user", "parts": ["text"]}),
        body(calls=[{"call": "c"}]),
        body(calls=3),
        body(message=3),
    ],
)
def test_a_damaged_record_is_told_by_its_turn(text: str) -> None:
    with pytest.raises(SessionError, match="turn 't7'"):
        decode("user", "t7", 0.0, text)


def test_calls_that_are_not_the_messages_own_are_kept_apart() -> None:
    record = Record("reply", "t", user("x"), calls=(ToolCall("c", "read", {}, invalid="{oops"),))
    assert decode("reply", "t", 0.0, encode(record)) == record
