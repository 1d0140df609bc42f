from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from victor.providers.text_calls import PrintedCall, TextCalls

TOOLS = ("read", "list")
READ = PrintedCall("read", '{"path": "a.txt"}')
LIST = PrintedCall("list", "{}")
CALL = '{"name": "read", "arguments": {"path": "a.txt"}}'
OTHER = '{"name": "list", "parameters": {}}'


def found(*pieces: str) -> tuple[str, list[PrintedCall]]:
    """Return the text and the calls, of text that arrives in these pieces."""
    reader = TextCalls(TOOLS)
    given = [part for piece in pieces for part in reader.feed(piece)] + list(reader.finish())
    text = "".join(part for part in given if isinstance(part, str))
    return text, [part for part in given if isinstance(part, PrintedCall)]


PRINTED = {
    "a tag": (f"<tool_call>\n{CALL}\n</tool_call>", "", [READ]),
    "a tag after words": (f"Let me see.\n<tool_call>{CALL}</tool_call>\n", "Let me see.", [READ]),
    "two tags": (
        f"<tool_call>{CALL}</tool_call>\n<tool_call>{OTHER}</tool_call>",
        "",
        [READ, LIST],
    ),
    "a tag that is not closed": (f"<tool_call>\n{CALL}", "", [READ]),
    "a tag that the next one closes": (f"<tool_call>{CALL}\n<tool_call>{OTHER}", "", [READ, LIST]),
    "an unknown tool in a tag": (
        '<tool_call>{"name": "rm", "arguments": {}}</tool_call>',
        "",
        [PrintedCall("rm", "{}")],
    ),
    "no arguments in a tag": ('<tool_call>{"name": "list"}</tool_call>', "", [LIST]),
    "a fence": (f"Sure:\n\n```json\n{CALL}\n```\n", "Sure:", [READ]),
    "a bare fence": (f"```\n{CALL}\n```", "", [READ]),
    "several in a fence": (f"```json\n{CALL}\n{OTHER}\n```", "", [READ, LIST]),
    "a list in a fence": (f"```tool_call\n[{CALL}, {OTHER}]\n```", "", [READ, LIST]),
    "a fence that is not closed": (f"```json\n{CALL}", "", [READ]),
    "bare": (CALL, "", [READ]),
    "bare after space": (f"\n  {CALL}\n", "", [READ]),
    "bare on a later line": (f"I will look.\n{CALL}", "I will look.", [READ]),
    "bare, words after it": (f"{CALL}\nThat was it.", "That was it.", [READ]),
    "bare, several lines": (f"{CALL}\n{OTHER}\n", "", [READ, LIST]),
    "bare, several on a line": (f"{CALL}; {OTHER}", "", [READ, LIST]),
    "bare, then an object that is none": (f'{CALL}\n{{"b": 1}}', '{"b": 1}', [READ]),
    "a list": (f"[{CALL}, {OTHER}]", "", [READ, LIST]),
    "the vendor's own form": (
        json.dumps({"tool_calls": [{"id": "1", "type": "function", "function": json.loads(CALL)}]}),
        "",
        [READ],
    ),
    "arguments as a string": (
        json.dumps({"function": "read", "arguments": '{"path": "a.txt"}'}),
        "",
        [READ],
    ),
    "arguments of null": ('{"tool": "list", "input": null}', "", [LIST]),
    "arguments first": ('{"arguments": {"path": "a.txt"}, "name": "read"}', "", [READ]),
    "a line break within a string": (
        '{"name": "read", "arguments": {"path": "a\nb"}}',
        "",
        [PrintedCall("read", '{"path": "a\\nb"}')],
    ),
    "braces and quotes within strings": (
        '{"name": "read", "arguments": {"path": "}\\"{ \\\\"}}',
        "",
        [PrintedCall("read", '{"path": "}\\"{ \\\\"}')],
    ),
    "cut off in the arguments": (
        '<tool_call>{"name": "read", "arguments": {"path": "a',
        "",
        [PrintedCall("read", '{"path": "a')],
    ),
    "cut off, bare": (
        '{"name": "read", "arguments": {"pa',
        "",
        [PrintedCall("read", '{"pa')],
    ),
    "cut off, the second": (f'{CALL}\n{{"arguments": {{', '{"arguments": {', [READ]),
}
TEXT = [
    "Hello, world. 2 < 3, `x` and <b>.\n\nEnd \n",
    '{"name": "Bob", "age": 3}',
    '{"name": "reader", "arguments": {}}',
    '{"name": "read", "arguments": 3}',
    '{"name": "read", "arguments": "none"}',
    '{"name": "read", "arguments": {}, "comment": "for example"}',
    '{"name": "read"}',
    '{"name": 3}',
    '{"function": {"name": "rm", "arguments": {}}}',
    '{"na\\u006de": "read", "arguments": {}}',
    "[1, 2, 3]",
    "[]",
    "{}",
    f"The form is {CALL} here.",
    f"{CALL} is the form.",
    f"```python\nx = {CALL}\n{CALL}\n```\nDone.",
    f"```json\n{CALL}\nand so on\n```",
    '```json\n{"a": 1}\n```',
    "```json\n```",
    "```",
    "```js",
    "<tool_call>nothing</tool_call>",
    "<tool_call>{broken}</tool_call>",
    "<tool_call>",
    "<tool_ca",
    '{"name": "re',
    '{"arguments": {"a": "b',
    "   ",
]


