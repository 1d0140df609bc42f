"""Whether the tool that is wanted is among those offered, on public questions and tools.

The questions are data of the package `bfcl-eval`; none of its code is imported.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from victor.agent.coordinators.tool_selection_coordinator import ToolSelectionCoordinator
from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.embedding import text_likeness
from victor.messages import ToolSpec
from victor.protocols import ToolEnvironment, ToolOutput
from victor.protocols.selection import FIND_TOOLS
from victor.selection import strategies
from victor.testing import ScriptedProvider, call
from victor.tokens import of_tool
from victor.tools.find_tools import FindTools

_FOUND = find_spec("bfcl_eval")
if _FOUND is None or not _FOUND.submodule_search_locations:
    pytest.skip("pip install --no-deps bfcl-eval", allow_module_level=True)
_DATA = Path(_FOUND.submodule_search_locations[0]) / "data"
_TOOLS_AT_LEAST = 200
_QUESTIONS_AT_LEAST = 300


class Question(NamedTuple):
    text: str
    wanted: frozenset[str]


class Recall(NamedTuple):
    at_5: float
    at_10: float


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (_DATA / name).read_text("utf-8").splitlines()]


def _questions() -> tuple[tuple[ToolSpec, ...], list[Question]]:
    """Return all tools of both sets together, and the questions with the names that they want."""
    tools: dict[str, ToolSpec] = {}
    questions = []
    for kind in ("live_multiple", "multiple"):
        answers = {
            one["id"]: one["ground_truth"] for one in _lines(f"possible_answer/BFCL_v4_{kind}.json")
        }
        for one in _lines(f"BFCL_v4_{kind}.json"):
            for function in one["function"]:
                name, about = function["name"], function["description"]
                tools.setdefault(name, ToolSpec(name, about, function["parameters"]))
            said = " ".join(m["content"] for m in one["question"][-1] if m["role"] == "user")
            wanted = frozenset(name for call in answers[one["id"]] for name in call)
            questions.append(Question(said, wanted))
    return tuple(tools.values()), questions


@pytest.fixture(scope="module")
def recalls() -> dict[str, Recall]:
    tools, questions = _questions()
    questions = questions[::2]  # which is enough for the margins that are asserted
    assert len(tools) >= _TOOLS_AT_LEAST
    assert len(questions) >= _QUESTIONS_AT_LEAST
    found = {}
    for name, make in strategies(text_likeness).items():
        strategy = make()
        at = {5: 0.0, 10: 0.0}
        for question in questions:
            ranked = [one.tool.name for one in strategy.rank(question.text, tools)[:10]]
            for most in at:
                at[most] += len(question.wanted & set(ranked[:most])) / len(question.wanted)
        found[name] = Recall(at[5] / len(questions), at[10] / len(questions))
        print(f"{name:8} recall@5 {found[name].at_5:.3f} @10 {found[name].at_10:.3f}")
    return found


def test_words_and_meaning_together_miss_a_quarter_fewer_tools_than_words_alone(
    recalls: dict[str, Recall],
) -> None:
    hybrid, keyword = recalls["hybrid"], recalls["keyword"]

    assert 1 - hybrid.at_5 < 0.75 * (1 - keyword.at_5)
    assert 1 - hybrid.at_10 < 0.75 * (1 - keyword.at_10)


def test_neither_part_of_the_hybrid_is_there_for_nothing(recalls: dict[str, Recall]) -> None:
    assert recalls["hybrid"].at_5 > max(recalls["keyword"].at_5, recalls["semantic"].at_5)


async def _sent_after_one_search(strategy: str) -> float:
    """Return for how many of the questions the wanted tools are sent once they were searched."""
    tools, questions = _questions()
    every = (*tools, FindTools.spec)
    selection = ToolSelectionCoordinator(strategy, strategies=strategies(text_likeness))
    some, sent = questions[::3], 0.0
    for question in some:
        found = await selection.find(question.text, every)
        names = {one.tool.name for one in found.tools}
        sent += len(question.wanted & names) / len(question.wanted)
    print(f"sent after one search by {strategy:8} {sent / len(some):.3f} of {len(some)} questions")
    return sent / len(some)


@pytest.mark.anyio
async def test_one_search_brings_the_wanted_tool_more_often_than_words_alone_would() -> None:
    by_words = await _sent_after_one_search("keyword")
    by_both = await _sent_after_one_search("hybrid")
    assert by_both > 0.85
    assert 1 - by_both < 0.8 * (1 - by_words)


@pytest.mark.anyio
async def test_a_model_that_searches_a_thousand_tools_is_told_of_a_few(tmp_path: Path) -> None:
    tools, questions = _questions()
    asked = questions[::40]
    replies: list[Any] = []
    for question in asked:
        replies += [[call(FIND_TOOLS, query=question.text[:500])], "Found."]
    provider = ScriptedProvider(*replies)
    given = tuple(_Listed(tool) for tool in tools)
    settings = Settings(ephemeral=True, context_window=200_000)
    missed = 0
    async with AgentOrchestrator(
        settings, provider, "m", tools=given, workspace=tmp_path
    ) as orchestrator:
        for question in asked:
            await orchestrator.chat("Go on")
            names = {tool.name for tool in provider.requests[-1].tools}
            missed += not question.wanted <= names
    sizes = [sum(map(of_tool, request.tools)) for request in provider.requests]
    counts = [len(request.tools) for request in provider.requests]
    print(
        f"{len(tools)} tools of {sum(map(of_tool, tools)):,} tokens: {len(asked)} searches in a"
        f" session, {missed} missed; sent {counts[0]} to {max(counts)} tools,"
        f" {sizes[0]:,} to {max(sizes):,} tokens"
    )
    assert sizes[0] < 10_000
    assert max(sizes) < 20_000 + of_tool(provider.requests[0].tools[0])
    assert missed <= len(asked) // 5


class _Listed:
    """A tool of the set; nobody calls it."""

    def __init__(self, spec: ToolSpec) -> None:
        self.spec = spec

    def paths(self, arguments: Any, environment: ToolEnvironment) -> tuple[Path, ...]:
        raise NotImplementedError

    async def run(self, arguments: Any, environment: ToolEnvironment) -> ToolOutput:
        raise NotImplementedError
