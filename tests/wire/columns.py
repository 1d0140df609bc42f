"""The columns of the fault matrix: each protocol, streamed and whole, and its words for things."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from victor.agent.coordinators.chat_coordinator import ChatCoordinator
from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.errors import ProviderError
from victor.events import Event, ModelCallRetried
from victor.messages import Effect, Message, Reply, Request, ToolCall, user
from victor.providers.anthropic import AnthropicProvider
from victor.providers.exchange import Patience
from victor.providers.google import KEY_VARIABLES, GoogleProvider
from victor.providers.ollama import OllamaProvider
from victor.providers.openai import OpenAIProvider
from victor.providers.retry import RetryPolicy
from victor.testing.faults import (
    AnthropicFaultServer,
    GoogleFaultServer,
    OllamaFaultServer,
    OpenAIFaultServer,
    ResponsesFaultServer,
)
from victor.testing.loopback import LoopbackReply
from victor.tools.decorator import tool

KEY = "the-very-secret-key"
HURRIED = Patience(connect=0.1, first_event=0.15, idle=0.1, whole=0.15)
TEXT = "Grüße, 世界 \u2028 and so on 🎉."
LONG = LoopbackReply("one two three four five six seven", pieces=20)
TWO = (ToolCall("a", "look", {"at": "one"}), ToolCall("b", "look", {"at": "two"}))

Edit = Callable[[bytes], bytes]


@tool(effect=Effect.READ_ONLY)
async def look(at: str = "") -> str:
    """Look at something.

    Args:
        at: What to look at.
    """
    return f"saw {at}"


def swap(*pairs: tuple[bytes, bytes]) -> Edit:
    """Return an edit that puts the second of each pair in the place of the first."""

    def edit(body: bytes) -> bytes:
        for old, new in pairs:
            body = body.replace(old, new)
        return body

    return edit


@dataclass(frozen=True, slots=True)
class Vendor:
    """One protocol, as tests need to know it."""

    name: str
    server: type[Any]
    provider: Callable[..., Any]
    key_variables: tuple[str, ...]
    path: str
    """What the base URL ends in."""
    turns: str
    """The key of a request's messages."""
    ends: Mapping[str, str]
    """The vendor's words for how an answer ends; what is missing it cannot say."""
    errors: Mapping[str, bytes]
    """The event by which it tells of a failure in mid-stream, and that for a wrong request."""
    whole: bool = True
    """Whether it can be asked for whole answers."""
    arguments_as_text: bool = True
    """Whether a call's arguments are JSON within a string when they are streamed."""
    needs_key: bool = True
    """Whether the vendor's own server does."""
    tells_cached: bool = True
    """Whether it says how many tokens it read from its cache."""
    ids: Mapping[str, Edit] = field(default_factory=dict)
    """What servers do to the ids and places of `TWO`, beside what all of them do."""


def _event(value: Any, name: str = "") -> bytes:
    return (f"event: {name}\n" if name else "").encode() + f"data: {json.dumps(value)}\n\n".encode()


def _responses(key: str | None, **options: Any) -> OpenAIProvider:
    return OpenAIProvider(key, api="responses", **options)


def _google(key: str | None, *, streaming: bool, **options: Any) -> GoogleProvider:
    assert streaming
    return GoogleProvider(key, **options)


def _failed(code: str) -> bytes:
    error = {"code": code, "message": "told"}
    return _event({"type": "response.failed", "response": {"status": "failed", "error": error}})


def _typed(kind: str) -> bytes:
    return _event({"type": "error", "error": {"type": kind, "message": "told"}}, "error")


def _numbered(status: int) -> bytes:
    return _event({"error": {"code": status, "message": "told", "status": "SOME_WORD"}})


VENDORS = (
    Vendor(
        "anthropic",
        AnthropicFaultServer,
        AnthropicProvider,
        ("ANTHROPIC_API_KEY",),
        "",
        "messages",
        {
            "limit": "max_tokens",
            "refusal": "refusal",
            "pause": "pause_turn",
            "window": "model_context_window_exceeded",
            "unknown": "news",
            "calls": "tool_use",
            "end": "end_turn",
        },
        {"busy": _typed("overloaded_error"), "wrong": _typed("invalid_request_error")},
        ids={
            "same-index": swap((b'"index": 1, ', b'"index": 0, ')),
            "no-index": swap((b'"index": 1, ', b"")),
        },
    ),
    Vendor(
        "openai",
        OpenAIFaultServer,
        OpenAIProvider,
        ("OPENAI_API_KEY",),
        "/v1",
        "messages",
        {
            "limit": "length",
            "filter": "content_filter",
            "unknown": "news",
            "calls": "tool_calls",
            "end": "stop",
        },
        {
            "busy": _event({"error": {"code": "overloaded_error", "message": "told"}}),
            "wrong": _event({"error": {"type": "invalid_request_error", "message": "told"}}),
        },
        ids={
            "same-index": swap(
                (b'"tool_calls": [{"index": 1, ', b'"tool_calls": [{"index": 0, '),
            ),
            "no-index": swap((b'"tool_calls": [{"index": 1, ', b'"tool_calls": [{')),
            "id-on-every-delta": swap(
                (b'{"index": 0, "function"', b'{"index": 0, "id": "a", "function"'),
                (b'{"index": 1, "function"', b'{"index": 1, "id": "b", "function"'),
            ),
        },
    ),
    Vendor(
        "responses",
        ResponsesFaultServer,
        _responses,
        ("OPENAI_API_KEY",),
        "/v1",
        "input",
        {"limit": "max_output_tokens", "filter": "content_filter", "unknown": "news"},
        {"busy": _failed("server_error"), "wrong": _failed("invalid_prompt")},
        ids={
            "same-index": swap((b'"output_index": 1', b'"output_index": 0')),
            "no-index": swap((b'"output_index": 1, ', b""), (b'"output_index": 0, ', b"")),
            "same-item-id": swap((b'"fc_1"', b'"fc_0"')),
            "empty-item-ids": swap((b'"fc_1"', b'""'), (b'"fc_0"', b'""')),
            "neither-index-nor-item-ids": swap(
                (b'"output_index": 1, ', b""),
                (b'"output_index": 0, ', b""),
                (b'"item_id": "fc_0", ', b""),
                (b'"item_id": "fc_1", ', b""),
                (b'"id": "fc_0", ', b""),
                (b'"id": "fc_1", ', b""),
            ),
        },
    ),
    Vendor(
        "google",
        GoogleFaultServer,
        _google,
        KEY_VARIABLES,
        "",
        "contents",
        {"limit": "MAX_TOKENS", "filter": "SAFETY", "unknown": "OTHER", "end": "STOP"},
        {"busy": _numbered(503), "wrong": _numbered(400)},
        whole=False,
        arguments_as_text=False,
    ),
    Vendor(
        "ollama",
        OllamaFaultServer,
        OllamaProvider,
        ("OLLAMA_API_KEY",),
        "",
        "messages",
        {"limit": "length", "unknown": "news", "end": "stop"},
        {"busy": b'{"error": "told"}\n'},
        arguments_as_text=False,
        needs_key=False,
        tells_cached=False,
    ),
)


