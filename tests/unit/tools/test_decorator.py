from __future__ import annotations

import asyncio
import dataclasses
import enum
import functools
import subprocess
import sys
import threading
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from victor.errors import ToolError
from victor.messages import Effect, ToolSpec
from victor.protocols import ITool, IToolTargets, ToolEnvironment, ToolOutput
from victor.tools import builtin_tools, fit_arguments, tool
from victor.tools.decorator import FunctionTool

pytestmark = pytest.mark.anyio


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


@dataclasses.dataclass
class Tree:
    name: str
    children: list[Tree] = dataclasses.field(default_factory=list)


class Order(BaseModel):
    item: str
    count: int = 1


def repeat(text: str, times: int) -> str:
    return text * times


async def called(made: FunctionTool[..., Any], root: Path, **arguments: Any) -> str:
    fitted = fit_arguments(made.spec, arguments)
    return (await made.run(fitted, ToolEnvironment(root))).content


def test_a_typed_function_becomes_a_tool() -> None:
    @tool
    def search(query: str, limit: int = 10, *, exact: bool = False) -> str:
        """Search the index.

        Slowly.

        Args:
            query: What to look for, in
                words or numbers.
            limit (int): How many hits: at most.

        Returns:
            exact: is not described here.
        """
        return query * limit if exact else query

    assert isinstance(search, ITool)
    assert search.spec == ToolSpec(
        "search",
        "Search the index.\n\nSlowly.",
        {
            "type": "object",
            "properties": {
                "query": {
                    "type": "string",
                    "description": "What to look for, in words or numbers.",
                },
                "limit": {
                    "type": "integer",
                    "description": "How many hits: at most.",
                    "default": 10,
                },
                "exact": {"type": "boolean", "default": False},
            },
            "required": ["query"],
            "additionalProperties": False,
        },
        Effect.EFFECTFUL,
    )
    assert search("a", 2, exact=True) == "aa"
    assert search.__name__ == "search"
    assert repr(search) == "<tool search>"


def test_name_description_and_effect_may_be_given() -> None:
    @tool(name="look-up", description="Look.", effect=Effect.READ_ONLY)
    def search(query: Annotated[str, "Words"]) -> str:
        return query

    assert search.spec.name == "look-up"
    assert search.spec.description == "Look."
    assert search.spec.effect is Effect.READ_ONLY
    assert search.spec.parameters["properties"]["query"]["description"] == "Words"


def test_a_function_that_says_nothing_is_called_by_its_name() -> None:
    @tool
    def count_lines() -> None: ...

    assert count_lines.spec.description == "count lines"
    assert count_lines.spec.parameters == {
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }


def test_arguments_are_found_after_another_section() -> None:
    @tool
    def f(a: str) -> str:
        """Do it.

        Example:
            f("x")

        Args:
            a: The a.
        """
        return a

    assert f.spec.description == "Do it."
    assert f.spec.parameters["properties"]["a"]["description"] == "The a."


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (str, {"type": "string"}),
        (float, {"type": "number"}),
        (Any, {}),
        (dict, {"type": "object"}),
        (list, {"type": "array"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (
            dict[str, list[str]],
            {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"type": "string"}},
            },
        ),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a", 1], {"enum": ["a", 1]}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
    ],
)
def test_plain_types_have_a_plain_schema(kind: Any, schema: dict[str, Any]) -> None:
    def f(a):  # type: ignore[no-untyped-def]
        return a

    f.__annotations__ = {"a": kind}
    assert tool(f).spec.parameters["properties"]["a"] == schema


@pytest.mark.parametrize(
    ("kind", "given", "received"),
    [
        (Color, "blue", Color.BLUE),
        (Point, {"x": 1}, Point(1)),
        (list[Point], [{"x": 1, "y": 2}], [Point(1, 2)]),
        (Tree, {"name": "a", "children": [{"name": "b"}]}, Tree("a", [Tree("b")])),
        (Order, {"item": "tea"}, Order(item="tea")),
        (Path, "a/b", Path("a/b")),
        (set[int], [1, 2], {1, 2}),
        (list[Color] | None, ["red"], [Color.RED]),
        (Annotated[int, Field(ge=1)], 3, 3),
        (dict[str, Point], {"a": {"x": 1}}, {"a": Point(1)}),
    ],
)
async def test_other_types_arrive_as_themselves(
    root: Path, kind: Any, given: Any, received: Any
) -> None:
    got: list[Any] = []

    def take(value, *, other=7):  # type: ignore[no-untyped-def]
        got.append((value, other))

    take.__annotations__ = {"value": kind, "other": int}
    made = tool(take)
    assert await called(made, root, value=given) == "Done."
    assert got == [(received, 7)]
    assert made.spec.parameters["required"] == ["value"]


async def test_what_the_schema_cannot_say_is_refused_by_the_type(root: Path) -> None:
    @tool
    def take(
        value: Annotated[Color, "A color"], when: Annotated[int, Field(multiple_of=5)]
    ) -> None:
        raise AssertionError

    with pytest.raises(ToolError, match="value must be one of"):
        await called(take, root, value="green", when=5)
    with pytest.raises(ToolError, match="multiple of 5"):
        await called(take, root, value="red", when=3)
    assert take.spec.parameters["properties"]["value"]["description"] == "A color"


