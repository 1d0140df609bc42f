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


async def test_thirty_turns_with_modes_tools_and_a_compaction_keep_the_front(
    new: New, workspace: Path
) -> None:
    (workspace / "AGENTS.md").write_text("Be kind.")
    replies = [[call(SUBJECTS[turn % 8])] if turn % 3 == 0 else "word " * 150 for turn in range(42)]
    provider = ScriptedProvider(*replies, "done", repeat=True)
    heard = RecordingObserver()
    made = new(
        provider=provider,
        tools=tuple(map(Subject, SUBJECTS)),
        max_tools=4,
        tool_selection_strategy="keyword",
        context_compaction_strategy="truncation",
        context_window=8_000,
        max_output_tokens=1_000,
    )
    made.add_observer(heard)
    compacted_before = set()
    for turn in range(30):
        if turn == 8:
            made.set_mode(Mode.PLAN)
        if turn == 16:
            made.set_mode(Mode.BUILD)
        # Six tools that are wanted one after the other, and four places for them.
        await made.chat(f"Tell me about {SUBJECTS[min(turn // 4, 5)]}. " + "more " * 40)
        compactions = sum(isinstance(event, ContextCompacted) for event in heard.events)
        compacted_before.add((compactions, len(provider.requests)))

    firsts = {
        min(asked for count, asked in compacted_before if count == compactions)
        for compactions in {count for count, _ in compacted_before} - {0}
    }
    assert len(firsts) == 1, "the session was to be compacted once"
    assert {len(request.tools) for request in provider.requests} == {2, 3, 4}
    pairs = list(zip(provider.requests, provider.requests[1:], strict=False))
    same_tools = [
        (before, after)
        for before, after in pairs
        if before.tools == after.tools and len(after.messages) > len(before.messages)
    ]
    assert len(same_tools) >= len(pairs) - 4
    assert min(kept(before, after) for before, after in same_tools) >= 0.95
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
