"""The front of what is sent stays the same bytes, so that a vendor's cache holds.

What changes during a session, such as the mode, the branch, or what is said of a folder, is told
behind the conversation.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.events import ContextCompacted
from victor.messages import Message, Request, ToolResult, ToolSpec
from victor.protocols import Mode, ToolEnvironment, ToolOutput
from victor.testing import RecordingObserver, ScriptedProvider, call

pytestmark = pytest.mark.anyio

New = Callable[..., AgentOrchestrator]

SUBJECTS = ("weather", "mail", "music", "maps", "stocks", "recipes", "flights", "hotels")


class Subject:
    """A tool about one subject."""

    def __init__(self, name: str) -> None:
        self.spec = ToolSpec(name, f"Find out about {name}.", {"type": "object", "properties": {}})

    def paths(self, arguments: Any, environment: ToolEnvironment) -> tuple[Path, ...]:
        return ()

    async def run(self, arguments: Any, environment: ToolEnvironment) -> ToolOutput:
        return ToolOutput(f"all of {self.spec.name}")


def sent(request: Request) -> str:
    """Return a request as vendors cache it: tools, then the system prompt, then the messages."""
    parts = (request.tools, request.system, *request.messages)
    return "\n".join(json.dumps(repr(part)) for part in parts)


def kept(before: Request, after: Request) -> float:
    """Return the share of what was sent before that the next request begins with."""
    first, second = sent(before), sent(after)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    return sum(1 for _ in same) / len(first)


def text_of(message: Message) -> str:
    return "".join(
        part.content if isinstance(part, ToolResult) else getattr(part, "text", "")
        for part in message.parts
    )


def turns_of(searched: dict[int, str]) -> list[Any]:
    """Return what a model says in 30 turns: in some it searches for a tool, and then calls it."""
    replies: list[Any] = []
    for turn in range(30):
        if subject := searched.get(turn):
            replies += [[call("find_tools", query=subject)], [call(subject)]]
        elif turn % 3 == 0:
            replies.append([call(SUBJECTS[0])])
        replies.append("word " * 150)
    return replies


async def test_thirty_turns_with_modes_tools_and_a_compaction_keep_the_front(
    new: New, workspace: Path
) -> None:
    (workspace / "AGENTS.md").write_text("Be kind.")
    searched = {4: "music", 12: "stocks", 20: "flights", 21: "music"}
    provider = ScriptedProvider(*turns_of(searched))
    heard = RecordingObserver()
    made = new(
        provider=provider,
        tools=tuple(map(Subject, SUBJECTS)),
        max_tools=7,
        tool_selection_strategy="keyword",
        context_compaction_strategy="truncation",
        context_window=9_500,
        max_output_tokens=1_000,
    )
    made.add_observer(heard)
    compacted_before = set()
    for turn in range(30):
        if turn == 8:
            made.set_mode(Mode.PLAN)
        if turn == 16:
            made.set_mode(Mode.BUILD)
        # What the person speaks of changes; what the model is told of does not, unless it searches.
        await made.chat(f"Tell me of {SUBJECTS[min(turn // 4, 7)]}. " + "more " * 40)
        compactions = sum(isinstance(event, ContextCompacted) for event in heard.events)
        compacted_before.add((compactions, len(provider.requests)))

    firsts = {
        min(asked for count, asked in compacted_before if count == compactions)
        for compactions in {count for count, _ in compacted_before} - {0}
    }
    assert len(firsts) == 1, "the session was to be compacted once"
    names = [tuple(tool.name for tool in request.tools) for request in provider.requests]
    assert names[0] == ("find_tools", "weather")
    assert names[-1] == (*names[0], "music", "stocks", "flights")
    pairs = list(zip(provider.requests, provider.requests[1:], strict=False))
    grown = [(before, after) for before, after in pairs if before.tools != after.tools]
    assert len(grown) == 3, "a tool that was found already is there"
    assert all(after.tools[: len(before.tools)] == before.tools for before, after in grown)
    others = [
        (before, after)
        for before, after in pairs
        if before.tools == after.tools and len(after.messages) > len(before.messages)
    ]
    assert len(others) >= len(pairs) - 4
    assert min(kept(before, after) for before, after in others) >= 0.95
    assert len({request.system for request in provider.requests}) == 1


async def test_another_process_that_resumes_sends_the_same_front(
    new: New, workspace: Path, tmp_path: Path
) -> None:
    (workspace / "AGENTS.md").write_text("Be kind.")
    store = str(tmp_path / "sessions.db")
    first = ScriptedProvider("one", "two", name="scripted")
    made = new(provider=first, ephemeral=False, session_store=store)
    await made.chat("hello")
    await made.chat("again")
    session = made.session_id
    await made.close()

    second = ScriptedProvider("three")
    resumed = new(provider=second, ephemeral=False, session_store=store)
    await resumed.resume(session)
    await resumed.chat("more")
    await resumed.close()

    assert kept(first.requests[-1], second.requests[0]) >= 0.95


async def test_another_process_that_resumes_sends_the_tools_that_were_found(
    new: New, tmp_path: Path
) -> None:
    store = str(tmp_path / "sessions.db")
    given: dict[str, Any] = {
        "tools": tuple(map(Subject, SUBJECTS)),
        "max_tools": 6,
        "tool_selection_strategy": "keyword",
        "ephemeral": False,
        "session_store": store,
    }
    first = ScriptedProvider(
        [call("find_tools", query="music")], [call("maps")], "done", name="scripted"
    )
    made = new(provider=first, **given)
    await made.chat("Tell me of the weather")
    session = made.session_id
    await made.close()

    second = ScriptedProvider("more")
    resumed = new(provider=second, **given)
    await resumed.resume(session)
    await resumed.chat("Now of hotels and flights")
    explained = await resumed.explain("tools")
    await resumed.close()

    sent = [tool.name for tool in second.requests[0].tools]
    assert sent == ["find_tools", "weather", "music", "maps"]
    assert second.requests[0].tools == first.requests[-1].tools
    assert kept(first.requests[-1], second.requests[0]) >= 0.95
    why = {part.name: part.why for part in explained.parts}
    assert why["weather"].startswith("chosen by the words of turn 1")
    assert why["music"].startswith("found by the search 'music' of turn 1")
    assert why["maps"] == "called by its name in turn 1"
    assert why["hotels"].startswith("deferred; by the words of turn 1: ")
    assert explained.facts["not offered"] == 5


async def test_a_folder_s_instructions_come_with_the_first_file_read_there(
    new: New, workspace: Path
) -> None:
    (workspace / "sub").mkdir()
    (workspace / "sub/AGENTS.md").write_text("Tabs, please.")
    (workspace / "sub/one.py").write_text("1\n")
    provider = ScriptedProvider(
        [call("read", path="sub/one.py")], [call("read", path="sub/one.py")], "done"
    )
    made = new(provider=provider)

    await made.chat("Read it")

    first, second = (
        text_of(message)
        for message in provider.requests[-1].messages
        if any(isinstance(part, ToolResult) for part in message.parts)
    )
    assert "Tabs, please." in first
    assert "Tabs, please." not in second
    assert all("Tabs" not in request.system for request in provider.requests)


async def test_a_switch_of_branch_is_told_behind_the_user_s_words(
    new: New, workspace: Path
) -> None:
    (workspace / ".git").mkdir()
    (workspace / ".git/HEAD").write_text("ref: refs/heads/main")
    provider = ScriptedProvider("one", "two")
    made = new(provider=provider)
    await made.chat("first")
    (workspace / ".git/HEAD").write_text("ref: refs/heads/side")
    await made.chat("second")

    last = provider.requests[-1]
    assert text_of(last.messages[-1]) == "second\n\n[git: on side]"
    assert last.system == provider.requests[0].system