def test_a_default_without_a_json_form_is_not_told() -> None:
    @tool
    def f(color: Color = Color.RED, note: str | None = None) -> None: ...

    assert "default" not in f.spec.parameters["properties"]["color"]
    assert "default" not in f.spec.parameters["properties"]["note"]
    assert "required" not in f.spec.parameters


async def test_the_environment_is_filled_in_and_not_told(root: Path) -> None:
    @tool
    async def where(environment: ToolEnvironment, name: str = "x") -> str:
        return str(environment.workspace / name)

    assert list(where.spec.parameters["properties"]) == ["name"]
    assert await called(where, root) == str(root / "x")


async def test_a_plain_function_runs_in_a_thread_and_an_async_one_in_the_loop(root: Path) -> None:
    @tool
    def plain() -> bool:
        return threading.current_thread() is threading.main_thread()

    @tool
    async def asynchronous() -> bool:
        return threading.current_thread() is threading.main_thread()

    class Callable:
        """Count."""

        async def __call__(self) -> bool:
            return threading.current_thread() is threading.main_thread()

    assert await called(plain, root) == "false"
    assert await called(asynchronous, root) == "true"
    assert await called(FunctionTool(Callable()), root) == "true"
    assert await called(FunctionTool(functools.partial(repeat, times=3)), root, text="a") == "aaa"
    assert await called(tool(lambda: asyncio.sleep(0, "later")), root) == "later"


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ("text", "text"),
        (None, "Done."),
        (b"bytes", "bytes"),
        (b"\xff\xfe", "[2 bytes that are no text]"),
        (b"a\0", "[2 bytes that are no text]"),
        (memoryview(b"view"), "view"),
        ({"a": [1, None, "é"]}, '{"a": [1, null, "é"]}'),
        ([Point(1, 2)], '[{"x": 1, "y": 2}]'),
        (Order(item="tea"), '{"item": "tea", "count": 1}'),
        ({"s": {2, 1}, "p": Path("a"), "b": b"x"}, '{"s": [1, 2], "p": "a", "b": "x"}'),
        (ToolOutput("said", "shown"), "said"),
    ],
)
async def test_whatever_a_function_returns_becomes_text(root: Path, result: Any, told: str) -> None:
    @tool
    def give() -> Any:
        return result

    assert await called(give, root) == told


def test_paths_are_the_arguments_that_hold_them_or_what_a_function_says(root: Path) -> None:
    @tool(paths=("source", "target"))
    def move(source: str, target: str | None = None) -> None: ...

    @tool(paths=lambda arguments, environment: (environment.workspace / arguments["name"],))
    def make(name: str) -> None: ...

    environment = ToolEnvironment(root)
    assert move.paths({"source": "a/../b"}, environment) == (root / "b",)
    assert make.paths({"name": "c"}, environment) == (root / "c",)


def test_what_cannot_have_a_schema_is_refused_by_name() -> None:
    def many(*names: str) -> None: ...
    def first(a: str, /) -> None: ...
    def odd(a: threading.Lock) -> None: ...
    def unresolved(a: str) -> None: ...

    unresolved.__annotations__ = {"a": "Missing"}
    for function in (many, first, odd, unresolved):
        with pytest.raises(TypeError, match=function.__name__):
            _ = tool(function).spec


@pytest.mark.slow
def test_tools_and_their_specs_are_there_without_pydantic() -> None:
    program = (
        "import sys\n"
        "import victor.tools\n"
        "@victor.tools.tool\n"
        "def f(a: int, b: list[str] | None = None) -> str: return ''\n"
        "specs = [t.spec for t in (*victor.tools.builtin_tools('.'), f)]\n"
        "assert len(specs) > 8\n"
        "assert not {'pydantic', 'pathspec', 'rich'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_built_in_tools_say_all_their_arguments(root: Path) -> None:
    reading = {t.spec.name for t in builtin_tools(str(root)) if t.spec.effect is Effect.READ_ONLY}
    assert {"read", "list", "glob", "grep"} <= reading
    assert not {"write", "edit", "multi_edit", "shell"} & reading
    for made in builtin_tools(root):
        assert isinstance(made, ITool)
        assert made.spec.parameters["additionalProperties"] is False


def test_an_unknown_name_of_the_package_is_refused() -> None:
    import victor.tools

    with pytest.raises(AttributeError):
        _ = victor.tools.nothing


def test_a_tool_tells_whom_its_calls_are_aimed_at() -> None:
    @tool(targets=("recipients", "copy_to"))
    def send(recipients: list[str], text: str, copy_to: str = "") -> str:
        """Send a text."""
        return ", ".join(recipients) + text + copy_to

    assert isinstance(send, IToolTargets)
    assert send.targets({"recipients": ["a", "b"], "text": "c", "copy_to": "d"}) == ("a", "b", "d")
    assert send.targets({"recipients": "a", "text": "c", "copy_to": ""}) == ("a",)
    assert tool(repeat).targets({"text": "a"}) is None
    assert tool(targets=())(repeat).targets({"text": "a"}) == ()


def test_a_target_that_is_no_parameter_is_refused() -> None:
    wrong = tool(targets=("recipient",))(repeat)
    with pytest.raises(TypeError, match="repeat has no parameter 'recipient' to be a target"):
        _ = wrong.spec
