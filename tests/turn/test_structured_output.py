from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from victor.agent.orchestrator import AgentOrchestrator
from victor.agent.structured_output import (
    ANSWER_TOOL,
    AnswersByTool,
    OutputCheck,
    OutputForm,
    is_closed,
)
from victor.config.settings import Settings
from victor.errors import ConfigError, OutputError
from victor.events import Event, OutputRejected, ReplyDelta, TextDelta, ToolCallStarted, TurnEnded
from victor.messages import (
    Reply,
    Request,
    Response,
    Role,
    StopReason,
    ToolChoice,
    Usage,
    assistant,
)
from victor.protocols import Ability, ModelInfo
from victor.testing import ScriptedProvider, call

pytestmark = pytest.mark.anyio


class City(BaseModel):
    name: str
    people: int


class Founded(BaseModel):
    model_config = ConfigDict(strict=True)
    on: date
    by: tuple[str, ...]


@dataclass
class Point:
    x: float
    y: float


class HoldsToSchema(ScriptedProvider):
    """A vendor that holds answers to a schema, with its `abilities`."""

    abilities = frozenset({Ability.TOOLS, Ability.STRUCTURED_OUTPUT})

    def model_info(self, model: str) -> ModelInfo:
        return ModelInfo(model, 1_000_000, 100_000, 0.0, 0.0, abilities=self.abilities)


class HoldsAlone(HoldsToSchema):
    abilities = frozenset({Ability.TOOLS, Ability.STRUCTURED_WITHOUT_TOOLS})


def orchestrator(provider: ScriptedProvider, workspace: Path, **more: Any) -> AgentOrchestrator:
    tools = more.pop("tools", None)
    settings = Settings(ephemeral=True, **more)
    return AgentOrchestrator(settings, provider, "m", workspace=workspace, tools=tools)


async def answered(provider: ScriptedProvider, output: Any, workspace: Path) -> Response:
    async with orchestrator(provider, workspace) as agent:
        return await agent.chat("Which?", output=output)


PARIS = '{"name": "Paris", "people": 2100000}'


@pytest.mark.parametrize(
    ("text", "output", "expected"),
    [
        (PARIS, City, City(name="Paris", people=2_100_000)),
        (f"Here it is:\n```json\n{PARIS}\n```", City, City(name="Paris", people=2_100_000)),
        (f"The answer is {PARIS}. Ask more!", City, City(name="Paris", people=2_100_000)),
        ('{"x": 1, "y": 2.5}', Point, Point(1.0, 2.5)),
        ('{"value": [1, 2]}', list[int], [1, 2]),
        ("[1, 2]", list[int], [1, 2]),
        ('{"on": "2020-02-29", "by": ["a"]}', Founded, Founded(on=date(2020, 2, 29), by=("a",))),
        (PARIS, City.model_json_schema(), {"name": "Paris", "people": 2_100_000}),
        ('{"value": 3}', {"type": "integer"}, 3),
    ],
    ids=["model", "fence", "prose", "dataclass", "wrapped", "bare", "strict", "schema", "number"],
)
async def test_an_answer_becomes_what_was_asked_for(
    text: str, output: Any, expected: Any, tmp_path: Path
) -> None:
    response = await answered(HoldsToSchema(text), output, tmp_path)
    assert response.output == expected
    assert response.content == text


async def test_a_vendor_that_holds_to_a_schema_is_sent_it_and_no_extra_tool(tmp_path: Path) -> None:
    provider = HoldsToSchema(PARIS)
    await answered(provider, City, tmp_path)
    request = provider.requests[0]
    assert request.output_schema == City.model_json_schema()
    assert ANSWER_TOOL not in [tool.name for tool in request.tools]
    assert request.tool_choice is ToolChoice.AUTO


async def test_without_such_a_vendor_a_tool_takes_the_answer_and_its_words_stream(
    tmp_path: Path,
) -> None:
    provider = ScriptedProvider(call(ANSWER_TOOL, name="Paris", people=1))
    async with orchestrator(provider, tmp_path) as agent:
        events = [event async for event in agent.events("Which?", output=City)]
    ended = events[-1]
    assert isinstance(ended, TurnEnded)
    assert ended.response.output == City(name="Paris", people=1)
    assert ended.response.stop_reason is StopReason.END
    text = "".join(event.content for event in events if isinstance(event, TextDelta))
    assert json.loads(text) == {"name": "Paris", "people": 1}
    assert not [event for event in events if isinstance(event, ToolCallStarted)]
    request = provider.requests[0]
    assert request.tools[-1].name == ANSWER_TOOL
    assert request.tools[-1].parameters == City.model_json_schema()
    assert request.tool_choice is ToolChoice.REQUIRED
    assert request.output_schema is None
    assert [message.role for message in ended.response.messages] == [Role.USER, Role.ASSISTANT]
    assert not ended.response.messages[1].tool_calls


