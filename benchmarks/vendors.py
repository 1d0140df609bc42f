"""What a vendor's answer costs, off the wire: Victor's adapters beside the vendors' own SDKs.

Both sides read the same bytes from a server on this machine. Here the bare subject is the least
that one would write with the SDK alone.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from benchmarks.script import PROMPT, Figures
from victor.messages import Request, user
from victor.protocols import IProvider
from victor.testing.loopback import AnthropicLoopback, LoopbackReply, OpenAILoopback
from victor.testing.loopback_http import Loopback

MODEL = "claude-sonnet-5-5"
REPLIES = 5
"""Streams that a median is taken of, after the first."""
SUBJECTS = ("bare", "victor")

_WORD = "word "
_MESSAGES: Any = [{"role": "user", "content": PROMPT}]
_SCRIPT = """
import anthropic
asked = dict(model={model!r}, max_tokens=100, messages=[{{"role": "user", "content": "Hi"}}])
for event in anthropic.Anthropic().messages.create(stream=True, **asked):
    if event.type == "content_block_delta":
        print(event.delta.text, end="", flush=True)
"""

Stream = Callable[[str], Awaitable[int]]
"""Reads one streamed answer of the server at the URL, and returns its length."""


def per_chunk(subject: str, pieces: int) -> Figures:
    """Return the microseconds of CPU that one chunk takes, from the socket to its text.

    Only the reading thread's time counts; the server runs in another one.
    """
    return {
        f"wire_{vendor}": 1e6 * _thread_seconds(server, streams[subject], pieces) / pieces
        for vendor, (server, streams) in _VENDORS.items()
    }


def first_token(subject: str, processes: int) -> Figures:
    """Return the milliseconds from the start of a process to the first word of its answer."""
    reply = LoopbackReply(_WORD * 20, pieces=20)
    command = [sys.executable, "-c", _SCRIPT.format(model=MODEL)]
    if subject == "victor":
        command = [sys.executable, "-m", "victor", "chat", "--provider", "anthropic"]
        command += ["--model", MODEL, "Hi"]
    with AnthropicLoopback(otherwise=reply) as server, tempfile.TemporaryDirectory() as home:
        own = {"ANTHROPIC_API_KEY": "any", "ANTHROPIC_BASE_URL": server.url, "VICTOR_HOME": home}
        environment = os.environ | own
        _first_word_seconds(command, environment, home)  # The first one compiles.
        waits = [_first_word_seconds(command, environment, home) for _ in range(processes)]
    return {"first_token": 1e3 * median(waits)}


def _first_word_seconds(command: list[str], environment: dict[str, str], folder: str) -> float:
    started = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, cwd=folder, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        said = os.read(process.stdout.fileno(), len(_WORD))
        waited = time.perf_counter() - started
        process.stdout.read()
    assert _WORD.strip() in said.decode(), "no answer"
    return waited


def _thread_seconds(serve: type[Loopback], stream: Stream, pieces: int) -> float:
    text = _WORD * pieces

    async def measured(url: str) -> float:
        times = []
        for _ in range(REPLIES + 1):
            started = time.thread_time()
            assert await stream(url) == len(text), "another answer"
            times.append(time.thread_time() - started)
        return median(times[1:])

    with serve(otherwise=LoopbackReply(text, pieces=pieces)) as server:
        return asyncio.run(measured(server.url))


async def _anthropic_sdk(url: str) -> int:
    import anthropic

    arrived = 0
    async with anthropic.AsyncAnthropic(api_key="any", base_url=url) as client:
        async for event in await client.messages.create(
            model=MODEL, max_tokens=100, messages=_MESSAGES, stream=True
        ):
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                arrived += len(event.delta.text)
    return arrived


async def _openai_sdk(url: str) -> int:
    import openai

    arrived = 0
    async with openai.AsyncOpenAI(api_key="any", base_url=url) as client:
        async for chunk in await client.chat.completions.create(
            model=MODEL, messages=_MESSAGES, stream=True
        ):
            if chunk.choices:
                arrived += len(chunk.choices[0].delta.content or "")
    return arrived


async def _anthropic_victor(url: str) -> int:
    from victor.providers.anthropic import AnthropicProvider

    return await _read(AnthropicProvider("any", base_url=url))


async def _openai_victor(url: str) -> int:
    from victor.providers.openai import OpenAIProvider

    return await _read(OpenAIProvider("any", base_url=url))


async def _read(provider: IProvider) -> int:
    from victor.events import TextDelta

    arrived = 0
    async for delta in provider.stream(Request(MODEL, (user(PROMPT),))):
        if isinstance(delta, TextDelta):
            arrived += len(delta.content)
    await provider.aclose()
    return arrived


_VENDORS: dict[str, tuple[type[Loopback], dict[str, Stream]]] = {
    "anthropic": (AnthropicLoopback, {"bare": _anthropic_sdk, "victor": _anthropic_victor}),
    "openai": (OpenAILoopback, {"bare": _openai_sdk, "victor": _openai_victor}),
}
