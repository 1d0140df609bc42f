"""What both vendors' tests share: a conversation with every kind of part, and a way to read it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from victor.events import ReplyDelta
from victor.messages import (
    Effect,
    Image,
    Message,
    Request,
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

READ = ToolSpec(
    "read",
    "Read a file.",
    {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    Effect.READ_ONLY,
)


def conversation(model: str, provider: str) -> Request:
    """Return a request with text, a picture, reasoning, two parallel calls and their results."""
    calls = (ToolCall("call:1", "read", {"path": "a.txt"}), ToolCall("call_2", "read", {}, "{oops"))
    thinking = Thinking("I should look.", "proof", provider)
    foreign = Thinking("Somebody else's thought.", "theirs", "another")
    return Request(
        model=model,
        system="You are Victor.",
        messages=(
            Message(Role.USER, (Text("What is in it?"), Image(b"png", "image/png"))),
            Message(Role.ASSISTANT, (thinking, foreign, Text("Let me see."), *calls)),
            tool_results(
                ToolResult("call:1", "hello"), ToolResult("call_2", "no JSON object", is_error=True)
            ),
            user("And?"),
            assistant("It says hello."),
            user("Thanks."),
        ),
        tools=(READ,),
        max_tokens=500,
        temperature=0.5,
    )


async def collect(stream: AsyncIterator[ReplyDelta]) -> list[ReplyDelta]:
    return [delta async for delta in stream]


@pytest.fixture
def wire() -> SimpleNamespace:
    return SimpleNamespace(READ=READ, conversation=conversation, collect=collect)