@pytest.mark.parametrize("kind", [ScriptedProvider, HoldsToSchema])
async def test_tools_may_run_before_the_answer(
    kind: type[ScriptedProvider], tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("Paris, 7 people")
    provider = kind(call("read", path="a.txt"), '{"name": "Paris", "people": 7}')
    response = await answered(provider, City, tmp_path)
    assert response.output == City(name="Paris", people=7)
    assert "7 people" in response.messages[2].tool_results[0].content


async def test_an_answer_beside_other_calls_waits_for_them(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Lyon")
    early = [call(ANSWER_TOOL, name="?", people=0), call("read", path="a.txt")]
    provider = ScriptedProvider(early, call(ANSWER_TOOL, name="Lyon", people=1))
    response = await answered(provider, City, tmp_path)
    assert response.output == City(name="Lyon", people=1)
    assert [one.name for one in response.messages[1].tool_calls] == ["read"]


async def test_an_answer_that_does_not_fit_goes_back_with_what_is_wrong(tmp_path: Path) -> None:
    provider = HoldsToSchema('{"name": "Paris"}', "Two million", PARIS)
    async with orchestrator(provider, tmp_path) as agent:
        events = [event async for event in agent.events("Which?", output=City)]
        rejected = [event for event in events if isinstance(event, OutputRejected)]
        assert [(event.attempt, event.problem.partition(":")[0]) for event in rejected] == [
            (1, "people"),
            (2, "it is no JSON"),
        ]
        assert isinstance(events[-1], TurnEnded)
        assert events[-1].response.output == City(name="Paris", people=2_100_000)
        told = provider.requests[1].messages
        assert told[-2] == assistant('{"name": "Paris"}')
        assert "people: field required" in told[-1].text
        assert '"people"' in told[-1].text
        roles = [message.role for message in events[-1].response.messages]
        assert roles == [Role.USER, Role.ASSISTANT] * 3


async def test_after_two_repairs_the_error_names_what_did_not_fit(tmp_path: Path) -> None:
    provider = HoldsToSchema('{"name": 1, "people": "many"}', repeat=True)
    async with orchestrator(provider, tmp_path) as agent:
        with pytest.raises(OutputError) as caught:
            await agent.chat("Which?", output=City)
        assert len(provider.requests) == 3
        assert "name: input should be a valid string" in caught.value.problem
        assert "people" in str(caught.value)
        assert "City" in str(caught.value)
        assert caught.value.content == '{"name": 1, "people": "many"}'
        with pytest.raises(OutputError):
            await agent.chat("And now?", output=City)
    history = [message.role for message in provider.requests[3].messages]
    assert history == [Role.USER, Role.ASSISTANT] * 3 + [Role.USER]


@pytest.mark.parametrize("reason", [StopReason.REFUSAL, StopReason.CONTENT_FILTER])
async def test_a_refusal_is_not_asked_to_put_itself_right(
    reason: StopReason, tmp_path: Path
) -> None:
    provider = HoldsToSchema(Reply(assistant("I cannot."), reason), repeat=True)
    with pytest.raises(OutputError, match="refused"):
        await answered(provider, City, tmp_path)
    assert len(provider.requests) == 1


async def test_a_cut_answer_is_asked_for_in_short(tmp_path: Path) -> None:
    cut = Reply(assistant('{"name": "Par'), StopReason.MAX_TOKENS, Usage(1, 1))
    provider = HoldsToSchema(cut, PARIS)
    response = await answered(provider, City, tmp_path)
    assert response.output == City(name="Paris", people=2_100_000)
    assert "cut off by the output limit" in provider.requests[1].messages[-1].text


async def test_at_the_limit_of_tool_calls_only_the_answer_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    provider = ScriptedProvider(
        call("read", path="a.txt"), "no JSON", call(ANSWER_TOOL, name="Nice", people=3)
    )
    async with orchestrator(provider, tmp_path, max_tool_iterations=1) as agent:
        response = await agent.chat("Which?", output=City)
    assert response.output == City(name="Nice", people=3)
    assert response.stop_reason is StopReason.MAX_TOOL_ITERATIONS
    assert [tool.name for tool in provider.requests[1].tools] == [ANSWER_TOOL]


async def test_where_tools_and_a_schema_exclude_each_other_tools_decide(tmp_path: Path) -> None:
    with_tools = HoldsAlone(call(ANSWER_TOOL, name="Nice", people=3))
    assert (await answered(with_tools, City, tmp_path)).output.name == "Nice"
    alone = HoldsAlone(PARIS)
    async with orchestrator(alone, tmp_path, tools=()) as agent:
        await agent.chat("Which?", output=City)
    assert alone.requests[0].output_schema is not None
    assert alone.requests[0].tools == ()


async def test_the_next_turn_without_an_output_is_free_again(tmp_path: Path) -> None:
    provider = ScriptedProvider(call(ANSWER_TOOL, name="Nice", people=3), "Words.")
    async with orchestrator(provider, tmp_path) as agent:
        await agent.chat("Which?", output=City)
        response = await agent.chat("Thanks")
    assert (response.content, response.output) == ("Words.", None)
    assert ANSWER_TOOL not in [tool.name for tool in provider.requests[1].tools]


async def test_stream_chat_takes_an_output_too(tmp_path: Path) -> None:
    async with orchestrator(HoldsToSchema(PARIS), tmp_path) as agent:
        pieces = [chunk.content async for chunk in agent.stream_chat("Which?", output=City)]
    assert "".join(pieces) == PARIS


@pytest.mark.parametrize("output", ["City", {}, lambda: 0, 7])
async def test_what_is_no_type_is_refused_before_anything_is_sent(
    output: Any, tmp_path: Path
) -> None:
    provider = ScriptedProvider("never")
    with pytest.raises(ConfigError, match=r"output|schema"):
        await answered(provider, output, tmp_path)
    assert provider.requests == []


async def test_a_schema_of_an_object_refuses_what_is_none(tmp_path: Path) -> None:
    provider = HoldsToSchema("3", PARIS)
    response = await answered(provider, City.model_json_schema(), tmp_path)
    assert response.output["name"] == "Paris"
    assert "should be an object, not 3" in provider.requests[1].messages[-1].text


class Tree(BaseModel):
    children: list[Tree]


@pytest.mark.parametrize(
    ("schema", "closed"),
    [
        (City.model_json_schema(), True),
        ({"type": "object", "properties": {"a": {"type": ["string", "null"]}}}, True),
        ({"type": "object", "properties": {"a": {"enum": [1, "b"]}}}, True),
        ({"type": "object", "properties": {"a": {"anyOf": [{"type": "null"}, {}]}}}, False),
        ({"type": "object", "additionalProperties": {"type": "string"}}, False),
        ({"type": "object"}, False),
        ({"type": "array"}, False),
        ({"type": "array", "prefixItems": [{"type": "string"}], "items": False}, False),
        ({"$ref": "#/$defs/Nowhere"}, False),
        (Tree.model_json_schema(), False),
    ],
)
def test_only_what_a_vendor_can_enforce_counts_as_closed(schema: Any, closed: bool) -> None:
    assert is_closed(schema) is closed


async def test_a_form_that_no_vendor_enforces_comes_through_the_tool(tmp_path: Path) -> None:
    provider = HoldsToSchema(call(ANSWER_TOOL, a=1))
    response = await answered(provider, dict[str, int], tmp_path)
    assert response.output == {"a": 1}
    assert provider.requests[0].tools[-1].name == ANSWER_TOOL


async def test_the_stand_in_is_a_provider_like_the_one_behind_it() -> None:
    inner = ScriptedProvider("hi")
    asks = AnswersByTool(inner)
    assert asks.name == "scripted"
    assert asks.model_info("m") == inner.model_info("m")
    deltas: AsyncIterator[ReplyDelta] = asks.stream(
        Request("m", (), output_schema={"type": "object"})
    )
    assert TextDelta("hi") in [delta async for delta in deltas]
    await asks.aclose()
    assert inner.closed


def test_a_check_tells_each_rejection_once() -> None:
    told: list[Event] = []
    check = OutputCheck(OutputForm("thing", {"type": "object"}, lambda value: value["a"]))
    reply = Reply(assistant("nothing"), StopReason.END)
    assert check.objection("t", reply, told.append) is not None
    assert [type(event) for event in told] == [OutputRejected]
    assert check.objection("t", Reply(assistant('{"a": 5}'), StopReason.END), told.append) is None
    assert check.value == 5
