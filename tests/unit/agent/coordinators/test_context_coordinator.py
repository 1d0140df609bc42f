from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from victor import tokens
from victor.agent.coordinators.context_coordinator import (
    BaseCompactionStrategy,
    ContextCoordinator,
    register_compaction_strategy,
)
from victor.context import strategies
from victor.errors import CompactionError, ConfigError, ProviderUnavailable, UnknownNameError
from victor.events import ContextCompacted, CoordinatorFailed, Event, HistoryRepaired
from victor.messages import (
    Context,
    Effect,
    Message,
    ToolCall,
    ToolResult,
    ToolSpec,
    assistant,
    tool_results,
    user,
)
from victor.pairing import problems
from victor.protocols import CompactionRequest
from victor.protocols.context import KeptText, compaction_strategies

STRATEGIES = strategies()

pytestmark = pytest.mark.anyio


def step(name: str, output: str) -> tuple[Message, Message]:
    call = ToolCall(name, "read", {"path": f"{name}.py"})
    return assistant("", call), tool_results(ToolResult(name, output))


def conversation(turns: int = 20) -> list[Message]:
    messages: list[Message] = []
    for turn in range(turns):
        messages += [user(f"Look at part {turn}."), *step(f"part{turn}", "some text here. " * 40)]
        messages.append(assistant(f"Part {turn} is fine."))
    return [*messages, user("And now?")]


def filled(strategy: Any = "truncation", **options: Any) -> ContextCoordinator:
    coordinator = ContextCoordinator(strategy, strategies=STRATEGIES, **options)
    coordinator.append(*conversation())
    return coordinator


WINDOW, OVERHEAD = 3_000, 500
ROOM = WINDOW - OVERHEAD
LIMIT = int(ROOM * 0.8)


async def fitted(coordinator: ContextCoordinator, window: int = WINDOW) -> list[Event]:
    """Fit, check what always holds, and return the events."""
    heard: list[Event] = []
    context = await coordinator.fit(window, OVERHEAD, heard.append, None)
    size = sum(map(tokens.of_message, context.messages))
    assert problems(context.messages) == ()
    assert size == coordinator.token_count() <= window - OVERHEAD
    assert context is coordinator.get_context()
    return heard


class Custom(BaseCompactionStrategy):
    async def compact(self, context: Context) -> Context:
        recent_messages = context.messages[-10:]
        return Context(messages=recent_messages)


@pytest.fixture
def registered() -> Iterator[None]:
    register_compaction_strategy("custom", Custom)
    yield
    compaction_strategies.unregister("custom")


def test_each_message_is_counted_once_however_often_the_tokens_are_asked_for() -> None:
    counted: list[Message] = []

    def count(message: Message) -> int:
        counted.append(message)
        return 7

    coordinator = ContextCoordinator(count=count)
    coordinator.append(user("one"), assistant("two"))
    coordinator.append(user("three"))

    assert [coordinator.token_count() for _ in range(3)] == [21, 21, 21]
    assert len(counted) == 3


def test_the_context_is_the_same_object_until_a_message_comes() -> None:
    coordinator = ContextCoordinator()
    coordinator.append(user("one"))

    first = coordinator.get_context()

    assert coordinator.get_context() is first
    coordinator.append(assistant("two"))
    assert coordinator.get_context().messages == (user("one"), assistant("two"))
    assert first.messages == (user("one"),)


async def test_a_context_that_fits_is_handed_on_as_it_is() -> None:
    coordinator = filled()
    before = coordinator.get_context()

    assert await fitted(coordinator, window=100_000) == []
    assert coordinator.get_context() is before


@pytest.mark.parametrize("name", sorted(set(STRATEGIES) - {"summarization"}))
async def test_a_context_that_is_too_large_is_compacted_by_the_strategy_and_reported(
    name: str,
) -> None:
    coordinator = filled(name)
    messages, size = len(coordinator.get_context().messages), coordinator.token_count()

    [event] = await fitted(coordinator)

    assert isinstance(event, ContextCompacted)
    assert event.strategy == name
    assert "80%" in event.reason
    assert (event.messages_before, event.tokens_before) == (messages, size)
    assert event.messages_after == len(coordinator.get_context().messages)
    assert event.tokens_after == coordinator.token_count() <= LIMIT
    assert coordinator.get_context().messages[-1] == user("And now?")


