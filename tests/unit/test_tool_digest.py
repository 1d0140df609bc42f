"""Tools in a few words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from victor.messages import ToolSpec
from victor.protocols.selection import FIND_TOOLS
from victor.tool_digest import NAMES_LENGTH, found_text, names_of, summary_of, unknown_text


def tool(name: str, description: str = "", /, **properties: object) -> ToolSpec:
    required = properties.pop("required", [])
    return ToolSpec(name, description, {"properties": properties, "required": required})


def test_names_stand_on_a_line_for_each_server() -> None:
    tools = (tool("git"), tool("mcp__tickets__open"), tool("mcp__docs__find"), tool("web"))
    tools += (tool("mcp__tickets__close"), tool("mcp__odd"))
    assert names_of(tools) == "git, web, mcp__odd\nmcp__tickets__*: open, close\nmcp__docs__*: find"
    assert names_of(()) == ""


def test_what_has_no_room_is_counted_and_each_server_has_the_same_room() -> None:
    tools = [tool(f"mcp__large__number_{number}") for number in range(500)]
    tools.append(tool("mcp__small__one"))
    large, small = names_of(tools, 200).splitlines()
    assert large.startswith("mcp__large__*: number_0, number_1")
    assert large.endswith(" more")
    assert small == "mcp__small__*: one"


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 60)), max_size=200))
def test_names_never_take_more_than_there_is_room_for(made: list[tuple[int, int]]) -> None:
    tools = [tool(f"mcp__server_{server}__tool_{number}") for server, number in made]
    assert len(names_of(tools)) <= 2 * NAMES_LENGTH + 20
    assert names_of(tools) == names_of(tuple(tools))


def test_a_summary_has_the_arguments_and_what_is_optional() -> None:
    made = tool(
        "share",
        "Share  it\nwith others.",
        name={"type": "string"},
        with_={"type": "array", "items": {"type": "string"}},
        how={"enum": ["read", "write"]},
        until={"type": ["string", "null"]},
        odd=True,
        required=["name"],
    )
    assert summary_of(made) == (
        "share(name: string, with_?: list of string, how?: read | write, until?: string | null,"
        " odd?: any)\n    Share it with others."
    )
    assert summary_of(ToolSpec("bare", "", {})) == "bare()"


def test_long_ones_are_cut() -> None:
    many = {f"argument_{number}": {"type": "string"} for number in range(100)}
    made = summary_of(tool("large", "word " * 500, **many))
    assert len(made) < 900
    assert made.count(" ...") == 2


def test_what_was_found_is_told_and_what_else_there_is() -> None:
    one, two = tool("one", "The first."), tool("two", "The second.")
    assert found_text("more", ()) == "No tool was found for 'more'."
    assert found_text("more", (one,)).startswith("1 tool for 'more'; call")
    told = found_text("more", (one, two), ("three", "four"))
    assert "\n\n" not in told
    assert told.endswith("These fit less; find them by name: three, four")


def test_a_tool_that_is_not_there_is_answered_with_the_few_or_the_nearest() -> None:
    few = ("read", "write")
    assert unknown_text("reed", few) == "There is no tool 'reed'. The tools are: read, write."
    assert unknown_text("reed", ()).endswith("The tools are: none.")
    many = (*(f"tool_{number}" for number in range(50)), "mcp__mail__send")
    assert "Did you mean: mcp__mail__send?" in unknown_text("mail__send", many)
    assert unknown_text("zzz", many) == "There is no tool 'zzz'."
    assert unknown_text("zzz", (*many, FIND_TOOLS)).endswith("find_tools finds what there is.")
