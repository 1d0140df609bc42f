"""A model that sees no pictures gets a note for each, and the conversation keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.agent.pictures import Pictures
from victor.config.settings import Settings
from victor.messages import Image, Message, Request, Role, Text, ToolResult, user
from victor.protocols import Ability, ModelInfo
from victor.testing import ScriptedProvider, call

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
PICTURE = Image(PNG, "image/png")
NOTE = "[A picture (image/png) was here. The model in use cannot see pictures.]"
SEEING = frozenset({Ability.TOOLS, Ability.IMAGES})


def _info(abilities: frozenset[Ability] = frozenset(), *, known: bool = True) -> ModelInfo:
    return ModelInfo("m", 1_000, 100, known=known, abilities=abilities)


def _asked_for_nothing() -> ModelInfo:
    raise AssertionError


MESSAGES = (
    Message(Role.USER, (Text("What is this?"), PICTURE)),
    Message(Role.TOOL, (ToolResult("1", "read", images=(PICTURE, PICTURE)), ToolResult("2", "x"))),
    user("And now?"),
)


def test_a_note_stands_for_each_picture_and_nothing_else_changes() -> None:
    request = Request(model="m", messages=MESSAGES, system="s")
    sent = Pictures().seen(request, _info)
    assert sent.messages == (
        Message(Role.USER, (Text("What is this?"), Text(NOTE))),
        Message(Role.TOOL, (ToolResult("1", f"read\n{NOTE}\n{NOTE}"), ToolResult("2", "x"))),
        MESSAGES[2],
    )
    assert sent.messages[2] is MESSAGES[2]
    assert (sent.system, request.messages) == ("s", MESSAGES)


@pytest.mark.parametrize("info", [_info(SEEING), _info(known=False)])
def test_a_model_that_sees_and_one_that_nobody_knows_get_the_pictures(info: ModelInfo) -> None:
    request = Request(model="m", messages=MESSAGES)
    assert Pictures().seen(request, lambda: info) is request


def test_where_there_are_no_pictures_nobody_is_asked_what_the_model_sees() -> None:
    pictures, messages = Pictures(), (user("one"), user("two"))
    for count in (0, 1, 2):
        request = Request(model="m", messages=messages[:count])
        assert pictures.seen(request, _asked_for_nothing) is request


def test_pictures_that_come_later_are_found_and_those_that_are_gone_forgotten() -> None:
    pictures = Pictures()
    for messages in (MESSAGES[2:], (*MESSAGES[2:], MESSAGES[0]), (MESSAGES[0],), (MESSAGES[2],)):
        request = Request(model="m", messages=messages)
        assert (pictures.seen(request, _info) is request) is (MESSAGES[0] not in messages)


async def test_after_a_switch_the_new_model_gets_notes_and_the_old_one_its_pictures(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    one = ScriptedProvider(call("read", path="a.png"), "A dot.", "Again a dot.", name="one")
    other = ScriptedProvider("I cannot tell.", name="other")
    settings = Settings(
        ephemeral=True, models={"one:m": {"abilities": ["tools", "images"]}}, max_retries=0
    )
    async with AgentOrchestrator(settings, one, "m", workspace=tmp_path) as agent:
        await agent.chat("What is in a.png?")
        agent.switch(other, "n")
        await agent.chat("And in your eyes?")
        agent.switch(one, "m")
        await agent.chat("And in yours?")
    (result,) = other.requests[0].messages[2].tool_results
    assert result.images == ()
    assert result.content.endswith(NOTE)
    for request in one.requests[1:]:
        assert request.messages[2].tool_results[0].images == (PICTURE,)