async def test_compaction_waits_for_the_threshold() -> None:
    coordinator = ContextCoordinator(threshold=0.5, count=lambda _: 10)
    coordinator.append(*(user(str(number)) for number in range(50)))
    heard: list[Event] = []

    await coordinator.fit(1_100, 100, heard.append, None)
    assert heard == []
    coordinator.append(user("one too many"))
    await coordinator.fit(1_100, 100, heard.append, None)
    assert [type(event) for event in heard] == [ContextCompacted]


async def test_after_a_compaction_the_next_steps_need_none() -> None:
    coordinator = filled("hybrid")
    await fitted(coordinator)

    for number in range(3):
        coordinator.append(*step(f"more{number}", "short"))
        assert await fitted(coordinator) == []


@pytest.mark.usefixtures("registered")
async def test_a_custom_strategy_keeps_the_last_ten_messages_and_is_repaired() -> None:
    coordinator = ContextCoordinator("custom")
    messages = conversation()[:-2]  # ends in a tool result: ten from there begin within a step
    coordinator.append(*messages)

    repaired, compacted = await fitted(coordinator)

    assert isinstance(repaired, HistoryRepaired)
    assert repaired.source == "custom"
    assert isinstance(compacted, ContextCompacted)
    assert compacted.strategy == "custom"
    left = coordinator.get_context().messages
    assert left[-9:] == tuple(messages[-9:])


async def test_a_strategy_may_be_any_object_with_a_compact_method() -> None:
    class Plain:
        async def compact(self, context: Context) -> Context:
            return Context(context.messages[-1:])

    coordinator = filled(Plain())

    [event] = await fitted(coordinator)

    assert isinstance(event, ContextCompacted)
    assert event.strategy == coordinator.strategy == "Plain"
    assert coordinator.get_context().messages == (user("And now?"),)


class Broken(BaseCompactionStrategy):
    def __init__(self, way: str) -> None:
        self.way = way

    async def compact(self, context: Context) -> Any:
        match self.way:
            case "raises":
                raise RuntimeError("no idea")
            case "says it was cancelled":
                raise asyncio.CancelledError
            case "returns nothing":
                return None
            case "returns no messages":
                return Context(("hello", "there"))  # type: ignore[arg-type]
            case "returns an empty context":
                return Context()
            case "returns what it was given":
                return context
            case "returns orphans":
                return Context((tool_results(ToolResult("x", "y")),))
            case _:
                return Context((*context.messages, user("more " * 5_000)))


@pytest.mark.parametrize(
    "way",
    [
        "raises",
        "says it was cancelled",
        "returns nothing",
        "returns no messages",
        "returns an empty context",
        "returns what it was given",
        "returns orphans",
        "makes it larger",
    ],
)
async def test_whatever_a_strategy_does_wrong_the_turn_goes_on_with_a_truncated_context(
    way: str,
) -> None:
    coordinator = filled(Broken(way))

    failed, compacted = await fitted(coordinator)

    assert isinstance(failed, CoordinatorFailed)
    assert failed.coordinator == "context"
    assert "Broken" in failed.operation
    assert isinstance(compacted, ContextCompacted)
    assert compacted.strategy == "truncation"
    assert coordinator.token_count() <= LIMIT
    assert coordinator.get_context().messages[0] == user("Look at part 0.")
    assert coordinator.get_context().messages[-1] == user("And now?")


async def test_a_result_that_is_smaller_but_not_small_enough_is_truncated_further() -> None:
    class Timid(BaseCompactionStrategy):
        async def compact(self, context: Context) -> Context:
            return Context(context.messages[:2] + context.messages[10:])

    coordinator = filled(Timid())
    await fitted(coordinator)

    assert coordinator.token_count() <= LIMIT


async def test_a_cancelled_compaction_leaves_the_context_as_it_was() -> None:
    class Slow(BaseCompactionStrategy):
        async def compact(self, context: Context) -> Context:
            begun.set()
            await asyncio.Event().wait()
            raise AssertionError

    begun = asyncio.Event()
    coordinator = filled(Slow())
    before = coordinator.get_context()
    task = asyncio.create_task(fitted(coordinator))
    await begun.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert coordinator.get_context() is before


async def test_strategies_are_told_the_target_and_get_the_summarizer() -> None:
    class Curious(BaseCompactionStrategy):
        async def compact(self, context: Context) -> Context:
            raise AssertionError

        async def compact_to(self, context: Context, request: CompactionRequest) -> Context:
            assert 0 < request.target_tokens < LIMIT
            assert request.summarize is not None
            summary = await request.summarize("sum up", "this")
            return Context((user(summary), *context.messages[-1:]))

    async def summarize(instructions: str, text: str) -> str:
        return f"{instructions} {text}"

    coordinator = filled(Curious())
    await coordinator.fit(WINDOW, OVERHEAD, lambda _: None, summarize)

    assert coordinator.get_context().messages[0] == user("sum up this")


