from __future__ import annotations

import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from victor.errors import ConfigError
from victor.messages import Effect, ToolSpec
from victor.protocols import IToolSelectionStrategy
from victor.selection import strategies

WITHOUT_EMBEDDINGS = {name: make for name, make in strategies().items() if name != "semantic"}


def spec(name: str, description: str, **parameters: str) -> ToolSpec:
    properties = {key: {"type": "string", "description": text} for key, text in parameters.items()}
    return ToolSpec(name, description, {"type": "object", "properties": properties})


TOOLS = (
    spec("read_file", "Return the text of a file.", path="Where it is"),
    spec("edit_file", "Replace a text in a file by another.", path="Where it is"),
    spec("run_shell", "Run a command in a shell and return its output.", command="What to run"),
    spec("get_weather", "Tell the weather forecast.", city="Name of a town", day="A date"),
    spec("send_mail", "Send an electronic mail.", recipient="Address of a person"),
    spec("take_screen_shot", "Save a picture of the display."),
    spec("query_database", "Run SQL against the configured database."),
)


@pytest.fixture(params=sorted(WITHOUT_EMBEDDINGS))
def strategy(request: pytest.FixtureRequest) -> IToolSelectionStrategy:
    return WITHOUT_EMBEDDINGS[request.param]()


def best(strategy: IToolSelectionStrategy, task: str) -> str:
    return strategy.rank(task, TOOLS)[0].tool.name


@pytest.mark.parametrize(
    ("task", "tool"),
    [
        ("What will the weather be like in the town of Bern?", "get_weather"),
        ("Please mail the report to my boss", "send_mail"),
        ("running a shell command", "run_shell"),
        ("Replace the greeting by another text", "edit_file"),
        ("How many rows has the customers' database?", "query_database"),
        ("Which recipient?", "send_mail"),
    ],
)
def test_the_tool_for_the_task_comes_first(
    strategy: IToolSelectionStrategy, task: str, tool: str
) -> None:
    assert best(strategy, task) == tool


@pytest.mark.parametrize(
    ("task", "tool"),
    [
        ("a screenshot", "take_screen_shot"),
        ("look into the configuration", "query_database"),
        ("email her", "send_mail"),
    ],
)
def test_hybrid_meets_words_that_are_only_spelled_alike(task: str, tool: str) -> None:
    assert best(WITHOUT_EMBEDDINGS["hybrid"](), task) == tool
    keyword = {
        one.tool.name: one.score for one in WITHOUT_EMBEDDINGS["keyword"]().rank(task, TOOLS)
    }
    assert keyword[tool] == 0


def test_the_reason_names_the_shared_words_the_rarest_first(
    strategy: IToolSelectionStrategy,
) -> None:
    first, *_, last = strategy.rank("read the text of the file", TOOLS)

    assert "shares the words read" in first.reason
    assert first.score > last.score
    assert "shares no word" in last.reason


def test_without_a_match_the_given_order_stays(strategy: IToolSelectionStrategy) -> None:
    ranked = strategy.rank("42", TOOLS)

    assert tuple(one.tool for one in ranked) == TOOLS
    assert {one.score for one in ranked} == {0.0}


def test_other_tools_are_read_anew(strategy: IToolSelectionStrategy) -> None:
    strategy.rank("weather", TOOLS)

    assert {one.tool.name for one in strategy.rank("weather", TOOLS[:2])} == {
        "read_file",
        "edit_file",
    }
    assert strategy.rank("weather", ()) == ()


def test_odd_schemas_do_no_harm(strategy: IToolSelectionStrategy) -> None:
    odd = ToolSpec("odd", "", {"type": "object", "properties": {"a": True}}, Effect.READ_ONLY)

    assert strategy.rank("odd", (ToolSpec("none", "", {}), odd))[0].tool is odd


@settings(max_examples=40, deadline=None, database=None)
@given(seed=st.integers(0, 1_000_000), task=st.text(max_size=60))
@pytest.mark.parametrize("name", sorted(WITHOUT_EMBEDDINGS))
def test_every_tool_comes_back_once_best_first_and_the_same_way_each_time(
    name: str, seed: int, task: str
) -> None:
    dice = random.Random(seed)
    letters = string.ascii_letters + " _éß漢0"
    tools = tuple(
        ToolSpec(f"tool{i}", "".join(dice.choices(letters, k=30)), {}) for i in range(seed % 9)
    )

    ranked = WITHOUT_EMBEDDINGS[name]().rank(task, tools)

    assert sorted(one.tool.name for one in ranked) == [tool.name for tool in tools]
    scores = [one.score for one in ranked]
    assert scores == sorted(scores, reverse=True)
    assert ranked == WITHOUT_EMBEDDINGS[name]().rank(task, tools)


def test_choosing_by_meaning_without_embeddings_says_what_to_install() -> None:
    with pytest.raises(ConfigError, match="embeddings") as told:
        strategies()["semantic"]()

    assert "pip install" in str(told.value)
