from __future__ import annotations

import asyncio
import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from inline_snapshot import snapshot

from victor.errors import (
    AuthenticationError,
    BadReply,
    ContextExceeded,
    InvalidRequest,
    ModelMissing,
    ProviderError,
    ProviderUnavailable,
    RateLimitError,
)
from victor.events import ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import (
    Document,
    Message,
    Request,
    Role,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    assistant,
    tool_results,
    user,
)
from victor.providers.exchange import Patience
from victor.providers.google import GoogleProvider
from victor.testing.loopback import LoopbackError, LoopbackReply
from victor.testing.loopback_google import GoogleLoopback

pytest.importorskip("google.genai", reason="the extra google is not installed")
pytestmark = pytest.mark.anyio

HELLO = Request("gemini-3.8-flash", (user("Hello"),))
PROOF = "c2lnbmVk"  # "signed", encoded


def provider_of(server: GoogleLoopback, **options: Any) -> GoogleProvider:
    return GoogleProvider("the-key", base_url=server.url, **options)


async def exchange(server: GoogleLoopback, request: Request = HELLO, **options: Any) -> list[Any]:
    provider = provider_of(server, **options)
    try:
        return [delta async for delta in provider.stream(request)]
    finally:
        await provider.aclose()


async def failure_of(server: GoogleLoopback, **options: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await exchange(server, **options)
    return caught.value


def events(*responses: Any) -> bytes:
    return "".join(f"data: {json.dumps(response)}\r\n\r\n" for response in responses).encode()


async def test_parallel_calls_come_with_the_thought_that_is_signed_on_the_first() -> None:
    calls = (ToolCall("a", "read", {"path": "ü"}), ToolCall("", "list", {}))
    async with GoogleLoopback([LoopbackReply("Look:", calls, thinking="Hm.", pieces=1)]) as server:
        deltas = await exchange(server)
    assert deltas[:-1] == [
        ThinkingDelta("Hm."),
        TextDelta("Look:"),
        ThinkingDelta("", f"call:0:{PROOF}"),
        ToolCallDelta(0, "a", "read", '{"path": "ü"}'),
        ToolCallDelta(1, "", "list", "{}"),
    ]
    assert deltas[-1].stop_reason is StopReason.TOOL_USE


async def test_a_signature_goes_back_on_the_part_that_it_came_with() -> None:
    signed_call = Message(
        Role.ASSISTANT,
        (
            Thinking("Hm.", "", "google"),
            Thinking("", f"call:1:{PROOF}", "google"),
            Text("Look:"),
            ToolCall("a", "read", {}),
            ToolCall("b", "read", {}),
        ),
    )
    signed_text = Message(Role.ASSISTANT, (Text("It is."), Thinking("", f"text:{PROOF}", "google")))
    signed_alone = Message(Role.ASSISTANT, (Thinking("", f"text:{PROOF}", "google"),))
    results = tool_results(ToolResult("a", "x"), ToolResult("b", "y"))
    messages = (user("1"), signed_call, results, signed_text, user("2"), signed_alone)
    async with GoogleLoopback(["ok"]) as server:
        await exchange(server, Request("gemini-3.8-flash", messages))
    _, calls, _, text, _, alone = server.requests[0]["contents"]
    assert [part.get("thoughtSignature") for part in calls["parts"]] == [None, None, PROOF]
    assert text["parts"] == [{"text": "It is.", "thoughtSignature": PROOF}]
    assert alone["parts"] == [{"text": "", "thoughtSignature": PROOF}]


async def test_a_signature_that_is_damaged_is_left_out() -> None:
    damaged = Message(
        Role.ASSISTANT,
        (Text("It is."), Thinking("", "text:!", "google"), Thinking("", "call:x:!", "google")),
    )
    async with GoogleLoopback(["ok"]) as server:
        await exchange(server, Request("m", (user("1"), damaged)))
    assert server.requests[0]["contents"][1]["parts"] == [{"text": "It is."}]


# Snapshots are taken when the module is imported, for the reason given in the Anthropic tests.
WHOLE_CONVERSATION = snapshot(
    [
        {
            "contents": [
                {
                    "parts": [
                        {"text": "What is in it?"},
                        {"inlineData": {"data": "cG5n", "mime_type": "image/png"}},
                    ],
                    "role": "user",
                },
                {
                    "parts": [
                        {"text": "Let me see."},
                        {
                            "functionCall": {
                                "id": "call:1",
                                "args": {"path": "a.txt"},
                                "name": "read",
                            },
                            "thoughtSignature": "skip_thought_signature_validator",
                        },
                        {"functionCall": {"id": "call_2", "args": {}, "name": "read"}},
                    ],
                    "role": "model",
                },
                {
                    "parts": [
                        {
                            "functionResponse": {
                                "id": "call:1",
                                "name": "read",
                                "response": {"output": "hello"},
                            }
                        },
                        {
                            "functionResponse": {
                                "id": "call_2",
                                "name": "read",
                                "response": {"error": "no JSON object"},
                            }
                        },
                        {"text": "And?"},
                    ],
                    "role": "user",
                },
                {"parts": [{"text": "It says hello."}], "role": "model"},
                {"parts": [{"text": "Thanks."}], "role": "user"},
            ],
            "systemInstruction": {"parts": [{"text": "You are Victor."}], "role": "user"},
            "tools": [
                {
                    "functionDeclarations": [
                        {
                            "description": "Read a file.",
                            "name": "read",
                            "parameters_json_schema": {
                                "type": "object",
                                "properties": {"path": {"type": "string"}},
                                "required": ["path"],
                            },
                        }
                    ]
                }
            ],
            "generationConfig": {
                "temperature": 0.5,
                "maxOutputTokens": 500,
                "thinkingConfig": {"include_thoughts": True},
            },
        }
    ]
)


async def test_the_exact_request_of_a_whole_conversation(wire: SimpleNamespace) -> None:
    async with GoogleLoopback(["ok"]) as server:
        await exchange(server, wire.conversation("gemini-3.8-flash", "another-vendor"))
    assert server.requests == WHOLE_CONVERSATION
    assert server.headers[0]["x-goog-api-key"] == "the-key"


@pytest.mark.parametrize(
    ("choice", "mode"), [(ToolChoice.REQUIRED, "ANY"), (ToolChoice.NONE, "NONE")]
)
async def test_a_forced_or_forbidden_call_is_asked_for(
    choice: ToolChoice, mode: str, wire: SimpleNamespace
) -> None:
    request = Request("m", (user("Hi"),), tools=(wire.READ,), tool_choice=choice)
    async with GoogleLoopback(["ok"]) as server:
        await exchange(server, request)
    assert server.requests[0]["toolConfig"] == {"functionCallingConfig": {"mode": mode}}


async def test_an_answers_form_is_asked_for_by_its_schema() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    async with GoogleLoopback(["{}"]) as server:
        await exchange(server, Request("m", (user("Hi"),), output_schema=schema))
    asked = server.requests[0]["generationConfig"]
    assert asked["responseMimeType"] == "application/json"
    assert schema in asked.values()


async def test_an_older_model_is_not_asked_for_its_thoughts() -> None:
    async with GoogleLoopback(["ok"]) as server:
        await exchange(server, Request("gemini-2.0-flash", (user("Hi"),)))
    assert "thinkingConfig" not in server.requests[0].get("generationConfig", {})


async def test_a_pdf_is_sent_and_a_turn_without_content_is_not_empty() -> None:
    messages = (
        Message(Role.USER, (Document(b"%PDF"),)),
        Message(Role.ASSISTANT, (Thinking("only this", "", "google"),)),
        assistant("Yes."),
        Message(Role.USER, ()),
    )
    async with GoogleLoopback(["ok"]) as server:
        await exchange(server, Request("m", messages))
    first, second, third = server.requests[0]["contents"]
    assert first["parts"] == [{"inlineData": {"mime_type": "application/pdf", "data": "JVBERg=="}}]
    assert second["parts"] == [{"text": "Yes."}]
    assert third["parts"] == [{"text": "(empty)"}]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("MAX_TOKENS", StopReason.MAX_TOKENS),
        ("SAFETY", StopReason.CONTENT_FILTER),
        ("RECITATION", StopReason.CONTENT_FILTER),
        ("PROHIBITED_CONTENT", StopReason.CONTENT_FILTER),
        ("OTHER", StopReason.UNKNOWN),
    ],
)
async def test_every_finish_reason_is_understood(said: str, meant: StopReason) -> None:
    async with GoogleLoopback([LoopbackReply("x", stop_reason=said)]) as server:
        deltas = await exchange(server)
    assert deltas[-1].stop_reason is meant


