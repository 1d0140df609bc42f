from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from victor.agent.coordinators.tool_selection_coordinator import (
    CHOSEN_AT_ONCE,
    FOUND_AT_ONCE,
    Candidate,
    ToolSelectionCoordinator,
    register_tool_selection_strategy,
)
from victor.errors import ConfigError, UnknownNameError
from victor.messages import ToolSpec
from victor.protocols import ScoredTool
from victor.protocols.selection import FIND_TOOLS, tool_selection_strategies
from victor.selection import strategies
from victor.tokens import of_tool
from victor.tools.find_tools import FindTools

pytestmark = pytest.mark.anyio

SUBJECTS = ("weather", "mail", "music", "maps", "stocks", "recipes", "flights", "hotels")
FIND = FindTools.spec


def tool(name: str, description: str = "", **more: Any) -> ToolSpec:
    return ToolSpec(name, description, {}, **more)


TOOLS = tuple(tool(f"{name}_tool", f"Find out about {name}.") for name in SUBJECTS)
READ = tool("read", "Read a file.", essential=True)
MANY = (READ, *TOOLS, FIND)
LONG = tuple(tool(f"{name}_tool", f"Find out about {name}. " * 40) for name in SUBJECTS)
"""Some 250 tokens each."""


def names(tools: tuple[ToolSpec, ...]) -> list[str]:
    return [one.name.removesuffix("_tool") for one in tools]


def why(selection: ToolSelectionCoordinator) -> dict[str, str]:
    return {one.name.removesuffix("_tool"): one.reason for one in selection.explain()}


def chosen(limit: int = 8, name: str = "keyword", **more: Any) -> ToolSelectionCoordinator:
    made = ToolSelectionCoordinator(name, strategies=strategies(), limit=limit, **more)
    made.start_turn(1)
    return made


class ByLength:
    def rank(self, task: str, tools: tuple[ToolSpec, ...]) -> tuple[ScoredTool, ...]:
        ranked = sorted(tools, key=lambda one: len(one.name))
        return tuple(ScoredTool(one, 1 / len(one.name), "short name") for one in ranked)


@pytest.fixture
def registered() -> Iterator[None]:
    register_tool_selection_strategy("custom", ByLength)
    yield
    tool_selection_strategies.unregister("custom")


async def test_all_tools_are_sent_as_they_were_given() -> None:
    selection = ToolSelectionCoordinator()

    assert await selection.select("hello", TOOLS) is TOOLS
    assert await selection.select("another task", TOOLS) is TOOLS


async def test_all_is_capped_by_the_limit_and_has_no_use_for_a_search() -> None:
    selection = ToolSelectionCoordinator(limit=3)
    selection.start_turn(1, window=100, most=33)

    first = await selection.select("hello", (*TOOLS, FIND))

    assert names(first) == ["weather", "mail", "music"]
    assert await selection.select("about hotels", (*TOOLS, FIND)) == first
    assert [one.offered for one in selection.explain()] == [True] * 3 + [False] * 5
    assert why(selection)["hotels"] == "more than 3 tools"
    assert (await selection.find("hotels", (*TOOLS, FIND))).tools == ()


@pytest.mark.parametrize("name", ["hybrid", "keyword"])
async def test_what_fits_the_limit_is_sent_whole_and_the_search_is_not(name: str) -> None:
    selection = chosen(8, name)

    assert await selection.select("about hotels", TOOLS) is TOOLS
    assert await selection.select("about hotels", (*TOOLS, FIND)) == TOOLS
    assert set(why(selection).values()) == {"there is room for all"}


@pytest.mark.parametrize("name", ["hybrid", "keyword"])
async def test_the_essential_come_first_then_the_search_then_what_fits_the_words(name: str) -> None:
    selection = chosen(8, name)

    sent = await selection.select("book hotels", MANY)

    assert names(sent)[:3] == ["read", FIND_TOOLS, "hotels"]
    assert len(sent) <= 4  # half of the places are for what is found
    assert why(selection)["read"] == "it is essential"
    assert why(selection)["hotels"].startswith("chosen by the words of turn 1; ")


