"""Each fault that a model's server may have, in both protocols, streamed and whole.

The servers and the adapters are real; waits between tries are noted instead of taken.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest

from victor.agent.coordinators.chat_coordinator import (
    MOST_REPAIRS,
    MOST_RESUMPTIONS,
    ChatCoordinator,
)
from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.errors import (
    AuthenticationError,
    BadReply,
    ContextExceeded,
    InvalidRequest,
    ProviderError,
    ProviderUnavailable,
    RateLimitError,
)
from victor.events import Event, ModelCallRetried
from victor.messages import Effect, Reply, Request, StopReason, ToolCall, user
from victor.providers.anthropic import AnthropicProvider
from victor.providers.exchange import Patience
from victor.providers.openai import OpenAIProvider
from victor.providers.retry import RetryPolicy
from victor.testing.faults import (
    AnthropicFaultServer,
    Ending,
    Fault,
    OpenAIFaultServer,
    deaf_port,
    free_port,
)
from victor.testing.loopback import LoopbackError, LoopbackReply
from victor.tools.decorator import tool

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KEY = "the-very-secret-key"
HURRIED = Patience(connect=0.1, first_event=0.15, idle=0.1, whole=0.15)
TEXT = "Grüße, 世界 \u2028 and so on 🎉."
TWO = (ToolCall("a", "look", {"at": "one"}), ToolCall("b", "look", {"at": "two"}))


@tool(effect=Effect.READ_ONLY)
async def look(at: str = "") -> str:
    """Look at something.

    Args:
        at: What to look at.
    """
    return f"saw {at}"


@dataclass(frozen=True, slots=True)
class Column:
    """One protocol, streamed or whole."""

    vendor: str
    streaming: bool

    def server(self, *script: Any, **more: Any) -> Any:
        kind = AnthropicFaultServer if self.vendor == "anthropic" else OpenAIFaultServer
        return kind(script, **more)

    def provider(self, url: str, patience: Patience) -> Any:
        kind = AnthropicProvider if self.vendor == "anthropic" else OpenAIProvider
        return kind(KEY, base_url=url, patience=patience, streaming=self.streaming)

    def address(self, host: str, scheme: str = "http") -> str:
        return f"{scheme}://{host}" + ("" if self.vendor == "anthropic" else "/v1")


@dataclass(slots=True)
class Outcome:
    """What came of one exchange."""

    reply: Reply | None = None
    error: ProviderError | None = None
    waits: list[float] = field(default_factory=list)
    heard: list[Event] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)

    @property
    def text(self) -> str:
        assert self.reply is not None, self.error
        return self.reply.message.text

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        assert self.reply is not None, self.error
        return self.reply.message.tool_calls

    @property
    def retried(self) -> int:
        return sum(isinstance(event, ModelCallRetried) for event in self.heard)


@pytest.fixture(
    params=[(v, s) for v in ("anthropic", "openai") for s in (True, False)],
    ids=lambda p: f"{p[0]}-{'stream' if p[1] else 'whole'}",
)
def column(request: pytest.FixtureRequest) -> Column:
    return Column(*request.param)


async def exchange(
    column: Column, url: str, patience: Patience = HURRIED, seconds: float = 20.0
) -> Outcome:
    outcome = Outcome()

    async def sleep(wait: float) -> None:
        outcome.waits.append(wait)

    policy = RetryPolicy(jitter=lambda: 0.5)
    chat = ChatCoordinator(retries_of=lambda _: policy, sleep=sleep)
    chat.configure({"model_call_timeout": seconds, "max_retries": 3})
    provider = column.provider(url, patience)
    try:
        request = Request("the-model", (user("Hi"),))
        outcome.reply = await chat.reply(provider, request, outcome.heard.append)
    except ProviderError as error:
        outcome.error = error
    finally:
        await provider.aclose()
    assert KEY not in f"{outcome.error} {outcome.heard}"
    return outcome


async def ask(column: Column, *script: Any, otherwise: Any = None, **more: Any) -> Outcome:
    async with column.server(*script, otherwise=otherwise) as server:
        outcome = await exchange(column, server.url, **{"patience": Patience(), **more})
        outcome.requests = server.requests
        return outcome


# 429


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({"retry-after": "2"}, [2.25]),
        ({"retry-after-ms": "1500"}, [1.75]),
        ({}, [0.25]),
        ({"retry-after": "-5"}, [0.25]),
        ({"retry-after": "soon"}, [0.25]),
    ],
)
async def test_a_rate_limit_is_waited_for(
    headers: dict[str, str], waits: list[float], column: Column
) -> None:
    outcome = await ask(column, LoopbackError(429, headers=headers), "ok")
    assert (outcome.text, outcome.waits, outcome.retried) == ("ok", waits, 1)


async def test_a_rate_limit_until_a_date_is_waited_for(column: Column) -> None:
    date = formatdate(time.time() + 30, usegmt=True)
    outcome = await ask(column, LoopbackError(429, headers={"retry-after": date}), "ok", seconds=90)
    assert 20 < outcome.waits[0] < 31


async def test_an_hour_is_not_waited_for(column: Column) -> None:
    outcome = await ask(column, LoopbackError(429, headers={"retry-after": "3600"}), "ok")
    assert type(outcome.error) is RateLimitError
    assert "3,600 s" in str(outcome.error)
    assert (outcome.waits, len(outcome.requests)) == ([], 1)


async def test_no_wait_goes_beyond_the_time_for_all_tries(column: Column) -> None:
    limited = LoopbackError(429, headers={"retry-after": "30"})
    outcome = await ask(column, limited, "ok", seconds=20.0)
    assert (type(outcome.error), outcome.waits) == (RateLimitError, [])


# The server fails


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529])
async def test_a_failing_server_is_asked_four_times(status: int, column: Column) -> None:
    failing = LoopbackError(status)
    outcome = await ask(column, failing, failing, failing, "ok")
    assert (outcome.text, outcome.waits) == ("ok", [0.25, 0.5, 1.0])
    outcome = await ask(column, otherwise=failing)
    assert type(outcome.error) is ProviderUnavailable
    assert len(outcome.requests) == 4


@pytest.mark.parametrize(("status", "word", "tries"), [(500, "false", 1), (418, "true", 4)])
async def test_the_vendors_word_on_retries_is_obeyed(
    status: int, word: str, tries: int, column: Column
) -> None:
    outcome = await ask(column, otherwise=LoopbackError(status, headers={"x-should-retry": word}))
    assert (outcome.reply, len(outcome.requests)) == (None, tries)


@pytest.mark.parametrize(
    ("error", "kind", "advice"),
    [
        (LoopbackError(401, f"bad key {KEY}"), AuthenticationError, "API_KEY"),
        (LoopbackError(403, "not allowed"), AuthenticationError, "may use this model"),
        (LoopbackError(404, "model: the-model not found"), InvalidRequest, "victor models"),
        (LoopbackError(400, "no"), InvalidRequest, "Check"),
        (LoopbackError(400, "no", headers={"x-should-retry": "true"}), InvalidRequest, "Check"),
    ],
)
async def test_a_request_that_is_wrong_is_made_once(
    error: LoopbackError, kind: type[ProviderError], advice: str, column: Column
) -> None:
    outcome = await ask(column, otherwise=error)
    assert type(outcome.error) is kind
    assert advice in str(outcome.error)
    assert len(outcome.requests) == 1


# No connection


async def refused(column: Column) -> str:
    return column.address(f"127.0.0.1:{free_port()}")


async def nowhere(column: Column) -> str:
    return column.address("no-such-host.invalid")


@pytest.mark.parametrize("place", [refused, nowhere])
async def test_an_unreachable_server_is_tried_again(
    place: Callable[[Column], Awaitable[str]], column: Column
) -> None:
    patience = Patience(connect=2.0, first_event=2.0, whole=2.0)
    outcome = await exchange(column, await place(column), patience)
    assert type(outcome.error) is ProviderUnavailable
    assert outcome.retried == 3


async def test_a_server_without_tls_is_tried_again(column: Column) -> None:
    async with column.server() as server:
        outcome = await exchange(column, column.address(f"127.0.0.1:{server.port}", "https"))
    assert isinstance(outcome.error, ProviderUnavailable | BadReply)
    assert outcome.retried == 3


async def test_a_reset_before_the_first_byte_is_tried_again(column: Column) -> None:
    outcome = await ask(column, Fault(silent=True, ending=Ending.RESET), "ok")
    assert (outcome.text, outcome.retried) == ("ok", 1)


# Answers that break off


@pytest.mark.parametrize("ending", [Ending.CUT, Ending.RESET, Ending.WHOLE])
@pytest.mark.parametrize("keep", [0.0, 0.1])
async def test_an_answer_that_breaks_off_unseen_is_asked_for_again(
    ending: Ending, keep: float, column: Column
) -> None:
    outcome = await ask(column, Fault(keep=keep, ending=ending), "ok")
    assert (outcome.text, outcome.retried) == ("ok", 1)


LONG = LoopbackReply("one two three four five six seven", pieces=20)


@pytest.mark.parametrize("ending", [Ending.CUT, Ending.RESET, Ending.WHOLE])
async def test_an_answer_that_breaks_off_is_gone_on_with(ending: Ending, column: Column) -> None:
    outcome = await ask(column, Fault(LONG, keep=0.6, ending=ending), "and the rest")
    assert outcome.retried == 1
    if not column.streaming:
        assert outcome.text == "and the rest"
        return
    assert outcome.text.startswith("one two")
    assert outcome.text.endswith("and the rest")
    asked = json.dumps(outcome.requests[1]["messages"][-2:])
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


# Errors within an answer that began well


def told(column: Column, kind: str) -> bytes:
    error = {"type": "error", "error": {"type": kind, "message": "told", "code": kind}}
    if not column.streaming:
        return json.dumps(error).encode()
    if column.vendor == "openai":
        del error["type"]
    name = b"event: error\n" if column.vendor == "anthropic" else b""
    return name + f"data: {json.dumps(error)}\n\n".encode()


async def test_an_error_in_the_stream_counts_as_its_status(column: Column) -> None:
    outcome = await ask(column, Fault(body=told(column, "overloaded_error")), "ok")
    assert (outcome.text, outcome.retried) == ("ok", 1)
    outcome = await ask(column, Fault(body=told(column, "invalid_request_error")), "ok")
    assert (type(outcome.error), outcome.retried) == (InvalidRequest, 0)


# Bodies


def after_each_event(extra: bytes) -> Callable[[bytes], bytes]:
    def edit(body: bytes) -> bytes:
        if body.startswith(b"{"):
            return body
        return extra + body.replace(b"\n\n", b"\n\n" + extra)

    return edit


PARSED = {
    "unknown-event": after_each_event(b'event: news\ndata: {"type": "news"}\n\n'),
    "pings": after_each_event(b'event: ping\ndata: {"type": "ping"}\n\n'),
    "comments": after_each_event(b": nothing\n"),
    "ids-and-retry": after_each_event(b"id: 7\nretry: 100\n"),
    "cr": lambda body: body.replace(b"\n", b"\r"),
    "crlf": lambda body: body.replace(b"\n", b"\r\n"),
    "bom": lambda body: b"\xef\xbb\xbf" + body,
    "no-last-blank-line": lambda body: body.rstrip(b"\n"),
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
    "another-protocol": (lambda body: b'data: {"hello": 1}\n\n', "broke off"),
}


@pytest.mark.parametrize(("edit", "says"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_is_no_answer_is_a_typed_error(
    edit: Callable[[bytes], bytes], says: str, column: Column
) -> None:
    outcome = await ask(column, otherwise=Fault(LoopbackReply("Hello", pieces=1), edit=edit))
    assert isinstance(outcome.error, BadReply)
    assert says in str(outcome.error)


# Silence


async def test_a_connection_that_hangs_is_given_up(column: Column) -> None:
    async with deaf_port() as port:
        outcome = await exchange(column, column.address(f"127.0.0.1:{port}"))
    assert type(outcome.error) is ProviderUnavailable
    assert outcome.retried == 3


@pytest.mark.parametrize(
    "fault",
    [
        Fault(silent=True, ending=Ending.STALL),
        Fault(keep=0.05, ending=Ending.STALL),
        Fault(keep=0.05, ending=Ending.PINGS),
        Fault(split=1, pause=0.02),
        Fault(LONG, keep=0.6, ending=Ending.STALL),
        Fault(LONG, keep=0.6, ending=Ending.PINGS),
    ],
    ids=["headers", "first-event", "pings-first", "trickle", "midway", "pings-midway"],
)
async def test_silence_is_not_waited_for_in_vain(fault: Fault, column: Column) -> None:
    outcome = await ask(column, fault, "ok", patience=HURRIED)
    assert outcome.retried == 1
    assert outcome.text.endswith("ok")
    assert outcome.text == "ok" or (fault.keep == 0.6 and column.streaming)


async def test_the_time_for_the_whole_call_holds(column: Column) -> None:
    stalled = Fault(LONG, keep=0.6, ending=Ending.PINGS)
    outcome = await ask(column, otherwise=stalled, seconds=0.2)
    assert type(outcome.error) is ProviderUnavailable
    assert "within 0.2 s" in str(outcome.error)
    assert outcome.error.partial.startswith("one two") is column.streaming


async def test_a_cancelled_call_is_over_at_once(column: Column) -> None:
    async with column.server(Fault(LONG, keep=0.6, ending=Ending.PINGS)) as server:
        call = asyncio.ensure_future(exchange(column, server.url, Patience()))
        while not server.requests:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        started = time.monotonic()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        # It takes milliseconds; the limit leaves room for a machine that is busy with others.
        assert time.monotonic() - started < 1
        await asyncio.wait_for(server.reader_left(), 5)


# Tool calls


def raw_arguments(column: Column, raw: str) -> Callable[[bytes], bytes]:
    """Return an edit that puts `raw` in the place of the arguments of a call."""
    plain = json.dumps({"at": "one"})

    def edit(body: bytes) -> bytes:
        if column.vendor == "anthropic" and not column.streaming:
            return body.replace(plain.encode(), raw.encode())
        return body.replace(json.dumps(plain)[1:-1].encode(), json.dumps(raw)[1:-1].encode())

    return edit


ARGUMENTS = ['{"at": "on', "nonsense", "[1]", '"one"', '{"at": 1, "at": 2}', '{"at": NaN}']


@pytest.mark.parametrize("raw", ARGUMENTS)
async def test_arguments_that_are_no_object_never_run(raw: str, column: Column) -> None:
    call = LoopbackReply(calls=TWO[:1], pieces=1)
    outcome = await ask(column, otherwise=Fault(call, edit=raw_arguments(column, raw)))
    if column == Column("anthropic", streaming=False) and raw in (*ARGUMENTS[:2], ARGUMENTS[5]):
        # There the arguments are part of the answer's own JSON.
        assert isinstance(outcome.error, BadReply) or outcome.calls[0].invalid
        return
    assert outcome.calls[0].invalid
    assert dict(outcome.calls[0].arguments) == {}


async def turn(column: Column, *script: Any, otherwise: Any = None) -> Any:
    """Run one turn of a whole orchestrator; return its response or error, and the requests."""
    settings = Settings(ephemeral=True, approve="always", max_retries=0)
    async with column.server(*script, otherwise=otherwise) as server:
        provider = column.provider(server.url, Patience())
        victor = AgentOrchestrator(settings, provider, "the-model", tools=(look,))
        ended = SimpleNamespace(response=None, error=None, requests=server.requests)
        try:
            ended.response = await victor.chat("Hi")
        except ProviderError as error:
            ended.error = error
        finally:
            ended.context = victor.context_coordinator.get_context().messages
            await victor.close()
            await provider.aclose()
        return ended


async def test_a_model_gets_two_chances_to_repair_its_calls(column: Column) -> None:
    call = LoopbackReply(calls=TWO[:1], pieces=1)
    ended = await turn(column, otherwise=Fault(call, edit=raw_arguments(column, "[1]")))
    assert isinstance(ended.error, BadReply)
    assert len(ended.requests) == MOST_REPAIRS + 1
    assert "not a JSON object" in json.dumps(ended.requests[-1])


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (ToolCall("a", "lok", {}), "The tools are: look"),
        (ToolCall("a", "", {}), "The tools are: look"),
        (ToolCall("a", "look", {"at": [1]}), "at"),
    ],
    ids=["unknown", "empty", "against-the-schema"],
)
async def test_a_wrong_call_is_told_to_the_model(call: ToolCall, told: str, column: Column) -> None:
    ended = await turn(column, LoopbackReply(calls=(call,)), "done")
    assert ended.response.content == "done"
    assert told in json.dumps(ended.requests[1])
    assert '"name": ""' not in json.dumps(ended.requests[1])


def swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda body: body.replace(old, new)


def place(column: Column, new: bytes) -> Callable[[bytes], bytes]:
    if column.vendor == "openai":
        return swap(b'"tool_calls": [{"index": 1, ', b'"tool_calls": [{' + new)
    return swap(b'"index": 1, ', new)


IDS: dict[str, Callable[[Column], Callable[[bytes], bytes]]] = {
    "same-id": lambda _: swap(b'"id": "b"', b'"id": "a"'),
    "empty-ids": lambda _: (
        lambda body: body.replace(b'"id": "b"', b'"id": ""').replace(b'"id": "a"', b'"id": ""')
    ),
    "no-id": lambda _: swap(b'"id": "b", ', b""),
    "same-index": lambda column: place(column, b'"index": 0, '),
    "no-index": lambda column: place(column, b""),
    "id-on-every-delta": lambda _: (
        lambda body: body.replace(
            b'{"index": 0, "function"', b'{"index": 0, "id": "a", "function"'
        ).replace(b'{"index": 1, "function"', b'{"index": 1, "id": "b", "function"')
    ),
}


@pytest.mark.parametrize("edit", IDS.values(), ids=IDS.keys())
async def test_calls_are_never_merged(edit: Any, column: Column) -> None:
    outcome = await ask(column, Fault(LoopbackReply(calls=TWO, pieces=2), edit=edit(column)))
    assert [dict(call.arguments) for call in outcome.calls] == [{"at": "one"}, {"at": "two"}]
    ids = [call.id for call in outcome.calls]
    assert len(set(ids)) == 2
    assert all(ids)


# How an answer ends


def word(column: Column, anthropic: str, openai: str) -> str:
    return anthropic if column.vendor == "anthropic" else openai


async def test_an_answer_at_its_limit_is_marked_and_its_last_call_never_runs(
    column: Column,
) -> None:
    limit = word(column, "max_tokens", "length")
    outcome = await ask(column, LoopbackReply("Half an ans", stop_reason=limit))
    assert outcome.reply is not None
    assert outcome.reply.stop_reason is StopReason.MAX_TOKENS
    outcome = await ask(column, LoopbackReply(calls=TWO, stop_reason=limit))
    assert [bool(call.invalid) for call in outcome.calls] == [False, True]


OUTCOMES = [
    ("refusal", "", StopReason.REFUSAL),
    ("", "content_filter", StopReason.CONTENT_FILTER),
    ("pause_turn", "", StopReason.PAUSE),
    ("model_context_window_exceeded", "", StopReason.CONTEXT_EXCEEDED),
    ("news", "news", StopReason.UNKNOWN),
]


@pytest.mark.parametrize(("anthropic", "openai", "reason"), OUTCOMES)
async def test_the_ways_to_end_without_success_are_told_apart(
    anthropic: str, openai: str, reason: StopReason, column: Column
) -> None:
    said = word(column, anthropic, openai)
    if not said:
        pytest.skip("this protocol has no word for it")
    outcome = await ask(column, LoopbackReply("Some words", stop_reason=said))
    assert outcome.reply is not None
    assert outcome.reply.stop_reason is reason
    outcome = await ask(column, otherwise=LoopbackReply(stop_reason=said))
    assert isinstance(outcome.error, ProviderError)
    assert len(outcome.requests) == (2 if reason is StopReason.UNKNOWN else 1)


async def test_a_refusal_in_a_field_of_its_own_is_one(column: Column) -> None:
    if column.vendor != "openai":
        pytest.skip("this protocol has a stop reason for it")
    edit = swap(b'"content": "No', b'"refusal": "No')
    outcome = await ask(column, Fault(LoopbackReply("No.", pieces=1), edit=edit))
    assert outcome.reply is not None
    assert outcome.reply.stop_reason is StopReason.REFUSAL


async def test_the_blocks_decide_what_an_answer_is(column: Column) -> None:
    calls = word(column, "tool_use", "tool_calls")
    outcome = await ask(column, LoopbackReply("Done.", stop_reason=calls))
    assert outcome.reply is not None
    assert outcome.reply.stop_reason is StopReason.END
    end = word(column, "end_turn", "stop")
    outcome = await ask(column, LoopbackReply(calls=TWO, stop_reason=end))
    assert outcome.reply is not None
    assert outcome.reply.stop_reason is StopReason.TOOL_USE
    assert len(outcome.calls) == 2


async def test_an_empty_answer_is_asked_for_once_more(column: Column) -> None:
    assert (await ask(column, LoopbackReply(), "ok")).text == "ok"
    outcome = await ask(column, otherwise=LoopbackReply())
    assert "neither text nor a tool call" in str(outcome.error)
    assert len(outcome.requests) == 2


# The context


TOO_LONG = [
    (400, "prompt is too long: 210000 tokens > 200000 maximum"),
    (400, "input length and `max_tokens` exceed context limit: 199000 + 21333 > 200000"),
    (400, "This model's maximum context length is 128000 tokens. However, you requested more"),
    (400, "context_length_exceeded"),
    (400, "Your input exceeds the context window of this model."),
    (400, "the request exceeds the available context size, try increasing it"),
    (400, "Input is too long for requested model."),
    (413, "Request exceeds the maximum size"),
    (500, "exceed_context_size_error"),
]


@pytest.mark.parametrize(("status", "message"), TOO_LONG)
async def test_a_context_that_is_too_long_is_compacted_once(
    status: int, message: str, column: Column
) -> None:
    refusal = LoopbackError(status, message, "invalid_request_error")
    ended = await turn(column, refusal, "ok")
    assert ended.response.content == "ok"
    ended = await turn(column, otherwise=refusal)
    assert type(ended.error) is ContextExceeded
    assert "compacted and sent again" in str(ended.error)
    assert len(ended.requests) == 2


async def test_what_was_read_of_a_broken_answer_stays_and_is_marked(column: Column) -> None:
    ended = await turn(column, otherwise=Fault(LONG, keep=0.6, ending=Ending.CUT))
    assert isinstance(ended.error, BadReply)
    kept = [message.text for message in ended.context[1:]]
    if column.streaming:
        assert kept[0].startswith("one two")
        assert kept[0].endswith("[The answer was interrupted here.]")
    else:
        assert kept == []
