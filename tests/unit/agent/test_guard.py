"""Isolation of coordinators."""

from __future__ import annotations

import asyncio

import pytest

from victor.agent.guard import Guard, State
from victor.errors import (
    AuthenticationError,
    ConfigError,
    CoordinatorError,
    ProviderError,
    SessionError,
)
from victor.events import CoordinatorFailed, CoordinatorRecovered, Event

pytestmark = pytest.mark.anyio


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def heard() -> list[Event]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(heard: list[Event], clock: Clock) -> Guard:
    return Guard(heard.append, seconds=0.02, clock=clock)


async def works() -> str:
    return "fine"


async def fails() -> str:
    raise KeyError("broken")


async def hangs() -> str:
    await asyncio.Event().wait()
    return "never"


async def strays() -> str:
    raise asyncio.CancelledError


async def test_what_works_is_returned_and_counted(guard: Guard) -> None:
    assert await guard.optional("prompt", "build", works, "fallback") == "fine"
    assert guard.health()["prompt"].calls == 1
    assert guard.health()["prompt"].state is State.OK


@pytest.mark.parametrize("broken", [fails, hangs, strays])
async def test_an_optional_part_that_fails_is_replaced_and_reported(
    guard: Guard, heard: list[Event], broken: object
) -> None:
    assert await guard.optional("prompt", "build", broken, "fallback") == "fallback"  # type: ignore[arg-type]
    assert [type(event) for event in heard] == [CoordinatorFailed]
    health = guard.health()["prompt"]
    assert (health.state, health.failures) == (State.FAILING, 1)
    assert health.last_error.startswith("build: ")
    assert health.since is not None


async def test_garbage_is_a_failure(guard: Guard, heard: list[Event]) -> None:
    async def garbage() -> object:
        return 7

    value = await guard.optional(
        "prompt", "build", garbage, "fallback", fits=lambda value: isinstance(value, str)
    )
    assert value == "fallback"
    assert isinstance(heard[0], CoordinatorFailed)
    assert "returned int" in heard[0].error


async def test_a_plain_function_may_do_the_work(guard: Guard) -> None:
    assert await guard.optional("prompt", "build", lambda: "at once", "") == "at once"  # type: ignore[arg-type, return-value]


async def test_three_failures_within_a_minute_switch_a_part_off(guard: Guard) -> None:
    for _ in range(3):
        await guard.optional("prompt", "build", fails, "")
    assert guard.health()["prompt"].state is State.OPEN
    assert await guard.optional("prompt", "build", works, "fallback") == "fallback"
    assert guard.health()["prompt"].drops == 1
    assert not guard.lets("prompt")


async def test_three_failures_over_a_longer_time_do_not(guard: Guard, clock: Clock) -> None:
    for _ in range(3):
        await guard.optional("prompt", "build", fails, "")
        clock.now += 40
    assert guard.health()["prompt"].state is State.FAILING


async def test_a_part_that_was_switched_off_is_probed_and_recovers(
    guard: Guard, clock: Clock, heard: list[Event]
) -> None:
    for _ in range(3):
        await guard.optional("prompt", "build", fails, "")
    clock.now += 31
    assert guard.lets("prompt")
    assert await guard.optional("prompt", "build", works, "") == "fine"
    assert heard[-1] == CoordinatorRecovered("prompt")
    assert guard.health()["prompt"].state is State.OK


async def test_a_failed_probe_switches_it_off_again(guard: Guard, clock: Clock) -> None:
    for _ in range(3):
        await guard.optional("prompt", "build", fails, "")
    clock.now += 31
    await guard.optional("prompt", "build", fails, "")
    clock.now += 1
    assert guard.health()["prompt"].state is State.FAILING or not guard.lets("prompt")


async def test_real_cancellation_is_no_failure(guard: Guard, heard: list[Event]) -> None:
    async def run() -> None:
        await guard.optional("prompt", "build", hangs, "", seconds=None)

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard == []


async def test_real_cancellation_passes_a_critical_part_too(guard: Guard) -> None:
    async def run() -> None:
        await guard.critical("session", "record", hangs, seconds=None)

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("broken", [fails, hangs, strays])
async def test_a_critical_part_that_fails_is_a_typed_error(
    guard: Guard, heard: list[Event], broken: object
) -> None:
    with pytest.raises(CoordinatorError, match="session coordinator"):
        await guard.critical("session", "record", broken)  # type: ignore[arg-type]
    assert isinstance(heard[0], CoordinatorFailed)
    assert heard[0].critical


async def test_our_own_errors_pass_a_critical_part_unchanged(guard: Guard) -> None:
    async def refuse() -> None:
        raise ConfigError("no such key")

    with pytest.raises(ConfigError, match="no such key"):
        await guard.critical("config", "load", refuse)


async def test_an_error_about_the_world_is_no_failure_of_the_part(
    guard: Guard, heard: list[Event]
) -> None:
    async def wrong_key() -> None:
        raise AuthenticationError("no such key")

    async def full_disk() -> None:
        raise SessionError("disk full")

    with pytest.raises(AuthenticationError):
        await guard.critical("chat", "reply", wrong_key)
    assert guard.health()["chat"].failures == 0
    with pytest.raises(SessionError):
        await guard.critical("session", "record", full_disk)
    assert guard.health()["session"].last_error == "record: disk full"
    assert len(heard) == 1


async def test_a_critical_part_may_name_its_own_error(guard: Guard) -> None:
    with pytest.raises(ProviderError, match="broken"):
        await guard.critical("chat", "reply", fails, error=ProviderError)


async def test_garbage_from_a_critical_part_is_a_typed_error(guard: Guard) -> None:
    with pytest.raises(CoordinatorError, match="returned str"):
        await guard.critical("chat", "reply", works, fits=lambda value: value is None)
    with pytest.raises(ProviderError, match="returned str"):
        await guard.critical(
            "chat", "reply", works, fits=lambda value: value is None, error=ProviderError
        )


async def test_a_critical_part_recovers_by_working(guard: Guard) -> None:
    with pytest.raises(CoordinatorError):
        await guard.critical("session", "record", fails)
    await guard.critical("session", "record", works)
    assert guard.health()["session"].state is State.OK


def test_reading_falls_back_on_failure_and_garbage(guard: Guard, heard: list[Event]) -> None:
    def fail() -> int:
        raise KeyError("broken")

    def fits(value: object) -> bool:
        return value == 1

    assert guard.read("mode", "current", lambda: 1, 0, fits=fits) == 1
    assert guard.read("mode", "current", fail, 0, fits=fits) == 0
    assert guard.read("mode", "current", lambda: 2, 0, fits=fits) == 0
    assert len(heard) == 2


def test_requiring_refuses_failure_and_garbage(guard: Guard) -> None:
    def fail() -> int:
        raise KeyError("broken")

    def refuse() -> int:
        raise ConfigError("mine")

    assert guard.require("context", "append", lambda: 1) == 1
    with pytest.raises(CoordinatorError, match="append: KeyError"):
        guard.require("context", "append", fail)
    with pytest.raises(ConfigError, match="mine"):
        guard.require("context", "append", refuse)
    with pytest.raises(CoordinatorError, match="returned int"):
        guard.require("context", "append", lambda: 1, fits=lambda value: value == 2)


def test_a_disabled_part_stays_disabled(guard: Guard) -> None:
    guard.register("metrics", State.DISABLED)
    guard.require("metrics", "configure", lambda: None)
    assert guard.health()["metrics"].state is State.DISABLED