async def test_patterns_make_tools_essential() -> None:
    selection = chosen(6, essential=("m*_tool",))

    sent = await selection.select("hello", MANY)

    assert names(sent) == ["read", "mail", "music", "maps", FIND_TOOLS]
    selection.configure({"essential_tools": ["stocks_tool"]})
    assert names(await selection.select("hello", MANY))[-1] == "stocks"


async def test_tools_are_deferred_beyond_their_share_of_the_window() -> None:
    tools = (READ, *LONG, FIND)
    total = sum(of_tool(one) for one in tools) - of_tool(FIND)
    roomy, narrow = chosen(40), chosen(40)
    roomy.start_turn(1, window=total * 10, most=total * 3)
    narrow.start_turn(1, window=total * 10 - 10, most=total * 3)

    assert await roomy.select("hello", tools) == tools[:-1]
    assert names(await narrow.select("hello", tools)) == ["read", FIND_TOOLS]
    assert names(await narrow.select("hotels", tools)) == ["read", FIND_TOOLS]
    assert why(narrow)["hotels"].startswith("deferred; by the words of turn 1: ")


async def test_nothing_is_deferred_where_that_spares_next_to_nothing_or_could_not_be_found() -> (
    None
):
    short = (*TOOLS, FIND)
    selection = chosen(40)
    selection.start_turn(1, window=500, most=160)

    assert await selection.select("hello", short) == TOOLS
    assert await selection.select("hello", LONG) == LONG


async def test_the_share_can_be_set() -> None:
    selection = chosen(40, share=1.0)
    selection.start_turn(1, window=10_000, most=3_000)
    assert len(await selection.select("hello", (*LONG, FIND))) == 8

    selection.configure({"tool_window_share": 0.01})
    assert FIND_TOOLS in names(await selection.select("hello", (*LONG, FIND)))


async def test_what_is_found_is_sent_from_then_on_at_the_end() -> None:
    selection = chosen()
    first = await selection.select("book hotels", MANY)
    selection.start_turn(3)

    found = await selection.find("the stocks", MANY)
    second = await selection.select("book hotels", MANY)

    assert [one.tool.name for one in found.tools] == ["stocks_tool"]
    assert second == (*first, TOOLS[4])
    assert await selection.select("another task", MANY) is second
    assert why(selection)["stocks"].startswith(
        "found by the search 'the stocks' of turn 3; shares the words stock"
    )


async def test_the_reason_stays_what_it_was_when_something_else_is_searched() -> None:
    selection = chosen()
    await selection.select("book hotels", MANY)
    before = {one.name: one for one in selection.explain() if one.offered}

    await selection.find("stocks", MANY)
    await selection.select("book hotels", MANY)

    after = {one.name: one for one in selection.explain()}
    assert {name: after[name] for name in before} == before
    assert "by the search 'stocks'" in after["maps_tool"].reason


async def test_tools_are_found_by_their_names_and_nothing_else_then() -> None:
    selection = chosen()
    await selection.select("hello", MANY)

    found = await selection.find("maps_tool, music_tool", MANY)

    assert [one.tool.name for one in found.tools] == ["maps_tool", "music_tool"]
    assert names(await selection.select("hello", MANY))[2:] == ["maps", "music"]
    mixed = await selection.find("maps_tool stocks", MANY)
    assert [one.tool.name for one in mixed.tools] == ["maps_tool", "stocks_tool"]


async def test_a_search_gives_few_and_the_names_of_more() -> None:
    selection = chosen(20)
    many = (*(tool(f"ticket_{number}", "Of a ticket.") for number in range(30)), FIND)
    await selection.select("hello", many)

    found = await selection.find("ticket", many)

    assert len(found.tools) == FOUND_AT_ONCE
    assert found.further == ("ticket_5", "ticket_6", "ticket_7", "ticket_8", "ticket_9")


async def test_a_tool_that_is_called_unsent_is_sent_from_then_on() -> None:
    selection = chosen()
    first = await selection.select("hello", MANY)
    selection.start_turn(2)

    selection.called(("maps_tool", "read", "none_such", FIND_TOOLS))

    assert await selection.select("hello", MANY) == (*first, TOOLS[3])
    assert why(selection)["maps"] == "called by its name in turn 2"


