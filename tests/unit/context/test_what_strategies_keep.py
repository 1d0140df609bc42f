"""What each compaction strategy prefers, on conversations small enough to read."""

from __future__ import annotations

import pytest

from victor import steps, tokens
from victor.context import BaseCompactionStrategy, strategies
from victor.context.summarization import INSTRUCTIONS, SummarizationStrategy, record
from victor.errors import CompactionError
from victor.messages import (
    Context,
    Message,
    Role,
    Thinking,
    ToolCall,
    ToolResult,
    assistant,
    tool_results,
    user,
)
from victor.pairing import problems
from victor.protocols import CompactionRequest, Summarizer

STRATEGIES = strategies()

pytestmark = pytest.mark.anyio


def read(path: str, content: str, full_output: str = "") -> tuple[Message, Message]:
    call = ToolCall(path, "read", {"path": path})
    return assistant("", call), tool_results(ToolResult(path, content, full_output=full_output))


def talk(question: str, answer: str) -> tuple[Message, Message]:
    return user(question), assistant(answer)


async def compacted(
    name: str,
    messages: tuple[Message, ...],
    target: int,
    summarize: Summarizer | None = None,
    focus: str = "",
) -> tuple[Message, ...]:
    request = CompactionRequest(target, tokens.of_message, summarize, focus)
    strategy = STRATEGIES[name]()
    assert isinstance(strategy, BaseCompactionStrategy)
    result = await strategy.compact_to(Context(messages), request)
    assert problems(result.messages) == ()
    return result.messages


def size(messages: tuple[Message, ...]) -> int:
    return sum(map(tokens.of_message, messages))


def words(messages: tuple[Message, ...]) -> str:
    return "\n".join(
        message.text + "".join(result.content for result in message.tool_results)
        for message in messages
    )


LONG = "a line of a long file\n" * 200


