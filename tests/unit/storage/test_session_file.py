"""A session as JSON lines: the same again, or one clear error."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from victor.errors import SessionError
from victor.messages import (
    Document,
    Image,
    Message,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    assistant,
    user,
)
from victor.protocols import Record, SessionInfo
from victor.storage.session_file import read, written
from victor.storage.totals import totals

INFO = SessionInfo("s1", "Words", "/work", "acme", "m-1", created=10.0, updated=11.5, tags=("a",))
CALL = ToolCall("c1", "read", {"path": "é\ud800", "deep": [{"n": 1.5}]})
RECORDS = (
    Record(
        "user", "s1-1", Message(Role.USER, (Text("hi\u2028there"), Image(b"\x00", "image/png")))
    ),
    Record("reply", "s1-1", assistant("yes", CALL), calls=(CALL,), time=3.25),
    Record("result", "s1-1", result=ToolResult("c1", "no\x00", is_error=True, full_output="/x")),
    Record("compacted", "s1-1", context=(user("short"),)),
    Record("ended", "s1-1", data={"input_tokens": 3, "cost_usd": 0.25, "model": "m"}),
)

TEXT = st.text(alphabet=st.characters(), max_size=20)
PLAIN = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = PLAIN.filter(str.isprintable).map(str.strip)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)
CALLS = st.builds(ToolCall, TEXT, TEXT, OBJECT, TEXT)
IMAGES = st.lists(st.builds(Image, st.binary(max_size=9), TEXT), max_size=2).map(tuple)
RESULTS = st.builds(ToolResult, TEXT, TEXT, st.booleans(), TEXT, IMAGES)
USER = st.builds(
    Message,
    st.just(Role.USER),
    st.lists(
        st.builds(Text, TEXT)
        | st.builds(Image, st.binary(max_size=9), TEXT)
        | st.builds(Document, st.binary(max_size=9), TEXT, TEXT),
        max_size=3,
    ).map(tuple),
)
ASSISTANT = st.builds(
    Message,
    st.just(Role.ASSISTANT),
    st.lists(st.builds(Text, TEXT) | st.builds(Thinking, TEXT, TEXT, TEXT) | CALLS, max_size=3).map(
        tuple
    ),
)
TIMES = st.floats(0, 2e9)
ENTRIES = st.one_of(
    st.builds(Record, st.just("user"), PLAIN, USER, time=TIMES),
    st.builds(
        Record,
        st.just("reply"),
        PLAIN,
        ASSISTANT,
        st.lists(CALLS, max_size=2).map(tuple),
        time=TIMES,
    ),
    st.builds(Record, st.sampled_from(("result", "tool")), PLAIN, result=RESULTS, time=TIMES),
    st.builds(
        Record,
        st.just("compacted"),
        PLAIN,
        context=st.lists(USER, max_size=2).map(tuple),
        time=TIMES,
    ),
    st.builds(
        Record, st.sampled_from(("ended", "failed", "cancelled")), PLAIN, data=OBJECT, time=TIMES
    ),
)
INFOS = st.builds(
    SessionInfo,
    id=NAMES.filter(bool),
    title=PLAIN,
    workspace=PLAIN,
    provider=PLAIN,
    model=PLAIN,
    created=TIMES,
    updated=TIMES,
    tags=st.sets(NAMES, max_size=2).map(sorted).map(tuple),
    parent=NAMES,
    parent_turn=st.integers(0, 99),
)


@settings(deadline=None)
@given(INFOS, st.lists(ENTRIES, max_size=6).map(tuple))
def test_what_is_written_is_read_as_it_was(info: SessionInfo, records: tuple[Record, ...]) -> None:
    expected = replace(info, **totals(records)._asdict())
    text = written(info, records)
    assert read(text.encode(errors="strict").decode()) == (expected, records)


def test_what_a_session_adds_up_to_is_counted_and_not_believed() -> None:
    info, records = read(written(replace(INFO, cost_usd=99.0, turns=7), RECORDS))
    assert (info.turns, info.cost_usd, info.input_tokens) == (1, 0.25, 3)
    assert records == RECORDS


def lines() -> list[str]:
    return written(INFO, RECORDS).split("\n")[:-1]


def with_head(**changes: object) -> str:
    head = json.loads(lines()[0])
    session = {**head["session"], **changes}
    return "\n".join([json.dumps({**head, "session": session}), *lines()[1:]])


def with_record(number: int, **changes: object) -> str:
    kept = lines()
    form = json.loads(kept[number])
    form["record"] = {**form["record"], **{k: v for k, v in changes.items() if k not in form}}
    form |= {key: value for key, value in changes.items() if key in form}
    kept[number] = json.dumps(form)
    return "\n".join(kept)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Line 1: .* it is empty"),
        ("<html>", "Line 1: .*it is no JSON"),
        ("[1]", "Line 1: .*no object"),
        ("{}", "Line 1: .*'victor_session' is missing"),
        ('{"victor_session": 2, "records": 0}', "newer version of Victor"),
        ('{"victor_session": "x", "records": 0}', "newer version of Victor"),
        ('{"victor_session": 1, "records": 0, "session": []}', "`session` is no object"),
        ('{"victor_session": 1, "records": NaN, "session": {}}', "NaN is no number"),
        ("[" * 100_000, "Line 1: .*nested too deeply"),
        (with_head(id=""), "no id"),
        (with_head(id="\ud800"), "surrogates"),
        (with_head(id="s\x1b]0;owned\x07"), "can be no session's id"),
        (with_head(id="s1\n"), "can be no session's id"),
        (with_head(parent="s\u202e1"), "can be no session's id"),
        (with_head(tags=["a\x9b2J"]), "and no tag"),
        (with_head(title=5), "`title` is no text"),
        (with_head(created="now"), "`created` is no time"),
        (with_head(updated=1e18), "`updated` is no time"),
        (with_head(created=True), "`created` is no time"),
        (with_head(tags="abc"), "`tags` is no list"),
        (with_head(tags=[["a"]]), "`tags` is no text"),
        (with_head(parent_turn=-1), "`parent_turn`"),
        ("\n".join(lines()[:3]), "5 records should follow the first line, and 2 do"),
        ("\n".join([*lines(), lines()[-1]]), "and 6 do: the file was cut or added to"),
        ("\n".join([*lines()[:2], lines()[2][:40], *lines()[3:]]), "Line 3: .*no JSON"),
        (with_record(1, kind="grep"), "Line 2: .*does not know"),
        (with_record(1, turn=None), "Line 2: .*`turn` is no text"),
        (with_record(1, time=-1), "Line 2: .*`time` is no time"),
        (with_record(1, v=99), "Line 2: .*does not know"),
        (with_record(1, message={"role": "user", "parts": [{"text": 5}]}), "`text` of a Text"),
        (
            with_record(1, message={"role": "user", "parts": [{"image": "?", "type": "x"}]}),
            "Line 2",
        ),
        (with_record(1, message={"role": "assistant", "parts": []}), "'user' record of role"),
        (with_record(2, message={"role": "king", "parts": []}), "Line 3: .*role 'king'"),
        (with_record(2, calls=[{"call": "c", "name": "n", "arguments": []}]), "`arguments` of a"),
        (with_record(3, result={"answers": "c", "content": "x", "error": "no"}), "`is_error` of a"),
        (with_record(3, result=7), "Line 4"),
        (with_record(5, data=[1]), "Line 6: .*`data` is no object"),
    ],
)
def test_a_garbled_file_is_one_clear_error(text: str, said: str) -> None:
    with pytest.raises(SessionError, match=said) as raised:
        read(text)
    assert raised.value.hint


@pytest.mark.parametrize("number", [1, 3])
def test_a_record_without_what_its_kind_holds_is_refused(number: int) -> None:
    kept = lines()
    form = json.loads(kept[number])
    form["record"] = {"v": 1}
    kept[number] = json.dumps(form)
    with pytest.raises(SessionError, match=r"without a (message|result)"):
        read("\n".join(kept))


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_file_with_a_wrong_byte_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    raw = bytearray(written(INFO, RECORDS).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        info, records = read(raw.decode(errors="replace"))
    except SessionError:
        return
    assert read(written(info, records)) == (info, records)
