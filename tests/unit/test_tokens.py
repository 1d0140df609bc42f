from __future__ import annotations

import pytest

from victor import tokens
from victor.messages import (
    Effect,
    Image,
    Message,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
    assistant,
    tool_results,
    user,
)

# Counted with the o200k vocabulary.
SAMPLES = [
    ("Explain coordinators in simple terms, and keep the answer short.", 13),
    ("def add(first: int, second: int) -> int:\n    return first + second\n", 19),
    ('{"name": "read", "arguments": {"path": "src/main.py", "limit": 200}}', 23),
    ("2026-01-17 10:42:31,512 ERROR worker-3 timeout after 30000 ms", 24),
    ("Координатор решает, а не выполняет ввод и вывод.", 15),  # noqa: RUF001  # it is Russian
    ("请修复这个错误并运行测试，然后告诉我结果。", 13),  # noqa: RUF001  # it is Chinese
]


@pytest.mark.parametrize(("text", "exact"), SAMPLES)
def test_the_estimate_is_near_the_exact_count(text: str, exact: int) -> None:
    assert tokens.of_text(text * 5) == pytest.approx(exact * 5, rel=0.5)


def test_nothing_costs_nothing_and_anything_costs_something() -> None:
    assert tokens.of_text("") == 0
    assert tokens.of_text(" ") == 1
    assert tokens.of_text("\ud800") >= 1


def test_every_part_of_a_message_counts() -> None:
    bare = tokens.of_message(user("hello"))
    assert tokens.of_message(Message(Role.USER, (Text("hello"), Image(b"", "image/png")))) == (
        bare + tokens.IMAGE_TOKENS
    )
    assert tokens.of_message(Message(Role.USER, (Thinking("hello"),))) == bare
    assert tokens.of_message(tool_results(ToolResult("1", "word " * 100))) > 100
    long, short = ({"text": "word " * 100}, {"text": "word"})
    assert tokens.of_message(assistant("", ToolCall("1", "write", long))) > 100
    assert tokens.of_message(assistant("", ToolCall("1", "write", short))) < 30
    assert tokens.of_message(assistant("", ToolCall("1", "write", {}, "{bad " * 50))) > 50


def test_a_tool_counts_with_its_schema() -> None:
    plain = ToolSpec("read", "Reads.", {}, Effect.READ_ONLY)
    rich = ToolSpec("read", "Reads.", {"properties": {"path": {"type": "string"}}})

    assert 0 < tokens.of_tool(plain) < tokens.of_tool(rich)


def test_a_tally_counts_each_message_once() -> None:
    counted: list[Message] = []

    def count(message: Message) -> int:
        counted.append(message)
        return 10

    tally = tokens.Tally(count)
    messages = [user(str(number)) for number in range(5)]
    for message in messages:
        tally.append(message)
    tally.replace((messages[1], fresh := user("fresh"), messages[4]))

    assert tally.total == 30
    assert counted == [*messages, fresh]
    counter = tally.counter()
    assert [counter(messages[1]), counter(other := user("other")), counter(other)] == [10, 10, 10]
    assert counted == [*messages, fresh, other]


def test_of_many_tools_the_first_that_fit_are_taken() -> None:
    tools = tuple(ToolSpec(name, "what it does", {"type": "object"}) for name in "abc")
    size = tokens.of_tool(tools[0])
    assert tokens.first_within(tools, 3 * size) is tools
    assert tokens.first_within(tools, 3 * size - 1) == tools[:2]
    assert tokens.first_within(tools, 0) == ()
