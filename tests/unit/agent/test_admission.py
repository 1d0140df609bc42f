"""Model calls that wait until their endpoint can take them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import pytest

from victor.agent.admission import AdmittedProvider
from victor.endpoints import Admission, EndpointRecord
from victor.errors import ProviderUnavailable, RateLimitError
from victor.events import Event, ModelCallDelayed, ReplyDelta, TextDelta
from victor.messages import Request, user
from victor.protocols import IProvider
from victor.rate_limits import Demand, Measure, RateLimit
from victor.testing import ScriptedProvider

pytestmark = pytest.mark.anyio

HELLO = Request("m", (user("Hi"),))
EXHAUSTED = RateLimit("requests", Measure.REQUESTS, 0, 20.0)


class Clock:
    """A clock whose sleepers make the time pass."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


class Held(ScriptedProvider):
    """Says a word, and the rest when it is told to."""

    def __init__(self) -> None:
        super().__init__("x", repeat=True)
        self.running = 0
        self.most = 0
        self.go_on = asyncio.Event()

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            yield TextDelta("Well, ")
            await self.go_on.wait()
            async for delta in super().stream(request):
                yield delta
        finally:
            self.running -= 1


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def record(clock: Clock) -> EndpointRecord:
    return EndpointRecord(clock)


@pytest.fixture
def heard() -> list[Event]:
    return []


@pytest.fixture
def admitted(record: EndpointRecord, clock: Clock, heard: list[Event]) -> Callable[..., IProvider]:
    def make(
        provider: IProvider, most: int | None = None, tokens: int = 5, cap: float = 60.0
    ) -> AdmittedProvider:
        admission = Admission(record, most, cap)
        demand = Demand(tokens, tokens)
        return AdmittedProvider(provider, admission, demand, heard.append, sleep=clock.sleep)

    return make


async def read(provider: IProvider) -> str:
    deltas = [delta async for delta in provider.stream(HELLO)]
    return "".join(delta.content for delta in deltas if isinstance(delta, TextDelta))


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_call_that_fits_goes_through_untold(
    admitted: Callable[..., IProvider], heard: list[Event]
) -> None:
    provider = admitted(ScriptedProvider("Hello."))
    assert await read(provider) == "Hello."
    assert provider.name == "scripted"
    assert provider.model_info("m").name == "m"
    assert heard == []
    await provider.aclose()


async def test_a_call_waits_for_the_vendors_limit_and_a_person_sees_the_seconds(
    admitted: Callable[..., IProvider], record: EndpointRecord, clock: Clock, heard: list[Event]
) -> None:
    record.limits.hear([EXHAUSTED])
    assert await read(admitted(ScriptedProvider("Hello."))) == "Hello."
    assert clock.now == 20.0
    reason = "its limit on requests is reached for now"
    assert heard == [ModelCallDelayed("scripted", "m", reason, 20.0)]


async def test_a_wait_above_the_cap_is_an_error_at_once(
    admitted: Callable[..., IProvider], record: EndpointRecord, clock: Clock
) -> None:
    record.limits.hear([RateLimit("tokens", Measure.TOKENS, 3, 20.0, 9000)])
    with pytest.raises(RateLimitError, match=r"for 20 s \(tokens: 3 of 9,000 left") as caught:
        await read(admitted(ScriptedProvider(), most=1, cap=19.0))
    assert caught.value.retry_after == 20.0
    assert clock.now == 0.0
    assert (record.places.taken, record.door.taken) == (0, 0)


async def test_waits_that_follow_one_another_are_held_to_the_cap_together(
    admitted: Callable[..., IProvider], record: EndpointRecord, clock: Clock
) -> None:
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += seconds
        # Somebody elsewhere has taken it all again.
        record.limits.hear([EXHAUSTED])

    record.limits.hear([EXHAUSTED])
    admission = Admission(record, None, 50.0)
    provider = AdmittedProvider(
        ScriptedProvider(), admission, Demand(1), lambda event: None, sleep=sleep
    )
    with pytest.raises(RateLimitError):
        await read(provider)
    assert slept == [20.0, 20.0]


async def test_those_who_wait_for_a_limit_are_let_in_one_after_another(
    admitted: Callable[..., IProvider], record: EndpointRecord, clock: Clock, heard: list[Event]
) -> None:
    record.limits.hear([RateLimit("requests", Measure.REQUESTS, 0, 30.0, 3, refills=True)])
    providers = [admitted(ScriptedProvider(str(n)), tokens=1) for n in range(2)]
    answers = await asyncio.gather(*map(read, providers))
    assert answers == ["0", "1"]
    # One comes back every 10 s.
    assert clock.now == pytest.approx(20.0)
    waits = [event.wait_seconds for event in heard if isinstance(event, ModelCallDelayed)]
    assert waits == [10.0, None, 10.0]


async def test_no_more_calls_run_at_once_than_are_allowed(
    admitted: Callable[..., IProvider], heard: list[Event]
) -> None:
    provider = Held()
    calls = [asyncio.ensure_future(read(admitted(provider, most=2))) for _ in range(5)]
    await settled()
    assert provider.running == 2
    assert heard[0] == ModelCallDelayed("scripted", "m", "2 running there already", None)
    provider.go_on.set()
    assert await asyncio.gather(*calls) == ["Well, x"] * 5
    assert provider.most == 2


@pytest.mark.parametrize("how", ["left early", "cancelled", "failed"])
async def test_a_place_comes_back_however_the_call_ends(
    admitted: Callable[..., IProvider], record: EndpointRecord, how: str
) -> None:
    held = Held()
    provider = admitted(ScriptedProvider(ProviderUnavailable("down")) if how == "failed" else held)
    provider = admitted(provider, most=1)
    match how:
        case "failed":
            with pytest.raises(ProviderUnavailable):
                await read(provider)
        case "cancelled":
            reading = asyncio.ensure_future(read(provider))
            await settled()
            assert record.places.taken == 1
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        case "left early":
            stream = provider.stream(HELLO)
            assert isinstance(stream, AsyncGenerator)
            async with aclosing(stream) as deltas:
                await anext(deltas)
                assert record.places.taken == 1
    assert (record.places.taken, record.door.taken) == (0, 0)


async def test_a_caller_cancelled_while_it_waits_lets_the_others_go_on(
    admitted: Callable[..., IProvider], record: EndpointRecord
) -> None:
    held = Held()
    first, second, third = (asyncio.ensure_future(read(admitted(held, most=1))) for _ in range(3))
    await settled()
    second.cancel()
    await settled()
    assert second.cancelled()
    held.go_on.set()
    assert await asyncio.gather(first, third) == ["Well, x", "Well, x"]
    assert (record.places.taken, record.door.taken, record.door.waiting) == (0, 0, 0)


async def test_a_caller_cancelled_while_it_waits_for_a_limit_leaves_at_once(
    record: EndpointRecord,
) -> None:
    record.limits.hear([EXHAUSTED])
    admission = Admission(record, 1, 60.0)
    provider = AdmittedProvider(ScriptedProvider(), admission, Demand(1), lambda event: None)
    reading = asyncio.ensure_future(read(provider))
    await settled()
    assert record.places.taken == 1
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(reading, 0.1)
    assert (record.places.taken, record.door.taken) == (0, 0)
