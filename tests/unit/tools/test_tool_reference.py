"""What people read of a tool, made from the tool."""

from __future__ import annotations

from pathlib import Path

from victor.messages import Effect, ToolSpec
from victor.tools import builtin_tools, tool
from victor.tools.reference import Argument, ToolReference, page


def test_a_tool_is_told_with_arguments_limits_and_what_it_refuses(tmp_path: Path) -> None:
    edit = next(tool for tool in builtin_tools(tmp_path) if tool.spec.name == "multi_edit")
    told = page((ToolReference.of(edit),))
    assert told.startswith("## multi_edit\n")
    assert "**Effect**: `effectful`." in told
    assert "| `edits` | list of object | required |" in told
    assert "| `edits[].all` | boolean | Replace every occurrence" in told
    assert "**Limits**" in told
    assert "**Refuses**" in told


def test_a_tool_of_anybodys_is_told_by_its_spec() -> None:
    @tool(effect=Effect.READ_ONLY)
    def pick(one: str | int, other: list[str]) -> str:
        """Pick a|b."""
        return ""

    reference = ToolReference.of(pick)
    assert reference.arguments == (
        Argument("one", "string or integer", required=True),
        Argument("other", "list of string", required=True),
    )
    assert "**Limits**" not in page((reference,))


def test_kinds_of_arguments_are_told_in_words() -> None:
    properties = {"a": {"enum": ["x|y", "z"]}, "b": {"type": ["string", "null"]}, "c": {}}
    parameters = {"type": "object", "properties": properties}

    class Other:
        spec = ToolSpec("other", "Does it.", parameters)

    told = page((ToolReference.of(Other()),))  # type: ignore[arg-type]
    assert "| `a` | x\\|y or z |" in told
    assert "| `b` | string or null |" in told
    assert "| `c` | anything |" in told