async def test_where_there_is_no_room_the_longest_unused_makes_place() -> None:
    selection = chosen(4)
    await selection.select("hello", MANY)
    for wanted in ("weather", "mail"):
        await selection.find(wanted, MANY)
    assert names(await selection.select("hello", MANY)) == ["read", FIND_TOOLS, "weather", "mail"]

    selection.called(("weather_tool",))
    await selection.find("maps", MANY)

    assert names(await selection.select("hello", MANY)) == ["read", FIND_TOOLS, "weather", "maps"]
    assert why(selection)["mail"].startswith("deferred")


async def test_what_is_found_never_takes_more_than_the_share_beside_the_essential() -> None:
    tools = (READ, *LONG, FIND)
    share = 4 * of_tool(LONG[0])
    selection = chosen(40)
    selection.start_turn(1, window=share * 10, most=share * 3)
    first = await selection.select("hello", tools)
    for subject in SUBJECTS:
        await selection.find(f"{subject}_tool", tools)
        sent = await selection.select("hello", tools)
        assert sum(map(of_tool, sent)) <= share + sum(map(of_tool, first))

    assert names(sent)[:2] == names(first) == ["read", FIND_TOOLS]
    assert 3 <= len(sent[2:]) <= 4
    assert names(sent)[-1] == "hotels"


async def test_only_a_few_that_fit_well_are_sent_unasked() -> None:
    tickets = tuple(tool(f"ticket_{number}", "Of a ticket.") for number in range(40))
    selection = chosen(38)

    sent = await selection.select("a ticket", (*tickets, *TOOLS, FIND))
    assert len(sent) == 1 + CHOSEN_AT_ONCE

    selection.reset()
    sent = await selection.select("a ticket for hotels", (*tickets, *TOOLS, FIND))
    assert names(sent) == [FIND_TOOLS, "hotels"]


async def test_an_essential_tool_that_had_no_place_gets_one_when_it_is_found() -> None:
    selection = chosen(4, essential=("m*_tool",))
    assert names(await selection.select("hello", MANY)) == ["read", "mail", "music", FIND_TOOLS]

    await selection.find("maps_tool", MANY)

    assert names(await selection.select("hello", MANY)) == ["read", "mail", FIND_TOOLS, "maps"]


class Inventive:
    """Ranks what is there behind what is not."""

    def rank(self, task: str, tools: tuple[ToolSpec, ...]) -> tuple[ScoredTool, ...]:
        return tuple(ScoredTool(one, 1.0, "") for one in (tool("dream"), FIND, *tools[:2]))


async def test_a_strategy_cannot_offer_what_there_is_not() -> None:
    selection = ToolSelectionCoordinator(Inventive(), limit=6)

    assert names(await selection.select("hello", MANY)) == ["read", FIND_TOOLS, "weather"]
    found = await selection.find("anything", MANY)
    assert [one.tool.name for one in found.tools] == ["read", "weather_tool"]


async def test_a_small_window_has_room_for_the_search_above_all() -> None:
    tools = (READ, *LONG, FIND)
    selection = chosen(40, essential=("weather_tool", "mail_tool"))
    selection.start_turn(1, window=1_500, most=500)

    sent = await selection.select("hello", tools)

    assert names(sent) == ["read", "weather", FIND_TOOLS]


async def test_more_tools_that_come_later_are_deferred_and_nothing_is_taken_away() -> None:
    selection = chosen(6)
    first = await selection.select("hello", (READ, *TOOLS[:4], FIND))
    assert len(first) == 5

    second = await selection.select("hello", MANY)

    assert second[:5] == first
    assert [one.name for one in second[5:]] == [FIND_TOOLS]


async def test_the_search_names_all_that_it_can_find_whatever_was_found() -> None:
    selection = chosen()
    first = await selection.select("hello", MANY)
    await selection.find("maps", MANY)
    second = await selection.select("hello", MANY)

    assert first[1].description == second[1].description
    assert "weather_tool, mail_tool, music_tool" in first[1].description
    assert "read" not in first[1].description.partition("There are:")[2]


async def test_a_resumed_session_sends_the_same_in_the_same_order() -> None:
    selection = chosen()
    await selection.select("book hotels", MANY)
    await selection.find("stocks", MANY)
    before = await selection.select("book hotels", MANY)
    sent = tuple(one for one in selection.explain() if one.offered)

    resumed = chosen()
    resumed.restore(sent)

    late = await resumed.select("something about mail", tuple(t for t in MANY if t != TOOLS[4]))
    assert names(late) == [one for one in names(before) if one != "stocks"]
    assert await resumed.select("something about mail", MANY) == before
    assert [one for one in resumed.explain() if one.offered] == list(sent)


