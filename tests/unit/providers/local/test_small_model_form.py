"""A small model's answer in a form: the grammar holds it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from victor.events import ReplyFinished, TextDelta, ToolCallDelta
from victor.messages import Request, StopReason, ToolChoice, user
from victor.protocols import Ability
from victor.providers.small_model import SmallModel

pytestmark = pytest.mark.anyio

FORM = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


async def test_without_tools_the_answer_is_generated_under_the_form(said: Any) -> None:
    server = said(['{"n": 3}'])
    model = SmallModel(server)
    given = [d async for d in model.stream(Request("m", (user("Count"),), output_schema=FORM))]
    assert "".join(d.content for d in given if isinstance(d, TextDelta)) == '{"n": 3}'
    assert server.calls[0]["schema"] == FORM
    assert Ability.STRUCTURED_OUTPUT in model.model_info("m").abilities


async def test_with_tools_a_call_passes_and_a_reply_is_said_again_in_the_form(
    said: Any, tools: Any
) -> None:
    calling = json.dumps({"tool": "list", "arguments": {"path": "."}})
    replying = json.dumps({"tool": "reply", "arguments": {"message": "Three."}})
    server = said([calling, replying, '{"n": 3}'])
    asked = Request("m", (user("How many files are here?"),), tools=tools, output_schema=FORM)
    called = [d async for d in SmallModel(server).stream(asked)]
    assert [d.name for d in called if isinstance(d, ToolCallDelta)] == ["list"]
    given = [d async for d in SmallModel(server).stream(asked)]
    assert "".join(d.content for d in given if isinstance(d, TextDelta)) == '{"n": 3}'
    ends = [d for d in given if isinstance(d, ReplyFinished)]
    assert [end.stop_reason for end in ends] == [StopReason.END]
    assert server.calls[-1]["schema"] == FORM
    assert server.calls[-1]["messages"][-2] == {"role": "assistant", "content": "Three."}


async def test_told_not_to_call_it_answers_in_the_form_at_once(said: Any, tools: Any) -> None:
    server = said(['{"n": 3}'])
    asked = Request(
        "m", (user("Count"),), tools=tools, tool_choice=ToolChoice.NONE, output_schema=FORM
    )
    given = [d async for d in SmallModel(server).stream(asked)]
    assert "".join(d.content for d in given if isinstance(d, TextDelta)) == '{"n": 3}'
    assert server.calls[0]["schema"] == FORM
