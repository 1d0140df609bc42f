"""The real 0.5B model: downloaded once, into `VICTOR_MODELS_DIR` or the user's own cache."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import platformdirs
import pytest

from victor.events import ReplyFinished, TextDelta, ToolCallDelta
from victor.messages import (
    Message,
    Request,
    StopReason,
    ToolCall,
    ToolResult,
    ToolSpec,
    assistant,
    tool_results,
    user,
)
from victor.providers.local import LocalProvider
from victor.providers.weights import Weights

pytestmark = [pytest.mark.anyio, pytest.mark.model, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
async def provider() -> AsyncIterator[LocalProvider]:
    pytest.importorskip("xllamacpp", reason="the extra `local` is not installed")
    shared = os.environ.get("VICTOR_MODELS_DIR")
    cache = platformdirs.user_cache_path("victor", appauthor=False) / "models"
    weights = Weights(Path(shared) if shared else cache)
    provider = LocalProvider("qwen2.5-coder-0.5b", context_window=4096, weights=weights)
    await provider.load()
    yield provider
    await provider.aclose()


RESULTS = {"list": "apples.txt\npears.txt", "read": "1\tTen kilos.\n[End. Lines in all: 1.]"}


async def step(
    provider: LocalProvider, messages: list[Message], tools: tuple[ToolSpec, ...]
) -> tuple[str, ToolCall | None, ReplyFinished]:
    """Make one model call; return its words, its tool call and its end."""
    words = name = arguments = ""
    deltas = [d async for d in provider.stream(Request(provider.model, tuple(messages), "", tools))]
    for delta in deltas:
        if isinstance(delta, TextDelta):
            words += delta.content
        if isinstance(delta, ToolCallDelta):
            name += delta.name
            arguments += delta.arguments
    end = deltas[-1]
    assert isinstance(end, ReplyFinished)
    made = ToolCall(f"c{len(messages)}", name, json.loads(arguments)) if name else None
    return words, made, end


async def test_a_turn_calls_a_tool_and_then_answers_in_words(
    provider: LocalProvider, tools: tuple[ToolSpec, ...]
) -> None:
    messages = [user("What files are in this folder?")]
    words, call, end = await step(provider, messages, tools)
    assert (words, end.stop_reason) == ("", StopReason.TOOL_USE)
    assert call
    assert (call.name, call.arguments) == ("list", {"path": "."})

    for _ in range(6):
        result = ToolResult(call.id, RESULTS.get(call.name, "Nothing."))
        messages += [assistant("", call), tool_results(result)]
        words, call, end = await step(provider, messages, tools)
        assert end.usage.cache_read > end.usage.input / 3
        if call is None:
            break

    assert words.strip()
    assert end.stop_reason is StopReason.END


async def test_leaving_a_story_stops_the_model(provider: LocalProvider) -> None:
    request = Request(provider.model, (user("Tell a story of 2000 words."),), max_tokens=1200)
    stream = provider.stream(request)
    async for _ in stream:
        break
    await stream.aclose()

    until = time.monotonic() + 30
    while time.monotonic() < until and "victor-local-model" in _threads():
        await asyncio.sleep(0.05)
    assert "victor-local-model" not in _threads()


def _threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}