async def test_a_prompt_that_is_blocked_is_a_content_filter_and_no_broken_reply() -> None:
    blocked = events({"promptFeedback": {"blockReason": "SAFETY"}})
    async with GoogleLoopback([blocked]) as server:
        assert await exchange(server) == [ReplyFinished(StopReason.CONTENT_FILTER)]


async def test_a_reply_that_google_could_not_read_itself_is_a_bad_reply() -> None:
    reply = LoopbackReply("x", stop_reason="MALFORMED_FUNCTION_CALL")
    async with GoogleLoopback([reply]) as server:
        failure = await failure_of(server)
    assert type(failure) is BadReply
    assert failure.retryable


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            LoopbackError(400, "The input token count exceeds the maximum number of tokens."),
            ContextExceeded,
        ),
        (LoopbackError(400, "No.", "INVALID_ARGUMENT"), InvalidRequest),
        (LoopbackError(400, "API key not valid.", code="API_KEY_INVALID"), AuthenticationError),
        (LoopbackError(403, "the-key may not."), AuthenticationError),
        (LoopbackError(404, "models/gemini-3.8-flash is not found"), InvalidRequest),
        (LoopbackError(429, headers={"retry-after": "3"}), RateLimitError),
        (LoopbackError(500), ProviderUnavailable),
        (LoopbackError(503, "The model is overloaded."), ProviderUnavailable),
    ],
)
async def test_a_refused_call_is_victors_own_error(
    error: LoopbackError, kind: type[ProviderError]
) -> None:
    async with GoogleLoopback([error]) as server:
        failure = await failure_of(server)
        assert len(server.requests) == 1
    assert type(failure) is kind
    assert "the-key" not in str(failure)