async def test_a_session_that_had_room_for_all_is_resumed_so() -> None:
    selection = chosen()
    selection.restore((Candidate("mail_tool", 0.0, "there is room for all"),))

    assert names(await selection.select("hello", TOOLS[:3])) == ["mail", "weather", "music"]


async def test_candidates_have_score_reason_and_whether_they_are_sent() -> None:
    selection = chosen(6)
    await selection.select("book hotels", MANY)

    best = selection.explain()[2]

    assert (best.name, best.offered) == ("hotels_tool", True)
    assert best.score > 0
    assert "hotel" in best.reason
    assert [one.offered for one in selection.explain()[3:]] == [False] * 7


async def test_tools_that_come_are_added_and_those_that_go_leave_no_hole() -> None:
    selection = ToolSelectionCoordinator()
    await selection.select("hello", TOOLS[:3])

    sent = await selection.select("hello", (tool("fresh"), *TOOLS[1:3]))

    assert names(sent) == ["mail", "music", "fresh"]
    back = await selection.select("hello", (tool("fresh"), *TOOLS[:3]))
    assert names(back) == ["mail", "music", "fresh", "weather"]


async def test_a_tool_that_changed_is_sent_as_it_is_now() -> None:
    selection = ToolSelectionCoordinator()
    await selection.select("hello", TOOLS)
    changed = (tool("weather_tool", "Now with wind."), *TOOLS[1:])

    assert await selection.select("hello", changed) == changed


async def test_another_session_starts_with_a_choice_of_its_own() -> None:
    selection = chosen(6)
    await selection.select("book hotels", MANY)
    selection.reset()

    assert selection.explain() == ()
    assert names(await selection.select("book flights", MANY))[2:] == ["flights"]


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
    assert await selection.select("book hotels", MANY) == MANY[:-1]

    selection.configure({"tool_selection_strategy": "keyword", "max_tools": 4})
    assert selection.strategy == "keyword"
    assert len(await selection.select("book hotels", MANY)) == 4

    selection.configure({"tool_selection_strategy": "all", "max_tools": 40})
    assert set(names(await selection.select("book hotels", MANY))) >= {"read", *SUBJECTS}
    selection.configure({})
    assert selection.strategy == "all"


def test_unknown_strategies_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="register_tool_selection_strategy") as unknown:
        ToolSelectionCoordinator("keywords", strategies=strategies())
    assert set(unknown.value.known) >= {"all", "keyword", "hybrid"}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *(("max_tools", value) for value in (0, -1, "many", True, 2.5)),
        *(("tool_window_share", value) for value in (0, -0.1, 1.5, "much", True)),
    ],
)
def test_a_bad_value_is_refused_and_the_old_settings_stay(setting: str, value: object) -> None:
    selection = ToolSelectionCoordinator(strategies=strategies())

    with pytest.raises(ConfigError, match=setting):
        selection.configure({"tool_selection_strategy": "keyword", setting: value})
    assert selection.strategy == "all"


@settings(max_examples=60, deadline=None, database=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["select", "find", "call"]),
            st.lists(st.sampled_from(SUBJECTS), max_size=3).map(" ".join),
        ),
        max_size=10,
    ),
    limit=st.integers(1, 12),
    name=st.sampled_from(["all", "keyword", "hybrid"]),
)
def test_the_list_only_grows_at_its_end_as_long_as_there_is_room(
    steps: list[tuple[str, str]], limit: int, name: str
) -> None:
    selection = chosen(limit, name)
    before = asyncio.run(selection.select("hello", MANY))
    for step, words in steps:
        if step == "find" and words:
            asyncio.run(selection.find(words, MANY))
        elif step == "call":
            selection.called(tuple(f"{word}_tool" for word in words.split()))
        after = asyncio.run(selection.select(words, MANY))
        assert 0 < len(after) <= limit
        stayed = [one for one in before if one in after]
        assert len(stayed) == len(before) or len(after) == limit
        assert list(after[: len(stayed)]) == stayed
        before = after
