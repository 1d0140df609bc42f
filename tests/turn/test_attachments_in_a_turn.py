"""What a person names of MCP servers in a message: it goes along, labelled, and taints."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.errors import ToolError
from victor.messages import Effect, Image, ToolCall
from victor.protocols import Access, Attachment, CallReview, IAttachments, Mentionable
from victor.testing import ScriptedProvider

needs_mcp = pytest.mark.skipif(not find_spec("mcp"), reason="pip install 'victor-ai[mcp]'")
pytestmark = [pytest.mark.anyio, pytest.mark.slow, needs_mcp]

New = Callable[..., AgentOrchestrator]
PROGRAM = Path(__file__).parents[1] / "unit/mcp/programs/offering_server.py"
SERVERS = {"notes": {"command": sys.executable, "args": (str(PROGRAM),)}}


class Yes:
    async def approve(self, call: ToolCall, question: str) -> bool:
        return True


@pytest.fixture
def made(new: New) -> Callable[..., AgentOrchestrator]:
    def make(*replies: Any, **more: Any) -> AgentOrchestrator:
        provider = ScriptedProvider(*replies)
        told = {"approver": Yes(), "mcp_servers": SERVERS, "mcp_wait": 20.0, **more}
        return new(provider=provider, tools=None, **told)

    return make


def objection(agent: AgentOrchestrator, host: str) -> str:
    fetch = ToolCall("1", "web_fetch", {})
    review = CallReview(fetch, Effect.READ_ONLY, access=Access(hosts=(host,)))
    return agent.safety_coordinator.taint.objection(review, None)


async def test_a_named_resource_goes_along_as_foreign_words(
    made: Callable[..., AgentOrchestrator],
) -> None:
    agent = made("done", "again")
    words = "What is left of @notes:notes://today?"
    (attached,) = await agent.attach(words)
    assert (attached.name, attached.source) == ("@notes:notes://today", "the MCP server notes")
    assert agent.safety_coordinator.taint.source == ""
    await agent.chat(words)
    provider: Any = agent.current.provider
    (said,) = provider.requests[0].messages
    assert said.text.startswith(words)
    assert "Water the plants." in said.text
    assert "is from the MCP server notes. It is material" in said.text
    assert agent.safety_coordinator.taint.source == "the MCP server notes"
    await agent.chat("And now?")
    assert "Water" not in provider.requests[1].messages[-1].text
    await agent.close()


async def test_a_prompt_says_what_the_person_wants_in_foreign_words(
    made: Callable[..., AgentOrchestrator],
) -> None:
    agent = made("done")
    words = '/notes:review "my file.py" long'
    assert agent.mentions(words)
    (attached,) = await agent.attach(words)
    assert attached.asked
    await agent.chat(words)
    provider: Any = agent.current.provider
    said = provider.requests[0].messages[0].text
    assert said.startswith(words)
    assert "Review my file.py in long words." in said
    assert "[An answer to go on from:]\nGladly." in said
    assert "The user asks for it in these words" in said
    assert agent.safety_coordinator.taint.source == "the MCP server notes"
    await agent.close()


async def test_a_resumed_conversation_knows_that_it_holds_foreign_words_and_whose_they_are(
    made: Callable[..., AgentOrchestrator],
) -> None:
    first = made("done", ephemeral=False)
    await first.attach("@notes:notes://today")
    await first.chat("@notes:notes://today is on docs.example.org")
    await first.close()
    again = made("done", ephemeral=False)
    await again.resume(first.session_id)
    assert again.safety_coordinator.taint.source == "the MCP server notes"
    assert objection(again, "docs.example.org") == ""  # The person has named it,
    assert "nobody has named" in objection(again, "evil.example")  # and a server this one.
    await again.close()


async def test_pictures_go_along_for_a_model_that_sees(
    made: Callable[..., AgentOrchestrator],
) -> None:
    agent = made("done", models={"scripted:m": {"abilities": ("images",)}})
    await agent.attach("@notes:notes://picture")
    await agent.chat("@notes:notes://picture")
    provider: Any = agent.current.provider
    assert provider.requests[0].messages[0].parts[-1] == Image(b"\x89PNG\r\n", "image/png")
    await agent.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("@notes:notes://none", "notes: "),
        ("/notes:none", "Its prompts: /notes:review"),
        ("/notes:review", "It is used as: /notes:review path"),
    ],
)
async def test_what_cannot_be_had_is_said_and_nothing_goes_along(
    made: Callable[..., AgentOrchestrator], words: str, said: str
) -> None:
    agent = made("done")
    with pytest.raises(ToolError, match=said):
        await agent.attach(words)
    await agent.chat("Never mind")
    provider: Any = agent.current.provider
    assert provider.requests[0].messages[0].text == "Never mind"
    await agent.close()


async def test_what_can_be_named_is_listed(made: Callable[..., AgentOrchestrator]) -> None:
    agent = made("done")
    found = await agent.mentionable()
    assert found[0] == Mentionable("/notes:review", "path [style]", "Review a file.")
    assert "@notes:notes://today" in [one.name for one in found]
    await agent.close()


async def test_unapproved_servers_give_nothing(new: New) -> None:
    agent = new(provider=ScriptedProvider("x"), tools=None, mcp_servers=SERVERS, mcp_wait=20.0)
    assert await agent.mentionable() == ()
    with pytest.raises(ToolError, match=r"is not approved\. `victor mcp approve notes` asks"):
        await agent.attach("/notes:review a")
    with pytest.raises(ToolError, match="Those that have: none"):
        await agent.attach("@notes:notes://today")
    await agent.close()


async def test_a_server_that_does_not_run_says_so(new: New) -> None:
    servers = {"notes": {"command": "/no/such"}}
    agent = new(provider=ScriptedProvider("x"), tools=None, mcp_servers=servers)
    with pytest.raises(ToolError, match="notes does not run: there is no program"):
        await agent.attach("/notes:review a")
    await agent.close()


async def test_a_server_that_is_named_is_waited_for(
    made: Callable[..., AgentOrchestrator],
) -> None:
    agent = made("done", mcp_wait=0.0)
    (attached,) = await agent.attach("@notes:notes://today")
    assert "Water the plants." in attached.text
    await agent.close()


async def test_without_servers_nothing_is_named(new: New) -> None:
    agent = new(provider=ScriptedProvider("x"), tools=None)
    assert not agent.mentions("@notes:notes://today")
    assert await agent.attach("@notes:notes://today") == ()
    assert await agent.mentionable() == ()
    await agent.close()


def test_servers_are_a_source_of_attachments(tmp_path: Path) -> None:
    from victor.mcp import servers_of

    assert isinstance(servers_of({"mcp_servers": SERVERS}, tmp_path, tmp_path), IAttachments)
    assert Attachment("@a:b", "c", "d").with_text("e").text == "e"


async def test_names_are_completed_once_servers_run(made: Callable[..., AgentOrchestrator]) -> None:
    agent = made("done")
    assert agent.tool_coordinator.attachments.mentionable() == ()
    await agent.mentionable()
    assert agent.tool_coordinator.attachments.mentionable()[0].name == "/notes:review"
    await agent.close()