@dataclass(frozen=True, slots=True)
class Column:
    """One protocol, streamed or whole."""

    vendor: Vendor
    streaming: bool

    def __str__(self) -> str:
        return f"{self.vendor.name}-{'stream' if self.streaming else 'whole'}"

    @property
    def named(self) -> str:
        return self.vendor.name

    def server(self, *script: Any, **more: Any) -> Any:
        return self.vendor.server(script, **more)

    def provider(self, url: str, patience: Patience) -> Any:
        return self.vendor.provider(KEY, base_url=url, patience=patience, streaming=self.streaming)

    def error(self, kind: str) -> bytes:
        """Return the body that tells of a failure although the status said 200."""
        event = self.vendor.errors[kind]
        if self.streaming:
            return event
        value = json.loads(event.rpartition(b"data: ")[2])
        return json.dumps(value.get("response", value)).encode()

    def arguments(self, raw: str) -> Edit:
        """Return an edit that puts `raw` in the place of the arguments of a call."""
        plain = json.dumps({"at": "one"})
        if self.arguments_in_answer:
            return swap((plain.encode(), raw.encode()))
        return swap((json.dumps(plain)[1:-1].encode(), json.dumps(raw)[1:-1].encode()))

    @property
    def arguments_in_answer(self) -> bool:
        """Whether the arguments are part of the answer's own JSON, and as broken as they are."""
        return not self.vendor.arguments_as_text or str(self) == "anthropic-whole"


COLUMNS = tuple(
    Column(vendor, streaming)
    for vendor in VENDORS
    for streaming in ((True, False) if vendor.whole else (True,))
)


@dataclass(slots=True)
class Outcome:
    """What came of one exchange."""

    reply: Reply | None = None
    error: ProviderError | None = None
    waits: list[float] = field(default_factory=list)
    heard: list[Event] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)

    @property
    def text(self) -> str:
        assert self.reply is not None, self.error
        return self.reply.message.text

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        assert self.reply is not None, self.error
        return self.reply.message.tool_calls

    @property
    def retried(self) -> int:
        return sum(isinstance(event, ModelCallRetried) for event in self.heard)


async def exchange(
    column: Column, url: str, patience: Patience = HURRIED, seconds: float = 20.0
) -> Outcome:
    """Return what came of one exchange with the server; waits are noted instead of taken."""
    outcome = Outcome()

    async def sleep(wait: float) -> None:
        outcome.waits.append(wait)

    policy = RetryPolicy(jitter=lambda: 0.5)
    chat = ChatCoordinator(retries_of=lambda _: policy, sleep=sleep)
    chat.configure({"model_call_timeout": seconds, "max_retries": 3})
    provider = column.provider(url, patience)
    try:
        request = Request("the-model", (user("Hi"),))
        outcome.reply = await chat.reply(provider, request, outcome.heard.append)
    except ProviderError as error:
        outcome.error = error
    finally:
        await provider.aclose()
    assert KEY not in f"{outcome.error} {outcome.heard}"
    return outcome


async def ask(column: Column, *script: Any, otherwise: Any = None, **more: Any) -> Outcome:
    """Return what came of one exchange with a server that does what the script says."""
    async with column.server(*script, otherwise=otherwise) as server:
        outcome = await exchange(column, server.url, **{"patience": Patience(), **more})
        outcome.requests = server.requests
        return outcome


async def turn(
    column: Column, *script: Any, otherwise: Any = None, before: tuple[Message, ...] = ()
) -> Any:
    """Run one turn of a whole orchestrator; return its response or error, and the requests.

    `before` are messages that the conversation has already.
    """
    settings = Settings(
        ephemeral=True,
        approve="always",
        max_retries=0,
        context_compaction_strategy="truncation",  # it asks no model
    )
    async with column.server(*script, otherwise=otherwise) as server:
        provider = column.provider(server.url, Patience())
        victor = AgentOrchestrator(settings, provider, "the-model", tools=(look,))
        victor.context_coordinator.append(*before)
        ended = SimpleNamespace(response=None, error=None, requests=server.requests)
        try:
            ended.response = await victor.chat("Hi")
        except ProviderError as error:
            ended.error = error
        finally:
            ended.context = victor.context_coordinator.get_context().messages
            await victor.close()
            await provider.aclose()
        return ended
