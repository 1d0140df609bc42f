from __future__ import annotations

import asyncio

import pytest

from victor.errors import AuthenticationError, BadReply, ProviderUnavailable, RateLimitError
from victor.events import ReplyDelta, ReplyFinished, StepStarted, TextDelta, ToolCallDelta
from victor.messages import Request, StopReason, assistant, user
from victor.protocols import IApprover, IObserver, IProvider
from victor.testing import (
    Chaos,
    ChaosProvider,
    EchoProvider,
    RecordingObserver,
    ScriptedApprover,
    call,
)

pytestmark = pytest.mark.anyio

REQUEST = Request("m", (user("Hi there,  you"), assistant("x")))


async def streamed(provider: IProvider) -> list[ReplyDelta]:
    return [delta async for delta in provider.stream(REQUEST)]


async def test_the_echo_says_the_last_user_message_word_by_word() -> None:
    provider = EchoProvider()
    deltas = await streamed(provider)
    assert [d.content for d in deltas[:-1]] == ["Hi ", "there,  ", "you"]
    assert deltas[-1].stop_reason is StopReason.END
    assert deltas[-1].usage.output == 3
    assert provider.requests == [REQUEST]
    assert provider.model_info("m").context_window == 1_000_000
    await provider.aclose()


async def test_the_echo_of_nothing_is_nothing() -> None:
    deltas = [delta async for delta in EchoProvider().stream(Request("m", ()))]
    assert [type(delta) for delta in deltas] == [ReplyFinished]


@pytest.mark.parametrize(
    ("chaos", "error"),
    [
        (Chaos.UNAVAILABLE, ProviderUnavailable),
        (Chaos.RATE_LIMITED, RateLimitError),
        (Chaos.WRONG_KEY, AuthenticationError),
        (Chaos.RAISES, RuntimeError),
        (Chaos.BREAKS_OFF, BadReply),
    ],
)
async def test_chaos_raises_what_was_planned(chaos: Chaos, error: type[Exception]) -> None:
    with pytest.raises(error):
        await streamed(ChaosProvider(chaos))


async def test_a_stray_cancellation_comes_without_anybody_cancelling() -> None:
    with pytest.raises(asyncio.CancelledError):
        await streamed(ChaosProvider(Chaos.CANCELLED))
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_silent_end_lacks_the_finish() -> None:
    deltas = await streamed(ChaosProvider(Chaos.ENDS_SILENTLY))
    assert [type(delta) for delta in deltas] == [TextDelta]


async def test_garbage_is_no_delta() -> None:
    assert await streamed(ChaosProvider(Chaos.GARBAGE)) == ["not a delta"]


async def test_broken_arguments_come_in_a_whole_stream() -> None:
    delta, finish = await streamed(ChaosProvider(Chaos.BROKEN_ARGUMENTS))
    assert isinstance(delta, ToolCallDelta)
    assert not delta.arguments.endswith("}")
    assert isinstance(finish, ReplyFinished)


async def test_a_provider_that_hangs_can_be_cancelled() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(streamed(ChaosProvider(Chaos.HANGS)), 0.01)


async def test_a_provider_that_hangs_midway_has_said_something() -> None:
    stream = ChaosProvider(Chaos.HANGS_MIDWAY).stream(REQUEST)
    assert isinstance(await anext(stream), TextDelta)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(stream), 0.01)


async def test_a_stubborn_provider_survives_one_cancellation_and_not_two() -> None:
    task = asyncio.create_task(streamed(ChaosProvider(Chaos.HANGS_STUBBORNLY)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_plan_is_followed_and_its_end_repeated() -> None:
    provider = ChaosProvider(Chaos.UNAVAILABLE, "fine")
    with pytest.raises(ProviderUnavailable):
        await streamed(provider)
    assert (await streamed(provider))[0] == TextDelta("fine")
    assert (await streamed(provider))[0] == TextDelta("fine")
    assert len(provider.requests) == 3


async def test_chaos_without_a_plan_raises() -> None:
    with pytest.raises(RuntimeError):
        await streamed(ChaosProvider())


async def test_an_observer_keeps_events_and_names_runs_once() -> None:
    observer = RecordingObserver()
    assert isinstance(observer, IObserver)
    observer.on_event(StepStarted("t", 1, "p", "m", 0))
    observer.on_event(TextDelta("a"))
    observer.on_event(TextDelta("b"))
    await observer.flush()
    assert observer.names == ["StepStarted", "TextDelta"]
    assert observer.of(TextDelta) == [TextDelta("a"), TextDelta("b")]
    assert observer.text == "ab"
    assert observer.flushes == 1


async def test_an_approver_gives_its_answers_then_the_other() -> None:
    approver = ScriptedApprover(True, otherwise=False)
    assert isinstance(approver, IApprover)
    asked = call("shell", command="ls")
    assert await approver.approve(asked, "Run ls?") is True
    assert await approver.approve(asked, "Again?") is False
    assert approver.asked == [(asked, "Run ls?"), (asked, "Again?")]
