"""The plan on the command line, against a server on this machine."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.messages import ToolCall
from victor.testing import ScriptedProvider
from victor.testing.loopback import LoopbackReply, OpenAILoopback

pytestmark = pytest.mark.slow

Said = Callable[..., tuple[int, str, str]]
Serve = Callable[..., AbstractContextManager[OpenAILoopback]]
PLAN = "# Plan\n\n1. Mend `a.py`.\n"


@pytest.fixture
def server(serve: Serve) -> Iterator[OpenAILoopback]:
    with serve(otherwise="Done.") as running:
        yield running


@pytest.fixture
def victor(
    server: OpenAILoopback, said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Said:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("VICTOR_HOME", str(tmp_path / "home"))
    return said


@pytest.fixture
def planned(victor: Said, tmp_path: Path) -> str:
    """The id of a session in which a plan was made."""
    file = Path(os.path.realpath(tmp_path / "home")) / "outputs" / "s1" / "plan.md"
    write = ToolCall("w", "write", {"path": str(file), "content": PLAN})
    provider = ScriptedProvider(write, "I wrote the plan.")
    settings = Settings(mode="plan")

    async def plan() -> None:
        async with AgentOrchestrator(settings, provider, "m", session_id="s1") as orchestrator:
            await orchestrator.chat("Mend it")

    asyncio.run(plan())
    return "s1"


def said_to(server: OpenAILoopback) -> str:
    """What the user's last message was, as the vendor got it."""
    messages: list[Any] = server.requests[-1]["messages"]
    return json.dumps(messages[-1])


def test_the_plan_of_a_session_is_shown(planned: str, victor: Said) -> None:
    assert victor("sessions", "plan")[:2] == (0, PLAN)
    code, out, _ = victor("sessions", "plan", planned, "--json")
    told = json.loads(out)
    assert (code, told["text"], told["approved"]) == (0, PLAN, False)


def test_where_there_is_none_it_says_how_to_have_one_made(victor: Said) -> None:
    victor("chat", "Hello")
    code, out, err = victor("sessions", "plan")
    assert (code, out) == (0, "")
    assert "--mode plan" in err
    code, _, err = victor("chat", "--resume", "--build-plan", "Go")
    assert code == 1
    assert "no plan to build" in err


def test_to_ask_for_the_plan_to_be_built_is_the_persons_word(
    planned: str, victor: Said, server: OpenAILoopback
) -> None:
    code, out, err = victor("chat", "--resume", planned, "--build-plan", "Go ahead")
    assert (code, out) == (0, "Done.\n")
    assert "The plan is handed over" in err
    assert "Go ahead" in said_to(server)
    assert "Mend `a.py`" in said_to(server)
    assert "Mode: build" in said_to(server)


def test_a_plan_to_be_built_is_that_of_a_recorded_session(victor: Said) -> None:
    code, _, err = victor("chat", "--build-plan", "Go")
    assert code == 2
    assert "give --resume" in err


def test_the_plan_follows_the_answer_in_a_pipe_and_is_an_event_in_json(
    victor: Said, server: OpenAILoopback, tmp_path: Path
) -> None:
    def write(request: Any) -> Any:
        told = request["messages"][-1]["content"]
        text = told if isinstance(told, str) else "".join(part["text"] for part in told)
        path = text.partition("may change: ")[2].partition(". Write")[0]
        return LoopbackReply(calls=(ToolCall("w", "write", {"path": path, "content": PLAN}),))

    server.add(write, "I wrote it.")
    code, out, err = victor("chat", "--mode", "plan", "Mend it")
    assert (code, out) == (0, f"I wrote it.\n\n{PLAN}")
    assert err.endswith("`victor chat --resume --build-plan` hands the plan over.\n")
    server.add(write, "I wrote it.")
    code, out, _ = victor("chat", "--mode", "plan", "--json", "Mend it")
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["text"] for event in events if event["event"] == "plan_written"] == [PLAN]
    assert list((tmp_path / "work").iterdir()) == []


def test_words_behind_resume_are_the_message_to_the_last_session(
    victor: Said, server: OpenAILoopback
) -> None:
    victor("chat", "Hello")
    assert victor("chat", "--resume", "Now mend it")[:2] == (0, "Done.\n")
    assert len(server.requests[-1]["messages"]) == 4
    assert "Now mend it" in said_to(server)
    code, _, err = victor("chat", "--resume", "continue")
    assert code == 2
    assert "victor chat --resume last continue" in err
    code, _, err = victor("chat", "--resume", "continue", "with", "it")
    assert code == 1
    assert "victor chat --resume last continue" in err
