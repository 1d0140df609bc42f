"""What holds for every compaction strategy, whatever the conversation and the target."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from victor import tokens
from victor.agent.coordinators.context_coordinator import ContextCoordinator
from victor.context import BaseCompactionStrategy, strategies
from victor.errors import CompactionError
from victor.messages import (
    Context,
    Image,
    Message,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    assistant,
    tool_results,
    user,
)
from victor.pairing import problems, repair
from victor.protocols import CompactionRequest
from victor.protocols.context import KeptText
from victor.todo_list import is_note

STRATEGIES = strategies()

NAMES = sorted(STRATEGIES)
NOTE = 60
"""Tokens of the note that says that something was left out."""
DETERMINISTIC = sorted(set(NAMES) - {"summarization", "hybrid"})

WORDS = ("parser", "cache", "network", "test", "module", "render", "timeout", "line", "path")


async def summarize(instructions: str, text: str) -> str:
    assert "Goal" in instructions
    return f"## Goal\n- go on with {text.split()[1]}"


def conversation(seed: int) -> tuple[Message, ...]:
    """Return a conversation as agents have them: some turns failed, some had pictures."""
    dice = random.Random(seed)

    def text(most: int = 40) -> str:
        return " ".join(dice.choices(WORDS, k=dice.randint(1, most)))

    messages: list[Message] = []
    for turn in range(dice.randint(1, 6)):
        picture = (Image(b"png", "image/png"),) if dice.random() < 0.1 else ()
        messages.append(Message(Role.USER, (Text(text()), *picture)))
        for step in range(dice.randint(0, 3)):
            ids = [f"c{turn}.{step}.{i}" for i in range(dice.randint(1, 3))]
            calls = [ToolCall(i, "read", {"path": f"src/{text(1)}.py"}) for i in ids]
            said = assistant(dice.choice(["", text()]), *calls)
            if dice.random() < 0.5:
                said = Message(Role.ASSISTANT, (Thinking("hm", "signed", "a"), *said.parts))
            outputs = [f"{text()}\n" * dice.randint(1, 60) for _ in ids]
            results = [
                ToolResult(i, out, full_output="/tmp/o")
                for i, out in zip(ids, outputs, strict=True)
            ]
            messages += [said, tool_results(*results)]
        if dice.random() < 0.5:
            messages.append(assistant(text()))
    # A turn that failed leaves what no model accepts; it was repaired when it happened.
    return repair(tuple(messages))[0]


SEEDS = st.integers(0, 1_000_000)


def targeted(name: str) -> BaseCompactionStrategy:
    strategy = STRATEGIES[name]()
    assert isinstance(strategy, BaseCompactionStrategy)
    return strategy


def compact(name: str, messages: tuple[Message, ...], target: int) -> tuple[Message, ...]:
    request = CompactionRequest(target, tokens.of_message, summarize)
    try:
        return asyncio.run(targeted(name).compact_to(Context(messages), request)).messages
    except CompactionError:
        assert name == "summarization"  # there is no room for a summary
        reject()


def size(messages: tuple[Message, ...]) -> int:
    return sum(map(tokens.of_message, messages))


def own_words(messages: tuple[Message, ...]) -> list[Message]:
    return [one for one in messages if one.role is Role.USER and "(Victor:" not in one.text]


WHATEVER = settings(max_examples=20, deadline=None, database=None)


@pytest.mark.parametrize("name", NAMES)
@WHATEVER
@given(seed=SEEDS, share=st.floats(0.05, 1.2))
def test_what_is_left_is_valid_not_larger_and_has_the_user_s_words(
    name: str, seed: int, share: float
) -> None:
    messages = conversation(seed)
    target = int(size(messages) * share)

    left = compact(name, messages, target)

    assert problems(left) == ()
    assert size(left) <= size(messages) + NOTE
    before, after = own_words(messages), own_words(left)
    assert after[-1] == before[-1]
    assert all(message in before for message in after)
    if tokens.of_message(before[0]) <= target * 3 // 4:
        assert after[0] == before[0]
    if target >= size(messages):
        assert left is messages


@pytest.mark.parametrize("name", NAMES)
@WHATEVER
@given(seed=SEEDS, share=st.floats(0.05, 0.9))
def test_no_step_is_split_and_no_word_of_the_model_is_changed(
    name: str, seed: int, share: float
) -> None:
    messages = conversation(seed)
    left = compact(name, messages, int(size(messages) * share))

    steps = list(zip(messages, (*messages[1:], None), strict=True))
    for message, after in zip(left, (*left[1:], None), strict=True):
        if message.role is Role.ASSISTANT:
            followers = [next_one for one, next_one in steps if one is message]
            assert len(followers) == 1
            answered = followers[0].tool_results if followers[0] and message.tool_calls else ()
            kept = after.tool_results if after and message.tool_calls else ()
            assert [one.call_id for one in kept] == [one.call_id for one in answered]


@pytest.mark.parametrize("name", DETERMINISTIC)
@WHATEVER
@given(seed=SEEDS, share=st.floats(0.05, 1.0))
def test_the_same_conversation_is_compacted_the_same_way(
    name: str, seed: int, share: float
) -> None:
    messages = conversation(seed)
    target = int(size(messages) * share)

    assert compact(name, messages, target) == compact(name, messages, target)


class Kept:
    async def append(self, session_id: str, text: str) -> KeptText:
        return KeptText(Path("/kept/left-out.md"), 1)


TODO = {"items": [{"text": "mend the parser", "status": "in_progress"}]}


@pytest.mark.parametrize("name", NAMES)
@WHATEVER
@given(seed=SEEDS, room=st.integers(50, 4_000), focus=st.sampled_from(["", "the parser"]))
def test_whatever_is_told_beside_it_a_context_is_valid_within_its_room_and_never_larger(
    name: str, seed: int, room: int, focus: str
) -> None:
    asked = assistant("", ToolCall("todo", "todo", TODO))
    before = (user("Go."), asked, tool_results(ToolResult("todo", "ok")), *conversation(seed))
    coordinator = ContextCoordinator(name, strategies=STRATEGIES, left_out=Kept())
    coordinator.append(*before)

    try:
        after = asyncio.run(
            coordinator.compact(room, 0, lambda event: None, summarize, focus)
        ).messages
    except CompactionError:
        newest = max(i for i, one in enumerate(before) if one.role is Role.USER)
        # Nothing else may be the reason than that the newest words and step are too large.
        assert size(before[newest:]) + 4 * NOTE > room
        reject()

    assert problems(after) == ()
    assert size(after) == coordinator.token_count() <= room or size(after) == size(before)
    assert size(after) <= size(before)
    assert own_words(after)[-1] == own_words(before)[-1]
    assert sum(map(is_note, after)) <= 1


@pytest.mark.parametrize("name", ["hybrid", "semantic", "truncation"])
def test_a_strategy_alone_halves_a_context(name: str) -> None:
    texts = (f"question {i} " + "about the cache " * 50 for i in range(30))
    turns = [(user(f"next {i}"), assistant(text)) for i, text in enumerate(texts)]
    messages = tuple(message for turn in turns for message in turn)

    left = asyncio.run(STRATEGIES[name]().compact(Context(messages)))

    assert size(left.messages) <= size(messages) // 2
    assert Text("next 29") in left.messages[-2].parts
