from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from victor.agent.coordinators.tool_selection_coordinator import (
    ToolSelectionCoordinator,
    register_tool_selection_strategy,
)
from victor.errors import ConfigError, UnknownNameError
from victor.messages import ToolSpec
from victor.protocols import ScoredTool
from victor.protocols.selection import tool_selection_strategies
from victor.selection import strategies

pytestmark = pytest.mark.anyio

SUBJECTS = ("weather", "mail", "music", "maps", "stocks", "recipes", "flights", "hotels")


def tool(name: str, description: str = "") -> ToolSpec:
    return ToolSpec(name, description, {})


TOOLS = tuple(tool(f"{name}_tool", f"Find out about {name}.") for name in SUBJECTS)


def names(tools: tuple[ToolSpec, ...]) -> list[str]:
    return [one.name.removesuffix("_tool") for one in tools]


class ByLength:
    def rank(self, task: str, tools: tuple[ToolSpec, ...]) -> tuple[ScoredTool, ...]:
        ranked = sorted(tools, key=lambda one: len(one.name))
        return tuple(ScoredTool(one, 1 / len(one.name), "short name") for one in ranked)


@pytest.fixture
def registered() -> Iterator[None]:
    register_tool_selection_strategy("custom", ByLength)
    yield
    tool_selection_strategies.unregister("custom")


async def test_all_tools_are_offered_as_they_were_given() -> None:
    selection = ToolSelectionCoordinator()

    assert await selection.select("hello", TOOLS) is TOOLS
    assert await selection.select("another task", TOOLS) is TOOLS


async def test_all_is_capped_by_the_limit() -> None:
    selection = ToolSelectionCoordinator(limit=3)

    first = await selection.select("hello", TOOLS)

    assert names(first) == ["weather", "mail", "music"]
    assert await selection.select("about hotels", TOOLS) is first
    assert [one.offered for one in selection.explain()] == [True] * 3 + [False] * 5


@pytest.mark.parametrize("name", ["hybrid", "keyword"])
async def test_what_fits_the_limit_is_offered_whole_whatever_the_strategy(name: str) -> None:
    selection = ToolSelectionCoordinator(name, strategies=strategies(), limit=8)

    assert await selection.select("about hotels", TOOLS) is TOOLS
    assert {one.reason for one in selection.explain()} == {"all are offered"}


@pytest.mark.parametrize("name", ["hybrid", "keyword"])
async def test_the_choice_is_filled_up_with_what_was_given_first(name: str) -> None:
    selection = ToolSelectionCoordinator(name, strategies=strategies(), limit=6)

    assert names(await selection.select("book hotels", TOOLS)) == ["hotels", "weather", "mail"]


async def test_later_tasks_add_at_the_end_and_take_nothing_away() -> None:
    selection = ToolSelectionCoordinator("keyword", strategies=strategies(), limit=6)

    first = await selection.select("book hotels", TOOLS)
    assert await selection.select("book hotels", TOOLS) is first
    second = await selection.select("book flights", TOOLS)
    third = await selection.select("and the hotels?", TOOLS)

    assert second == (*first, TOOLS[6])
    assert third == second
    for task in ("stocks", "recipes", "music", "maps"):
        offered = await selection.select(task, TOOLS)
    assert names(offered) == ["hotels", "weather", "mail", "flights", "stocks", "recipes"]


async def test_candidates_have_score_reason_and_whether_they_are_offered() -> None:
    selection = ToolSelectionCoordinator("keyword", strategies=strategies(), limit=2)
    await selection.select("book hotels", TOOLS)

    best, *others = selection.explain()

    assert (best.name, best.offered) == ("hotels_tool", True)
    assert best.score > 0
    assert "hotel" in best.reason
    assert [one.offered for one in others] == [False] * 7


async def test_tools_that_come_are_added_and_those_that_go_leave_no_hole() -> None:
    selection = ToolSelectionCoordinator()
    await selection.select("hello", TOOLS[:3])

    offered = await selection.select("hello", (tool("fresh"), *TOOLS[1:3]))

    assert names(offered) == ["mail", "music", "fresh"]


async def test_a_tool_that_changed_is_offered_as_it_is_now() -> None:
    selection = ToolSelectionCoordinator()
    await selection.select("hello", TOOLS)
    changed = (tool("weather_tool", "Now with wind."), *TOOLS[1:])

    assert await selection.select("hello", changed) == changed


async def test_another_session_starts_with_a_choice_of_its_own() -> None:
    selection = ToolSelectionCoordinator("keyword", strategies=strategies(), limit=2)
    await selection.select("book hotels", TOOLS)
    selection.reset()

    assert selection.explain() == ()
    assert names(await selection.select("book flights", TOOLS)) == ["flights"]


@pytest.mark.usefixtures("registered")
async def test_a_strategy_of_one_s_own_is_chosen_by_name() -> None:
    selection = ToolSelectionCoordinator("custom", limit=4)

    assert names(await selection.select("whatever", TOOLS)) == ["mail", "maps"]


async def test_a_strategy_given_as_an_object_is_not_replaced_by_the_settings() -> None:
    selection = ToolSelectionCoordinator(ByLength(), limit=4)
    selection.configure({"tool_selection_strategy": "all", "max_tools": 2})

    assert selection.strategy == "ByLength"
    assert names(await selection.select("whatever", TOOLS)) == ["mail"]


async def test_settings_choose_strategy_and_limit() -> None:
    selection = ToolSelectionCoordinator(strategies=strategies())
    await selection.select("book hotels", TOOLS)

    selection.configure({"tool_selection_strategy": "keyword", "max_tools": 4})
    assert selection.strategy == "keyword"
    assert names(await selection.select("book hotels", TOOLS)) == names(TOOLS[:4])

    selection.configure({})
    assert selection.strategy == "keyword"


def test_unknown_strategies_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="register_tool_selection_strategy") as unknown:
        ToolSelectionCoordinator("keywords", strategies=strategies())
    assert set(unknown.value.known) >= {"all", "keyword", "hybrid"}


@pytest.mark.parametrize("limit", [0, -1, "many", True, 2.5])
def test_a_bad_limit_is_refused_and_the_old_settings_stay(limit: object) -> None:
    selection = ToolSelectionCoordinator(strategies=strategies())

    with pytest.raises(ConfigError, match="max_tools"):
        selection.configure({"tool_selection_strategy": "keyword", "max_tools": limit})
    assert selection.strategy == "all"


@settings(max_examples=40, deadline=None, database=None)
@given(
    tasks=st.lists(st.lists(st.sampled_from(SUBJECTS), max_size=3).map(" ".join), max_size=8),
    limit=st.integers(1, 9),
    name=st.sampled_from(["all", "keyword", "hybrid"]),
)
def test_the_list_only_grows_at_its_end_and_never_beyond_the_limit(
    tasks: list[str], limit: int, name: str
) -> None:
    selection = ToolSelectionCoordinator(name, strategies=strategies(), limit=limit)
    before: tuple[ToolSpec, ...] = ()
    for task in tasks:
        offered = asyncio.run(selection.select(task, TOOLS))
        assert offered[: len(before)] == before
        assert 0 < len(offered) <= limit
        before = offered
