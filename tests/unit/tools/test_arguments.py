from __future__ import annotations

from typing import Any

import pytest

from victor.errors import ToolError
from victor.messages import ToolSpec
from victor.tools import fit_arguments


def spec(properties: dict[str, Any], **more: Any) -> ToolSpec:
    return ToolSpec("t", "", {"type": "object", "properties": properties, **more})


@pytest.mark.parametrize(
    ("schema", "given", "fitted"),
    [
        ({"type": "integer"}, "12", 12),
        ({"type": "integer"}, 12.0, 12),
        ({"type": "number"}, "1.5", 1.5),
        ({"type": "number"}, 2, 2),
        ({"type": "boolean"}, "true", True),
        ({"type": "boolean"}, "False", False),
        ({"type": "array", "items": {"type": "integer"}}, '["1", 2]', [1, 2]),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
        ({"type": "string"}, "12", "12"),
        ({"type": ["string", "null"]}, None, None),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "3", 3),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "3", "3"),
        ({"oneOf": [{"$ref": "#/$defs/D"}, {"type": "null"}]}, {"n": "1"}, {"n": 1}),
        ({"allOf": [{"type": "integer"}, {"minimum": 1}]}, "3", 3),
        ({"$ref": "#/$defs/none"}, "free", "free"),
        ({"enum": ["a", 1]}, 1, 1),
        ({"const": "x"}, "x", "x"),
        (True, "anything", "anything"),
        ({"type": "array", "prefixItems": [{"type": "integer"}], "items": True}, ["1", "x"],
         [1, "x"]),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": "1"}, {"a": 1}),
        ({"unheard-of": 1}, [1], [1]),
        ({"type": "string", "pattern": "^a", "minLength": 1}, "ab", "ab"),
    ],
)  # fmt: skip
def test_what_fits_is_returned_as_the_schema_has_it(schema: Any, given: Any, fitted: Any) -> None:
    defs = {"D": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    result = fit_arguments(spec({"a": schema}, **{"$defs": defs}), {"a": given})
    assert result == {"a": fitted}
    assert type(result["a"]) is type(fitted)


@pytest.mark.parametrize(
    ("schema", "given", "told"),
    [
        ({"type": "integer"}, "x", 'a must be a whole number, not "x"'),
        ({"type": "integer"}, 1.5, "a must be a whole number, not 1.5"),
        ({"type": "number"}, "NaN", 'a must be a number, not "NaN"'),
        ({"type": "array"}, "[" * 9_000, "a must be a list, not"),
        ({"type": "integer"}, "1e999", "a must be a whole number, not"),
        ({"pattern": "("}, "x", "its schema is not valid"),
        ({"anyOf": 1}, "x", "its schema is not valid"),
        ({"minimum": "1"}, 2, "its schema is not valid"),
        ({"type": "integer"}, True, "a must be a whole number, not true"),
        ({"type": "string"}, 5, "a must be a text, not 5"),
        ({"type": ["string", "null"]}, 5, "a must be a text or null, not 5"),
        ({"type": "array", "items": {"type": "string"}}, ["x", 1], "a[1] must be a text, not 1"),
        ({"type": "object", "properties": {"b": {"type": "boolean"}}}, {"b": 1},
         "a.b must be true or false, not 1"),
        ({"type": "object", "required": ["b"]}, {}, "missing key in a: b (anything)"),
        ({"type": "object", "properties": {"bar": {}}, "additionalProperties": False},
         {"baz": 1}, "unknown key 'baz' in a; did you mean 'bar'? Known: bar"),
        ({"enum": ["x", "y"]}, "z", 'a must be one of "x", "y", not "z"'),
        ({"enum": [1]}, True, "a must be one of 1, not true"),
        ({"const": 1}, 2, "a must be 1, not 2"),
        ({"anyOf": [{"type": "integer"}, {"enum": ["x"]}, {"const": 9}]}, "z",
         'a must be a whole number or one of "x" or 9, not "z"'),
        ({"anyOf": [{"type": "integer"}]}, "z", 'a must be a whole number, not "z"'),
        ({"anyOf": [{"anyOf": [{"$ref": "#/$defs/D"}, True]}, False]}, 1, None),
        ({"minimum": 1}, 0, "a must be at least 1, not 0"),
        ({"maximum": 1}, 2, "a must be at most 1, not 2"),
        ({"exclusiveMinimum": 1}, 1, "a must be more than 1, not 1"),
        ({"exclusiveMaximum": 1}, 1, "a must be less than 1, not 1"),
        ({"minLength": 2}, "x", "the length of a must be at least 2, not 1"),
        ({"maxItems": 1}, [1, 2], "the number of items in a must be at most 1, not 2"),
        ({"pattern": "^a"}, "b", "a must match '^a'"),
        ({"type": "string"}, ["x" * 200], "..."),
        ({"type": "odd"}, 1, "a must be odd, not 1"),
        (False, 1, "a is not allowed"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_so_that_it_can_be_corrected(
    schema: Any, given: Any, told: str | None
) -> None:
    tool = spec({"a": schema})
    if told is None:
        assert fit_arguments(tool, {"a": given}) == {"a": given}
        return
    with pytest.raises(ToolError) as error:
        fit_arguments(tool, {"a": given})
    assert str(error.value).startswith("t: ")
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"file_path": "x"},
            "unknown argument 'file_path'; did you mean 'path'? Known: path, limit",
        ),
        ({"path": "x", "zzz": 1}, "unknown argument 'zzz'. Known: path, limit"),
        ({}, "missing argument: path (a text)"),
        ({"path": None}, "path must be a text, not null"),
    ],
)
def test_missing_and_unknown_arguments_are_named(given: dict[str, Any], told: str) -> None:
    tool = spec(
        {"path": {"type": "string"}, "limit": {"type": "integer"}},
        required=["path"],
        additionalProperties=False,
    )
    with pytest.raises(ToolError) as error:
        fit_arguments(tool, given)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("schema", "kept"),
    [
        ({"type": "integer"}, False),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, True),
        ({"enum": [None, 1]}, True),
        ({"$ref": "#/$defs/N"}, True),
        ({}, True),
        (True, True),
    ],
)
def test_null_for_what_may_be_left_out_is_left_out(schema: Any, *, kept: bool) -> None:
    tool = spec({"a": schema}, **{"$defs": {"N": {"type": "null"}}})
    assert fit_arguments(tool, {"a": None}) == ({"a": None} if kept else {})


def test_a_schema_that_leads_to_itself_is_told_of() -> None:
    tool = spec({"a": {"$ref": "#/$defs/a"}}, **{"$defs": {"a": {"$ref": "#/$defs/a"}}})
    with pytest.raises(ToolError, match="t: arguments cannot be checked"):
        fit_arguments(tool, {"a": 1})


def test_the_model_s_own_arguments_are_not_changed() -> None:
    given = {"a": {"b": "1"}}
    schema = {"type": "object", "properties": {"b": {"type": "integer"}}}
    assert fit_arguments(spec({"a": schema}), given) == {"a": {"b": 1}}
    assert given == {"a": {"b": "1"}}