async def test_the_wait_that_google_asks_for_in_the_body_is_kept() -> None:
    body = LoopbackError(429, "Quota exceeded", code='retryDelay": "17.5s')
    async with GoogleLoopback([body]) as server:
        failure = await failure_of(server)
    assert failure.retry_after == 17.5


@pytest.mark.parametrize(
    "body", [b"", b'data: {"candi\r\n\r\n', b"data: []\r\n\r\n", b"data: 3\r\n\r\n", b"<html>"]
)
async def test_a_stream_against_the_protocol_is_a_bad_reply(body: bytes) -> None:
    async with GoogleLoopback([body]) as server:
        assert type(await failure_of(server)) is BadReply


async def test_a_server_that_falls_silent_is_given_up() -> None:
    async with GoogleLoopback([LoopbackReply("Hello there", events=1, stall=True)]) as server:
        failure = await failure_of(server, patience=Patience(first_event=5, idle=0.05))
        await asyncio.wait_for(server.reader_left(), 5)
    assert type(failure) is ProviderUnavailable
    assert "0.05 s" in str(failure)


async def test_google_counts_the_tokens_of_a_request() -> None:
    async with GoogleLoopback() as server:
        provider = provider_of(server)
        assert await provider.count_tokens(Request("m", (user("Hi"),), system="Be.")) == 42
        await provider.aclose()


async def test_a_ready_client_is_used_as_it_is_and_left_open() -> None:
    from google import genai

    async with GoogleLoopback(otherwise="ok") as server:
        options = genai.types.HttpOptions(base_url=server.url)
        client = genai.Client(api_key="theirs", http_options=options)
        provider = GoogleProvider(client=client)
        for _ in range(2):
            assert TextDelta("o") in [delta async for delta in provider.stream(HELLO)]
            await provider.aclose()
        await client.aio.aclose()
        client.close()
    assert server.headers[0]["x-goog-api-key"] == "theirs"


async def test_without_the_sdk_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import google

    monkeypatch.setitem(sys.modules, "google.genai", None)
    monkeypatch.delattr(google, "genai", raising=False)
    with pytest.raises(ModelMissing, match=r"pip install 'victor-ai\[google\]'"):
        async for _ in GoogleProvider("k").stream(HELLO):
            pass
