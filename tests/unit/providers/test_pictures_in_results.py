"""A picture that a tool read reaches every vendor, and the record; old ones are left out."""

from __future__ import annotations

import base64

from victor import tokens
from victor.messages import Image, Request, ToolCall, ToolResult, assistant, tool_results, user
from victor.protocols import Record
from victor.providers import anthropic_wire, google_wire, ollama_wire, openai_responses, openai_wire
from victor.providers.presets import PRESETS
from victor.steps import elided
from victor.storage import codec

PICTURE = Image(b"\x89PNG picture", "image/png")
CODE = base64.b64encode(PICTURE.data).decode()
RESULT = ToolResult("c1", "a.png is a picture", images=(PICTURE,))
CALL = ToolCall("c1", "read", {"path": "a.png"})
REQUEST = Request("m", (user("Look"), assistant("", CALL), tool_results(RESULT)))


def test_results_with_a_picture_are_sent_as_each_vendor_takes_them() -> None:
    claude = anthropic_wire.encode_request(REQUEST, 100)["messages"][-1]["content"][0]
    assert [block["type"] for block in claude["content"]] == ["text", "image"]
    chat = openai_wire.encode_request(REQUEST, PRESETS["openai"])["messages"]
    assert [message["role"] for message in chat[-2:]] == ["tool", "user"]
    assert chat[-1]["content"][1]["image_url"]["url"] == f"data:image/png;base64,{CODE}"
    responses = openai_responses.encode_response_request(REQUEST, "openai")["input"]
    assert [part["type"] for part in responses[-1]["output"]] == ["input_text", "input_image"]
    gemini = google_wire.encode_contents(REQUEST.messages)[-1]["parts"]
    assert [next(iter(part)) for part in gemini] == ["function_response", "inline_data"]
    ollama = ollama_wire.encode_request(REQUEST, 4_096, streaming=True)["messages"]
    assert ollama[-1]["images"] == [CODE]


def test_a_picture_stays_on_record_and_counts() -> None:
    record = Record("result", "t", result=RESULT)
    assert codec.decode("result", "t", 0.0, codec.encode(record)).result == RESULT
    plain = tokens.of_message(tool_results(ToolResult("c1", RESULT.content)))
    assert tokens.of_message(tool_results(RESULT)) == plain + tokens.IMAGE_TOKENS


def test_an_old_picture_is_left_out_and_said_so() -> None:
    shortened = elided(RESULT, CALL)
    assert shortened.images == ()
    assert "The picture was left out" in shortened.content
    long = ToolResult("c1", "x" * 5_000, images=(PICTURE,))
    assert elided(long, CALL).images == ()
