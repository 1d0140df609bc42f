"""The fault matrix, second part: answers that break off, tell of an error, or are none.

The servers and the adapters are real; waits between tries are noted instead of taken.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator

import pytest
from tests.wire.columns import COLUMNS, LONG, TEXT, TWO, Column, ask, turn

from victor.agent.coordinators.chat_coordinator import MOST_RESUMPTIONS
from victor.errors import BadReply, InvalidRequest, ProviderUnavailable
from victor.testing.faults import Ending, Fault
from victor.testing.loopback import LoopbackReply

pytest.importorskip("google.genai", reason="the extra google is not installed")
pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(params=COLUMNS, ids=str)
def column(request: pytest.FixtureRequest) -> Column:
    return request.param


# It breaks off


@pytest.mark.parametrize("ending", [Ending.CUT, Ending.RESET, Ending.WHOLE])
@pytest.mark.parametrize("keep", [0.0, 0.1])
async def test_an_answer_that_breaks_off_unseen_is_asked_for_again(
    ending: Ending, keep: float, column: Column
) -> None:
    outcome = await ask(column, Fault(keep=keep, ending=ending), "ok")
    assert (outcome.text, outcome.retried) == ("ok", 1)


@pytest.mark.parametrize("ending", [Ending.CUT, Ending.RESET, Ending.WHOLE])
async def test_an_answer_that_breaks_off_is_gone_on_with(ending: Ending, column: Column) -> None:
    outcome = await ask(column, Fault(LONG, keep=0.6, ending=ending), "and the rest")
    assert outcome.retried == 1
    if not column.streaming:
        assert outcome.text == "and the rest"
        return
    assert outcome.text.startswith("one two")
    assert outcome.text.endswith("and the rest")
    asked = json.dumps(outcome.requests[1][column.vendor.turns][-2:])
    assert outcome.text.removesuffix("and the rest").strip() in asked
    assert "Go on exactly" in asked


async def test_an_answer_that_always_breaks_off_is_an_error_with_its_text(column: Column) -> None:
    outcome = await ask(column, otherwise=Fault(LONG, keep=0.6, ending=Ending.CUT))
    assert isinstance(outcome.error, BadReply)
    tries = MOST_RESUMPTIONS + 1 if column.streaming else 4
    assert len(outcome.requests) == tries
    assert outcome.error.partial.count("one two") == (tries if column.streaming else 0)


async def test_a_call_that_broke_off_is_no_call(column: Column) -> None:
    broken = Fault(LoopbackReply(calls=TWO, pieces=9), keep=0.8, ending=Ending.CUT)
    outcome = await ask(column, broken, "ok")
    assert (outcome.text, outcome.calls) == ("ok", ())


async def test_what_was_read_of_a_broken_answer_stays_and_is_marked(column: Column) -> None:
    ended = await turn(column, otherwise=Fault(LONG, keep=0.6, ending=Ending.CUT))
    assert isinstance(ended.error, BadReply)
    kept = [message.text for message in ended.context[1:]]
    if column.streaming:
        assert kept[0].startswith("one two")
        assert kept[0].endswith("[The answer was interrupted here.]")
    else:
        assert kept == []


# It tells of an error


async def test_an_error_in_the_stream_counts_as_its_status(column: Column) -> None:
    outcome = await ask(column, Fault(body=column.error("busy")), "ok")
    assert (outcome.text, outcome.retried) == ("ok", 1)
    busy = Fault(body=column.error("busy"))
    assert type((await ask(column, otherwise=busy)).error) is ProviderUnavailable


@pytest.mark.parametrize(
    "column", [one for one in COLUMNS if "wrong" in one.vendor.errors], ids=str
)
async def test_a_wrong_request_that_the_stream_tells_of_is_made_once(column: Column) -> None:
    outcome = await ask(column, Fault(body=column.error("wrong")), "ok")
    assert (type(outcome.error), outcome.retried) == (InvalidRequest, 0)


# What a body may hold


def after_each_event(extra: bytes) -> Callable[[bytes], bytes]:
    def edit(body: bytes) -> bytes:
        if body.startswith(b"{"):
            return body
        return extra + body.replace(b"\r\n", b"\n").replace(b"\n\n", b"\n\n" + extra)

    return edit


PARSED = {
    "unknown-event": after_each_event(b'event: news\ndata: {"type": "news"}\n\n'),
    "pings": after_each_event(b'event: ping\ndata: {"type": "ping"}\n\n'),
    "comments": after_each_event(b": nothing\n"),
    "ids-and-retry": after_each_event(b"id: 7\nretry: 100\n"),
    "cr": lambda body: (
        body if body.startswith(b"{") else body.replace(b"\r\n", b"\n").replace(b"\n", b"\r")
    ),
    "crlf": lambda body: body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "bom": lambda body: b"\xef\xbb\xbf" + body,
    "no-last-blank-line": lambda body: body.rstrip(b"\r\n"),
    "raw-utf-8": lambda body: body.replace(
        json.dumps("世界")[1:-1].encode(), "世界".encode()
    ).replace(b"\\u2028", "\u2028".encode()),
}


@pytest.mark.parametrize("split", [None, 1])
@pytest.mark.parametrize("edit", PARSED.values(), ids=PARSED.keys())
async def test_what_a_stream_may_hold_is_read(
    edit: Callable[[bytes], bytes], split: int | None, column: Column
) -> None:
    outcome = await ask(column, Fault(LoopbackReply(TEXT, pieces=2), edit=edit, split=split))
    assert (outcome.text, outcome.retried) == (TEXT, 0)


async def test_a_line_of_five_megabytes_is_read(column: Column) -> None:
    text = "x" * 5_000_000
    outcome = await ask(column, Fault(LoopbackReply(text, pieces=1)))
    assert outcome.text == text


async def test_a_compressed_answer_is_read_and_a_cut_one_is_not(column: Column) -> None:
    assert (await ask(column, Fault(TEXT, gzipped=True))).text == TEXT
    cut = Fault(TEXT, gzipped=True, keep=0.3, ending=Ending.CUT)
    outcome = await ask(column, cut, "ok")
    assert outcome.text.endswith("ok")


REFUSED = {
    "html": (lambda _: b"<!doctype html><p>Log in</p>", "web page"),
    "broken-json": (lambda body: body.replace(b'"', b"'"), ""),
    "invalid-utf-8": (lambda body: body.replace(b"Hello", b"He\xffllo"), "against the protocol"),
    "an-array": (lambda body: b"data: [1]\n\n" if body[:1] != b"{" else b"[1]", "no JSON object"),
    "deeply-nested": (
        lambda body: (b"" if body[:1] == b"{" else b"data: ") + b"[" * 200_000 + b"}",
        "",
    ),
    "nothing": (lambda _: b"", "broke off"),
    "another-protocol": (
        lambda body: (b"" if body[:1] == b"{" else b"data: ") + b'{"hello": 1}\n\n',
        "broke off",
    ),
}


@pytest.fixture
def collected_before() -> Iterator[None]:
    """Let no garbage of earlier tests be ended where a deep answer has used up the stack."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize(("edit", "says"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_is_no_answer_is_a_typed_error(
    edit: Callable[[bytes], bytes], says: str, column: Column, collected_before: None
) -> None:
    outcome = await ask(column, otherwise=Fault(LoopbackReply("Hello", pieces=1), edit=edit))
    assert isinstance(outcome.error, BadReply)
    assert says in str(outcome.error)
