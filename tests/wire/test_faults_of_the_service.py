"""The fault matrix, first part: the service refuses, fails, cannot be reached, or says nothing.

The servers and the adapters are real; waits between tries are noted instead of taken.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from email.utils import formatdate

import pytest
from tests.wire.columns import COLUMNS, HURRIED, KEY, LONG, Column, ask, exchange

from victor.errors import (
    AuthenticationError,
    InvalidRequest,
    ProviderError,
    ProviderUnavailable,
    RateLimitError,
)
from victor.providers.exchange import Patience
from victor.testing.faults import Ending, Fault, deaf_port, free_port
from victor.testing.loopback import LoopbackError

pytest.importorskip("google.genai", reason="the extra google is not installed")
pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(params=COLUMNS, ids=str)
def column(request: pytest.FixtureRequest) -> Column:
    return request.param


# Refusals that pass


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


# The server fails, or refuses for good


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


async def test_of_a_refusal_only_the_beginning_is_read_and_little_is_shown(column: Column) -> None:
    endless = Fault(body=b"words " * 100_000, split=8_000, status=503, ending=Ending.STALL)
    outcome = await ask(column, endless, "ok")
    assert (outcome.text, outcome.retried) == ("ok", 1)
    outcome = await ask(column, otherwise=LoopbackError(400, "model " * 1_000_000))
    assert type(outcome.error) is InvalidRequest
    assert len(str(outcome.error)) < 1_000


async def test_a_web_page_of_a_gateway_is_not_shown(column: Column) -> None:
    page = Fault(body=b"<html><h1>Bad gateway</h1></html>", status=502)
    outcome = await ask(column, otherwise=page)
    assert type(outcome.error) is ProviderUnavailable
    assert "a web page" in str(outcome.error)
    assert "<" not in str(outcome.error)


# No connection


@asynccontextmanager
async def nobody() -> AsyncIterator[str]:
    yield f"http://127.0.0.1:{free_port()}"


@asynccontextmanager
async def nowhere() -> AsyncIterator[str]:
    yield "http://no-such-host.invalid"


@asynccontextmanager
async def without_tls() -> AsyncIterator[str]:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"no TLS here\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("place", [nobody, nowhere, without_tls])
async def test_an_unreachable_server_is_tried_again(
    place: Callable[[], AbstractAsyncContextManager[str]], column: Column
) -> None:
    patience = Patience(connect=2.0, first_event=2.0, whole=2.0)
    async with place() as address:
        outcome = await exchange(column, address + column.vendor.path, patience)
    assert type(outcome.error) is ProviderUnavailable
    assert "Cannot reach" in str(outcome.error)
    assert outcome.retried == 3


async def test_a_reset_before_the_first_byte_is_tried_again(column: Column) -> None:
    outcome = await ask(column, Fault(silent=True, ending=Ending.RESET), "ok")
    assert (outcome.text, outcome.retried) == ("ok", 1)


# Silence


async def test_a_connection_that_hangs_is_given_up(column: Column) -> None:
    async with deaf_port() as port:
        outcome = await exchange(column, f"http://127.0.0.1:{port}{column.vendor.path}")
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
        await server.reader_waits()
        started = time.monotonic()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        # It takes milliseconds; the limit leaves room for a machine that is busy with others.
        assert time.monotonic() - started < 1
        await asyncio.wait_for(server.reader_left(), 5)