async def test_old_tool_results_become_a_line_that_tells_how_to_get_them_again() -> None:
    messages = (
        user("Compare the files."),
        *read("old.py", f"import os\n{LONG}"),
        *read("cut.py", LONG, full_output="/tmp/out/7.txt"),
        *read("new.py", LONG),
    )

    left = await compacted("tool_results", messages, size(messages) // 2)

    old, cut, new = (message.tool_results[0] for message in left if message.role is Role.TOOL)
    assert old.content.startswith("[Result of read(path='old.py'): 4,410 characters left out")
    assert "import os" in old.content
    assert "look again" in old.content
    assert cut.full_output == "/tmp/out/7.txt"
    assert "read /tmp/out/7.txt" in cut.content
    assert new.content == LONG


async def test_tool_results_are_elided_only_as_far_as_needed() -> None:
    messages = (user("Compare."), *(m for i in range(8) for m in read(f"{i}.py", LONG)))

    left = await compacted("tool_results", messages, size(messages) - 500)

    changed = [old is not new for old, new in zip(messages, left, strict=True)]
    assert changed == [False, False, True] + [False] * 14


async def test_short_results_and_what_was_said_are_left_alone() -> None:
    messages = (user("Go."), *read("a.py", "short"), *read("b.py", LONG), assistant("Done. " * 300))

    left = await compacted("tool_results", messages, 100)

    assert left[2].tool_results[0].content == "short"
    assert left[-1] is messages[-1]


async def test_truncation_drops_the_oldest_steps_and_says_so_once() -> None:
    chat = tuple(m for n in range(20) for m in talk(f"Question {n}", f"Answer {n} is long. " * 20))

    left = await compacted("truncation", chat, 800)
    left = await compacted("truncation", (*left, *chat), 800)

    assert words(left).count("were left out here") == 1
    assert left[0] == user("Question 0")
    assert "Answer 19" in left[-1].text
    assert "Answer 1 " not in words(left)


async def test_relevance_keeps_an_old_step_that_speaks_of_the_goal() -> None:
    filler = tuple(
        m for n in range(12) for m in talk(f"Next {n}", f"Painted the fence number {n}. " * 12)
    )
    messages = (
        user("Begin."),
        *read("retry.py", "The backoff doubles the wait after each timeout. " * 4),
        *filler,
        user("Why does the timeout backoff wait so long?"),
    )

    left = await compacted("semantic", messages, size(messages) // 3)

    assert "backoff doubles" in words(left)
    assert "backoff doubles" not in words(await compacted("truncation", messages, 500))
    assert size(left) <= size(messages) // 3


async def test_go_on_is_understood_by_what_was_asked_before() -> None:
    filler = tuple(m for n in range(12) for m in talk("Yes.", f"Painted the fence {n}. " * 12))
    messages = (
        user("Begin."),
        assistant("The cache key lacks the tenant. " * 6),
        *filler,
        user("Mend the cache key of the tenant."),
        assistant("Looking."),
        user("Go on."),
    )

    left = await compacted("semantic", messages, size(messages) // 3)

    assert "lacks the tenant" in words(left)


@pytest.mark.parametrize("name", ["semantic", "hybrid"])
async def test_the_focus_goes_before_what_the_newest_messages_speak_of(name: str) -> None:
    files = [m for n in range(12) for m in read(f"{n}.py", f"the printer of floor {n}. " * 60)]
    files[8:8] = read("db.py", "the schema of the customers table. " * 70)
    messages = (user("Go."), *files, user("Which printer is on floor 3?"))

    plain = await compacted(name, messages, size(messages) // 4)
    focused = await compacted(name, messages, size(messages) // 4, focus="the database schema")

    assert "customers table. the schema" not in words(plain)
    assert "customers table. the schema" in words(focused)
    assert size(focused) <= size(messages) // 4


async def test_a_focus_that_nothing_speaks_of_changes_nothing() -> None:
    messages = (user("Go."), *(m for i in range(8) for m in read(f"{i}.py", LONG)))

    plain = await compacted("hybrid", messages, size(messages) // 4)

    assert await compacted("hybrid", messages, size(messages) // 4, focus="xyzzy") == plain


async def test_a_summary_takes_the_place_of_the_older_messages_and_lists_the_files() -> None:
    asked: list[tuple[str, str]] = []

    async def summarize(instructions: str, text: str) -> str:
        asked.append((instructions, text))
        return "## Goal\n- mend the parser\n## Done and verified\n- nothing"

    messages = (
        user("Mend the parser."),
        *read("src/parser.py", LONG),
        *read("src/lexer.py", LONG),
        assistant("The lexer drops the last token."),
        *talk("And the tests?", "They pass. " * 100),
        user("Commit it."),
    )

    left = await compacted("summarization", messages, 600, summarize)

    [summary] = [message for message in left if message.text.startswith(steps.SUMMARY)]
    assert "- mend the parser" in summary.text
    assert "- src/lexer.py: read" in summary.text
    assert size(left) <= 600
    assert [m.text for m in left if m.text in {"Mend the parser.", "Commit it."}] == [
        "Mend the parser.",
        "Commit it.",
    ]
    [(instructions, text)] = asked
    assert instructions == INSTRUCTIONS
    assert "The lexer drops the last token." in text


async def test_a_summary_that_is_there_is_updated_and_not_kept_beside_the_next() -> None:
    asked: list[str] = []

    async def summarize(instructions: str, text: str) -> str:
        asked.append(text)
        return f"## Goal\n- number {len(asked)}"

    chat = tuple(m for n in range(10) for m in talk(f"Question {n}", f"Answer {n} is long. " * 20))
    left = await compacted("summarization", chat, 500, summarize)
    left = await compacted("summarization", (*left, *chat), 500, summarize)

    assert "Earlier summary" in asked[1]
    assert "- number 1" in asked[1]
    assert words(left).count(steps.SUMMARY) == 1
    assert "- number 2" in words(left)


async def test_a_summary_keeps_to_its_room() -> None:
    async def summarize(instructions: str, text: str) -> str:
        return "\n".join(f"- fact {n} of very many" for n in range(2_000))

    chat = tuple(m for n in range(20) for m in talk(f"Question {n}", f"Answer {n} is long. " * 20))

    left = await compacted("summarization", chat, 800, summarize)

    assert size(left) <= 800
    assert "- fact 0 of very many" in words(left)


@pytest.mark.parametrize("answer", ["", "  \n"])
async def test_a_summary_without_a_word_is_refused(answer: str) -> None:
    async def summarize(instructions: str, text: str) -> str:
        return answer

    chat = tuple(m for n in range(9) for m in talk(f"Question {n}", f"Answer {n} is long. " * 20))

    with pytest.raises(CompactionError, match="nothing"):
        await compacted("summarization", chat, 300, summarize)


async def test_without_a_model_to_ask_there_is_no_summary() -> None:
    chat = tuple(m for n in range(9) for m in talk(f"Question {n}", f"Answer {n} is long. " * 20))

    with pytest.raises(CompactionError, match="no model"):
        await SummarizationStrategy().compact(Context(chat))


def test_what_the_summarizer_reads_is_bounded_and_has_no_reasoning() -> None:
    thought = Message(Role.ASSISTANT, (Thinking("secretly", "", ""), *assistant("aloud").parts))
    messages = (thought, *read("a.py", LONG * 9), user("?" * 9_000))
    parts = steps.blocks(messages, tokens.of_message)

    text = record(parts, 2_000)

    assert "secretly" not in text
    assert "Assistant: aloud" in text
    assert len(text) < 2_100
    assert "middle is missing" in text
    assert LONG[:200] not in text


async def test_hybrid_is_content_with_elided_results_where_they_are_enough() -> None:
    async def summarize(instructions: str, text: str) -> str:
        raise AssertionError("a summary was not needed")

    messages = (user("Go."), *(m for i in range(8) for m in read(f"{i}.py", LONG)))

    left = await compacted("hybrid", messages, size(messages) // 2, summarize)

    assert len(left) == len(messages)


async def test_hybrid_sums_up_what_is_neither_elided_nor_relevant_from_the_whole_results() -> None:
    asked: list[str] = []

    async def summarize(instructions: str, text: str) -> str:
        asked.append(text)
        return "## Goal\n- paint"

    chat = tuple(m for n in range(40) for m in talk(f"Next {n}", f"Painted the fence {n}. " * 12))
    messages = (user("Paint."), *read("a.py", f"{LONG[:1_200]} needle"), *chat)

    left = await compacted("hybrid", messages, 1_200, summarize)

    assert "- paint" in words(left)
    assert "needle" in asked[0]
    assert size(left) <= 1_200


async def test_hybrid_needs_no_model() -> None:
    chat = tuple(m for n in range(40) for m in talk(f"Next {n}", f"Painted the fence {n}. " * 12))

    left = await compacted("hybrid", chat, 1_200)

    assert "were left out here" in words(left)
    assert size(left) <= 1_200