@pytest.mark.parametrize("name", ["summarization", "hybrid"])
async def test_a_model_that_cannot_summarize_costs_quality_and_not_the_turn(name: str) -> None:
    async def overloaded(instructions: str, text: str) -> str:
        raise ProviderUnavailable("overloaded")

    coordinator = ContextCoordinator(name, strategies=STRATEGIES)
    coordinator.append(*(message for n in range(60) for message in chat(n)), user("And now?"))
    heard: list[Event] = []
    await coordinator.fit(WINDOW, OVERHEAD, heard.append, overloaded)

    assert isinstance(heard[-1], ContextCompacted)
    assert coordinator.token_count() <= LIMIT


def chat(number: int) -> tuple[Message, Message]:
    return user(f"Question {number}?"), assistant(f"Answer {number}. " * 20)


async def test_a_newest_message_that_is_too_large_is_refused_and_does_not_spoil_the_next_turn() -> (
    None
):
    coordinator = filled()
    coordinator.append(user("word " * 20_000))

    with pytest.raises(CompactionError, match="newest message takes about") as refused:
        await coordinator.fit(WINDOW, OVERHEAD, lambda _: None, None)
    assert refused.value.hint

    coordinator.append(user("Never mind."))
    await fitted(coordinator)
    assert coordinator.get_context().messages[-1] == user("Never mind.")


async def test_a_prompt_and_tools_that_fill_the_window_are_refused() -> None:
    coordinator = filled()

    with pytest.raises(CompactionError):
        await coordinator.fit(1_000, 2_000, lambda _: None, None)


async def test_results_of_the_last_step_are_shortened_where_nothing_else_is_left() -> None:
    coordinator = ContextCoordinator()
    coordinator.append(user("Read it all."), *step("all", "many words of text " * 5_000))

    await fitted(coordinator)

    [question, call, results] = coordinator.get_context().messages
    assert question == user("Read it all.")
    assert call.tool_calls[0].id == results.tool_results[0].call_id == "all"
    assert "left out to save space" in results.tool_results[0].content


async def test_what_cannot_get_below_the_threshold_is_not_tried_again_at_every_step() -> None:
    tried = 0

    class Counting(BaseCompactionStrategy):
        async def compact(self, context: Context) -> Context:
            nonlocal tried
            tried += 1
            return context

    coordinator = ContextCoordinator(Counting())
    coordinator.append(user("word " * 1_900))  # above the threshold, and within the window
    assert LIMIT < coordinator.token_count() < ROOM
    for number in range(5):
        await fitted(coordinator)
        coordinator.append(*step(str(number), "short"))

    assert tried == 1


async def test_truncation_on_request_keeps_whole_steps() -> None:
    coordinator = filled("hybrid")
    heard: list[Event] = []

    context = coordinator.truncate(WINDOW, OVERHEAD, heard.append)

    assert problems(context.messages) == ()
    assert coordinator.token_count() <= LIMIT
    assert [event.strategy for event in heard if isinstance(event, ContextCompacted)] == [
        "truncation"
    ]
    assert coordinator.truncate(WINDOW, OVERHEAD, heard.append) is context


def test_starting_over_repairs_what_was_recorded_and_says_so() -> None:
    coordinator = filled()
    heard: list[Event] = []
    call = ToolCall("1", "read", {})

    coordinator.replace(
        Context((user("hi"), assistant("", call))), source="resume", emit=heard.append
    )

    context = coordinator.get_context()
    assert problems(context.messages) == ()
    assert context.messages[:2] == (user("hi"), assistant("", call))
    assert coordinator.token_count() == sum(map(tokens.of_message, context.messages))
    [event] = heard
    assert isinstance(event, HistoryRepaired)
    assert event.source == "resume"


def test_the_overhead_of_prompt_and_tools_is_estimated_once() -> None:
    asked: list[str] = []

    def estimate(text: str) -> int:
        asked.append(text)
        return 100

    tools = (ToolSpec("read", "Reads a file.", {"type": "object"}, Effect.READ_ONLY),)
    coordinator = ContextCoordinator(estimate=estimate)

    first = coordinator.overhead("Be good.", tools)

    assert coordinator.overhead("Be good.", tools) == first > 200
    assert asked == ["Be good.", "read Reads a file. {'type': 'object'}"]
    assert coordinator.overhead("Be better.", ()) == 100


