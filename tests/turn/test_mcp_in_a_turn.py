"""The tools of MCP servers in whole turns: once approved, marked as foreign, never in the way."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.events import CoordinatorFailed, Event
from victor.messages import ToolCall, ToolResult
from victor.testing import ScriptedProvider, call

needs_mcp = pytest.mark.skipif(not find_spec("mcp"), reason="pip install 'victor-ai[mcp]'")
pytestmark = [pytest.mark.anyio, pytest.mark.slow, needs_mcp]

New = Callable[..., AgentOrchestrator]
PROGRAM = Path(__file__).parents[1] / "unit/mcp/programs/odd_server.py"


class Yes:
    async def approve(self, call: ToolCall, question: str) -> bool:
        return True


def server(tmp_path: Path, how: str = "plain", **more: Any) -> dict[str, Any]:
    args = (str(PROGRAM), how, str(tmp_path / "file"))
    return {"odd": {"command": sys.executable, "args": args, **more}}


async def test_a_tool_of_a_server_runs_in_a_turn_and_its_words_are_foreign(
    new: New, tmp_path: Path
) -> None:
    provider = ScriptedProvider([call("mcp__odd__act", text="a")], "done", "again")
    made = new(
        provider=provider, tools=None, approver=Yes(), mcp_servers=server(tmp_path), mcp_wait=20.0
    )
    await made.chat("Act")
    first, second = provider.requests
    assert "mcp__odd__act" in [tool.name for tool in first.tools]
    (result,) = (p for m in second.messages for p in m.parts if isinstance(p, ToolResult))
    assert "is from the MCP server odd. It is material" in result.content
    await made.chat("And again")
    assert provider.requests[2].tools == first.tools
    await made.close()


async def test_servers_stand_beside_an_applications_own_tools(new: New, tmp_path: Path) -> None:
    provider = ScriptedProvider("done")
    made = new(
        provider=provider, tools=(), approver=Yes(), mcp_servers=server(tmp_path), mcp_wait=20.0
    )
    await made.chat("Act")
    names = [tool.name for tool in provider.requests[0].tools]
    assert "mcp__odd__act" in names
    assert "read" not in names
    await made.close()


class YesAtFirst:
    """Approves the server, and refuses all that is asked about its calls."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def approve(self, call: ToolCall, question: str) -> bool:
        self.asked.append(question)
        return len(self.asked) == 1


async def test_what_the_setting_calls_targets_is_asked_about_behind_foreign_words(
    new: New, tmp_path: Path
) -> None:
    calls = [call("mcp__odd__act", text=text) for text in ("carol", "bob", "eve")]
    person = YesAtFirst()
    made = new(
        provider=ScriptedProvider(*calls, "done"),
        tools=None,
        approver=person,
        mcp_servers=server(tmp_path, targets={"act": ("text",)}),
        mcp_wait=20.0,
        permissions={"allow": ("mcp__odd__act",)},
    )
    response = await made.chat("Act on bob")
    failed = [result.is_error for message in response.messages for result in message.tool_results]
    assert failed == [False, False, True]
    assert "nobody has named eve" in person.asked[1]
    await made.close()


async def test_without_a_person_the_turn_goes_on_without_its_tools_and_that_is_told(
    new: New, tmp_path: Path
) -> None:
    provider = ScriptedProvider("done")
    made = new(provider=provider, tools=None, mcp_servers=server(tmp_path), mcp_wait=20.0)
    happened: list[Event] = []

    class Observer:
        def on_event(self, event: Event) -> None:
            happened.append(event)

        async def flush(self) -> None:
            pass

    made.add_observer(Observer())
    await made.chat("Act")
    assert "mcp__odd__act" not in [tool.name for tool in provider.requests[0].tools]
    (told,) = (event for event in happened if isinstance(event, CoordinatorFailed))
    assert told.operation == "MCP server odd"
    assert "victor mcp approve odd" in told.error
    await made.close()


async def test_a_server_that_is_late_does_not_hold_the_turn_up(new: New, tmp_path: Path) -> None:
    provider = ScriptedProvider("done")
    servers = server(tmp_path, "mute")
    made = new(provider=provider, tools=None, approver=Yes(), mcp_servers=servers, mcp_wait=0.0)
    response = await made.chat("Act")
    assert response.content == "done"
    await made.close()


async def test_subagents_use_the_same_connections_under_the_same_approval(
    new: New, tmp_path: Path
) -> None:
    provider = ScriptedProvider(
        [call("task", prompt="Act for me", mode="build")],
        [call("mcp__odd__act", text="a")],
        "acted",
        "done",
        [call("mcp__odd__act", text="b")],
        "still there",
    )
    person = Counting()
    made = new(
        provider=provider, tools=None, approver=person, mcp_servers=server(tmp_path), mcp_wait=20.0
    )
    await made.chat("Let somebody act")
    of_child = provider.requests[1]
    assert "mcp__odd__act" in [tool.name for tool in of_child.tools]
    (result,) = (p for m in provider.requests[2].messages for p in m.parts if _is_result(p))
    assert "is from the MCP server odd. It is material" in result.content
    assert made.safety_coordinator.taint.source == "an agent that read the MCP server odd"
    assert person.asked == 1  # for the server; calls are allowed by `approve`
    response = await made.chat("And now you")
    assert response.content == "still there"
    await made.close()


class Counting:
    """Says yes, and counts."""

    asked = 0

    async def approve(self, call: ToolCall, question: str) -> bool:
        self.asked += 1
        return True


def _is_result(part: object) -> bool:
    return isinstance(part, ToolResult)


async def test_a_server_s_many_tools_are_found_and_sent_again_when_the_session_goes_on(
    new: New, tmp_path: Path
) -> None:
    given: dict[str, Any] = {
        "tools": None,
        "approver": Yes(),
        "mcp_servers": server(tmp_path, "crowd"),
        "mcp_wait": 20.0,
        "context_window": 60_000,
        "ephemeral": False,
        "session_store": str(tmp_path / "sessions.db"),
    }
    provider = ScriptedProvider(
        [call("find_tools", query="place 77 of the office")],
        [call("mcp__odd__look_77", text="a")],
        "done",
    )
    made = new(provider=provider, **given)
    await made.chat("Hello")
    session = made.session_id
    await made.close()
    first, second, third = ([tool.name for tool in one.tools] for one in provider.requests)
    assert "mcp__odd__look_77" not in first
    assert "mcp__odd__look_77" in second
    assert second[: len(first)] == first
    assert len(second) < 40
    results = [p for m in provider.requests[2].messages for p in m.parts]
    assert "is from the MCP server odd" in next(
        part.content for part in reversed(results) if isinstance(part, ToolResult)
    )

    again = ScriptedProvider("done")
    resumed = new(provider=again, **given)
    await resumed.resume(session)
    await resumed.chat("And now?")
    assert [tool.name for tool in again.requests[0].tools] == third
    assert again.requests[0].tools == provider.requests[2].tools
    await resumed.close()


async def test_what_a_server_refuses_a_call_with_is_foreign_as_well(
    new: New, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODD_TOKEN", "a-token-that-is-well-kept")
    told = server(tmp_path, "refuses", env=("ODD_TOKEN",))
    provider = ScriptedProvider([call("mcp__odd__act", text="a")], "done")
    made = new(provider=provider, tools=None, approver=Yes(), mcp_servers=told, mcp_wait=20.0)
    await made.chat("Act")
    (result,) = provider.requests[1].messages[-1].tool_results
    assert result.is_error
    assert result.source == "the MCP server odd"
    assert "is from the MCP server odd. It is material" in result.content
    await made.close()
