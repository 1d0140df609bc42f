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


async def test_a_turn_calls_a_tool_and_then_answers_in_words(
    provider: LocalProvider, tools: tuple[ToolSpec, ...]
) -> None:
    asked = user("What files are in this folder?")
    name = arguments = ""
    async for delta in provider.stream(Request(provider.model, (asked,), "", tools)):
        assert not isinstance(delta, TextDelta)
        if isinstance(delta, ToolCallDelta):
            name += delta.name
            arguments += delta.arguments
    assert name == "list"
    assert json.loads(arguments) == {"path": "."}

    call = ToolCall("c1", name, json.loads(arguments))
    result = tool_results(ToolResult("c1", "apples.txt\npears.txt"))
    request = Request(provider.model, (asked, assistant("", call), result), "", tools)
    deltas = [delta async for delta in provider.stream(request)]

    words = [delta.content for delta in deltas if isinstance(delta, TextDelta)]
    assert len(words) > 1
    assert "apples" in "".join(words)
    end = deltas[-1]
    assert isinstance(end, ReplyFinished)
    assert end.stop_reason is StopReason.END
    assert end.usage.cache_read > end.usage.input / 2


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
