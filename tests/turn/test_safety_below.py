"""What holds for a conversation holds for the agents that it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from victor import AgentOrchestrator, Settings
from victor.agent.coordinators import SafetyCoordinator
from victor.messages import ToolCall, ToolResult
from victor.protocols import Allow, Ask, CallReview, Deny, Mode, Verdict
from victor.testing import ScriptedProvider, call

pytestmark = pytest.mark.anyio

DENY = {"deny": ("read(key.txt)",)}


class NoKeys:
    """A safety check of an application's own."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.learned: list[ToolResult] = []

    async def review(self, reviews: tuple[CallReview, ...], mode: Mode) -> tuple[Verdict, ...]:
        return tuple(
            Ask("May it?", "a key") if "key.txt" in one.access.paths else Allow("no key")
            for one in reviews
        )

    async def ask(self, call: ToolCall, verdict: Ask) -> Deny:
        return Deny("the application says no")

    def hear(self, words: str) -> None:
        self.heard.append(words)

    def learn(self, results: tuple[ToolResult, ...]) -> None:
        self.learned += results


async def told_below(workspace: Path, **more: Any) -> str:
    """Return what an agent is told that another one has started, and that reads a key."""
    (workspace / "key.txt").write_text("the-secret")
    script = (call("task", prompt="Look"), call("read", path="key.txt"), "Looked.", "Done.")
    provider = ScriptedProvider(*script)
    settings = Settings(ephemeral=True, sandbox="none")
    async with AgentOrchestrator(settings, provider, workspace=workspace, **more) as one:
        await one.chat("Have a look")
    (result,) = provider.requests[2].messages[-1].tool_results
    return result.content


async def test_rules_of_an_application_hold_below_too(tmp_path: Path) -> None:
    safety = SafetyCoordinator(DENY)
    assert "rule deny read(key.txt)" in await told_below(tmp_path, safety_coordinator=safety)
    assert "the-secret" in await told_below(tmp_path)


async def test_who_is_asked_no_more_is_not_asked_below_either(tmp_path: Path) -> None:
    script = (call("task", prompt="Do it", mode="build"), call("write", path="x", content="1"))
    settings = Settings(ephemeral=True, sandbox="none", approve="always")
    provider = ScriptedProvider(*script, "No.", "Done.")
    async with AgentOrchestrator(settings, provider, workspace=tmp_path) as one:
        one.config_coordinator.set("approve", "never", source="a test")
        await one.chat("Do it")
    assert not (tmp_path / "x").exists()


async def test_a_safety_check_of_an_application_is_asked_below_too(tmp_path: Path) -> None:
    safety = NoKeys()
    told = await told_below(tmp_path, safety_coordinator=safety)
    assert told == "not allowed: the application says no"
    assert safety.heard == ["Have a look"]


async def test_a_check_that_only_adds_to_victors_own_is_asked_below_too(tmp_path: Path) -> None:
    class Stricter(SafetyCoordinator):
        async def review(self, reviews: tuple[CallReview, ...], mode: Mode) -> tuple[Verdict, ...]:
            verdicts = await super().review(reviews, mode)
            return tuple(
                Deny("never") if one.call.name == "read" else verdict
                for one, verdict in zip(reviews, verdicts, strict=True)
            )

    assert "not allowed: never" in await told_below(tmp_path, safety_coordinator=Stricter())


async def test_what_is_read_below_is_learned_above(tmp_path: Path) -> None:
    from victor.agent.subagents import SafetyOfParent

    safety = NoKeys()
    below = SafetyOfParent(safety)
    below.learn((ToolResult("1", "x", source="a page"),))
    assert [one.source for one in safety.learned] == ["a page"]
    assert not hasattr(below, "hear")