async def test_what_counts_may_change_and_everything_is_counted_anew() -> None:
    coordinator = filled()
    estimate = coordinator.token_count()
    prompt = coordinator.overhead("Be good.", ())

    coordinator.count_by(lambda text: 10 * len(text))
    assert coordinator.token_count() > 10 * estimate
    assert coordinator.overhead("Be good.", ()) == 80
    with pytest.raises(CompactionError):
        await fitted(coordinator, 600)

    coordinator.count_by(None)
    assert (coordinator.token_count(), coordinator.overhead("Be good.", ())) == (estimate, prompt)


def test_settings_choose_strategy_and_threshold() -> None:
    coordinator = ContextCoordinator(strategies=STRATEGIES)
    coordinator.configure(
        {"context_compaction_strategy": "semantic", "context_compaction_threshold": 0.5}
    )

    assert coordinator.strategy == "semantic"
    coordinator.configure({})
    assert coordinator.strategy == "semantic"


def test_an_unknown_strategy_names_the_known_ones_and_how_to_register() -> None:
    with pytest.raises(UnknownNameError) as unknown:
        ContextCoordinator("semantics", strategies=STRATEGIES)

    text = str(unknown.value)
    assert "'semantic'" in text
    assert "hybrid" in text
    assert "register_compaction_strategy" in text
    assert "victor.compaction_strategies" in text


def test_custom_needs_registration() -> None:
    with pytest.raises(UnknownNameError, match="custom"):
        ContextCoordinator("custom", strategies=STRATEGIES)


@pytest.mark.parametrize("threshold", [0, 1.5, -1, "half", True, None])
def test_a_bad_threshold_is_refused_and_the_old_settings_stay(threshold: object) -> None:
    coordinator = ContextCoordinator(strategies=STRATEGIES)

    with pytest.raises(ConfigError, match="context_compaction_threshold"):
        coordinator.configure(
            {
                "context_compaction_strategy": "hybrid",
                "context_compaction_threshold": threshold,
            }
        )
    assert coordinator.strategy == "truncation"


def test_a_strategy_given_as_an_object_is_not_replaced_by_the_settings() -> None:
    coordinator = ContextCoordinator(Custom(), strategies=STRATEGIES)
    coordinator.configure({"context_compaction_strategy": "hybrid"})

    assert coordinator.strategy == "Custom"


def test_what_is_registered_must_make_a_strategy() -> None:
    register_compaction_strategy("nonsense", dict)  # type: ignore[arg-type]
    try:
        with pytest.raises(ConfigError, match="nonsense"):
            ContextCoordinator("nonsense")
    finally:
        compaction_strategies.unregister("nonsense")


class Kept:
    def __init__(self, failure: OSError | None = None) -> None:
        self.failure = failure
        self.texts: list[tuple[str, str]] = []

    async def append(self, session_id: str, text: str) -> KeptText:
        if self.failure is not None:
            raise self.failure
        self.texts.append((session_id, text))
        return KeptText(Path("/kept/left-out.md"), 1)


@pytest.mark.parametrize("name", ["truncation", "tool_results", "semantic", "hybrid"])
async def test_whatever_was_left_out_is_kept_and_the_model_is_told_where(name: str) -> None:
    kept = Kept()
    coordinator = filled(name, left_out=kept)
    coordinator.start_session("s1")
    before = coordinator.get_context().messages

    await fitted(coordinator)

    after = coordinator.get_context().messages
    ((session, text),) = kept.texts
    assert session == "s1"
    assert sum("/kept/left-out.md" in shown(message) for message in after) == 1
    still = {id(message) for message in after}
    gone = [message for message in before if id(message) not in still]
    assert gone
    assert all(shown(message) in text for message in gone)


async def test_where_nothing_can_be_kept_the_context_still_fits_and_no_place_is_told() -> None:
    coordinator = filled("truncation", left_out=Kept(OSError("disk full")))

    heard = await fitted(coordinator)

    assert CoordinatorFailed("context", "keep what was left out", "disk full") in heard
    assert all("/kept" not in shown(one) for one in coordinator.get_context().messages)


def shown(message: Message) -> str:
    return message.text + "".join(result.content for result in message.tool_results)
