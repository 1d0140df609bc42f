"""What each vendor is sent for an answer in a form, through the real SDKs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from inline_snapshot import snapshot
from pydantic import BaseModel, Field

from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.messages import Response
from victor.protocols import IProvider
from victor.providers.anthropic import AnthropicProvider
from victor.providers.openai import OpenAIProvider
from victor.providers.output_schema import strict_schema
from victor.testing.loopback import AnthropicLoopback, LoopbackReply, OpenAILoopback
from victor.testing.loopback_responses import ResponsesLoopback

pytestmark = pytest.mark.anyio


class Step(BaseModel):
    title: str = Field(description="In three words.")
    minutes: Annotated[int, Field(ge=1, le=90)] = 5


class Plan(BaseModel):
    kind: Literal["short", "long"]
    steps: list[Step]
    note: str | None = None


PLAN = Plan(kind="short", steps=[Step(title="Look first", minutes=3)], note=None)
FORM = snapshot(
    {
        "title": "Plan",
        "type": "object",
        "properties": {
            "kind": {"enum": ["short", "long"], "title": "Kind", "type": "string"},
            "steps": {"title": "Steps", "type": "array", "items": {"$ref": "#/$defs/Step"}},
            "note": {"title": "Note", "anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["kind", "steps", "note"],
        "additionalProperties": False,
        "$defs": {
            "Step": {
                "title": "Step",
                "type": "object",
                "properties": {
                    "title": {"description": "In three words.", "title": "Title", "type": "string"},
                    "minutes": {
                        "title": "Minutes",
                        "type": "integer",
                        "description": "(maximum: 90, minimum: 1)",
                    },
                },
                "required": ["title", "minutes"],
                "additionalProperties": False,
            }
        },
    }
)


async def ask(provider: IProvider, model: str, workspace: Path) -> Response:
    settings = Settings(ephemeral=True)
    async with AgentOrchestrator(
        settings, provider, model, workspace=workspace, tools=()
    ) as orchestrator:
        response = await orchestrator.chat("Plan it", output=Plan)
    await provider.aclose()
    return response


async def test_anthropic_is_sent_the_form_in_its_output_config(tmp_path: Path) -> None:
    async with AnthropicLoopback([PLAN.model_dump_json()]) as server:
        provider = AnthropicProvider("k", base_url=server.url)
        response = await ask(provider, "claude-sonnet-5-5", tmp_path)
    assert response.output == PLAN
    sent = server.requests[0]
    assert sent["output_config"] == {"format": {"type": "json_schema", "schema": FORM}}
    assert "tools" not in sent


async def test_chat_completions_are_sent_the_form_as_response_format(tmp_path: Path) -> None:
    async with OpenAILoopback([PLAN.model_dump_json()]) as server:
        provider = OpenAIProvider("k", base_url=server.url)
        response = await ask(provider, "gpt-4.1", tmp_path)
    assert response.output == PLAN
    assert server.requests[0]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": FORM, "strict": True},
    }


async def test_the_responses_api_is_sent_the_form_as_text_format(tmp_path: Path) -> None:
    async with ResponsesLoopback([PLAN.model_dump_json()]) as server:
        provider = OpenAIProvider("k", base_url=server.url, api="responses")
        response = await ask(provider, "gpt-6.1-terra", tmp_path)
    assert response.output == PLAN
    assert server.requests[0]["text"] == {
        "format": {"type": "json_schema", "name": "answer", "schema": FORM, "strict": True}
    }


async def test_a_vendor_that_enforces_nothing_is_given_a_tool_to_answer_with(
    tmp_path: Path,
) -> None:
    from victor.messages import ToolCall

    made = ToolCall("c", "final_answer", json.loads(PLAN.model_dump_json()))
    async with OpenAILoopback([LoopbackReply(calls=(made,), pieces=5)]) as server:
        provider = OpenAIProvider("k", base_url=server.url, name="my-server")
        response = await ask(provider, "some-model", tmp_path)
    assert response.output == PLAN
    sent = server.requests[0]
    assert "response_format" not in sent
    assert sent["tool_choice"] == "required"
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["final_answer"]
    assert sent["tools"][0]["function"]["parameters"] == Plan.model_json_schema()


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        ({"type": ["string", "null"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"$ref": "#/$defs/A", "description": "x"}, {"$ref": "#/$defs/A"}),
        ({"oneOf": [{"type": "null"}]}, {"anyOf": [{"type": "null"}]}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        (
            {"type": "string", "format": "path", "description": "Where."},
            {"type": "string", "description": 'Where. (format: "path")'},
        ),
        ({"type": "integer", "default": 3}, {"type": "integer"}),
    ],
)
def test_what_vendors_refuse_is_rewritten_or_told_in_words(schema: Any, strict: Any) -> None:
    assert strict_schema(schema) == strict