@pytest.mark.parametrize(("printed", "text", "calls"), PRINTED.values(), ids=PRINTED)
def test_a_printed_call_is_a_call_and_never_shown(
    printed: str, text: str, calls: list[PrintedCall]
) -> None:
    assert found(printed) == (text, calls)


@pytest.mark.parametrize("text", TEXT)
def test_text_that_is_no_call_arrives_unchanged(text: str) -> None:
    assert found(text) == (text, [])


@pytest.mark.parametrize("printed", [*(entry[0] for entry in PRINTED.values()), *TEXT])
def test_text_may_arrive_letter_by_letter(printed: str) -> None:
    assert found(*printed) == found(printed)


PIECES = st.sampled_from(
    [CALL, OTHER, "<tool_call>", "</tool_call>", "```", "```json\n", *'\n {}[]<`"\\,']
)


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(PIECES, max_size=12), data=st.data())
def test_how_text_is_cut_changes_nothing(pieces: list[str], data: st.DataObject) -> None:
    whole = "".join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=20))
    bounds = [0, *sorted(cuts), len(whole)]
    assert found(*(whole[a:b] for a, b in pairwise(bounds))) == found(whole)


@settings(max_examples=200, deadline=None)
@given(pieces=st.lists(PIECES, max_size=12))
def test_what_is_not_part_of_a_call_is_never_lost(pieces: list[str]) -> None:
    whole = "".join(pieces)
    text, calls = found(whole)
    if not calls:
        assert text == whole
    else:
        assert len(text) < len(whole)


@pytest.mark.parametrize(
    ("first", "shown"),
    [
        ("Hello", "Hello"),
        ("Hello ", "Hello"),
        ("a <", "a"),
        ("a <b", "a <b"),
        ('{"name": "Bo', '{"name": "Bo'),
        ('{"name": "re', ""),
        ("[1", "[1"),
        ("```py", "```py"),
        ("```js", ""),
        ("see `x", "see `x"),
    ],
)
def test_text_is_held_back_only_while_it_can_still_be_a_call(first: str, shown: str) -> None:
    assert "".join(map(str, TextCalls(TOOLS).feed(first))) == shown


def test_a_long_call_costs_no_more_the_longer_it_gets() -> None:
    reader = TextCalls(TOOLS)
    body = json.dumps({"name": "read", "arguments": {"path": "x" * 200_000}})
    pieces = [body[at : at + 8] for at in range(0, len(body), 8)]
    given = [part for piece in pieces for part in reader.feed(piece)] + list(reader.finish())
    assert [type(part) for part in given] == [PrintedCall]
