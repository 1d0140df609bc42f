"""What a person types to name resources and prompts of servers."""

from __future__ import annotations

import pytest

from victor.errors import ToolError
from victor.mcp.mentions import PromptMention, ResourceMention, arguments_of, mentions
from victor.mcp.offers import Argument, Prompt, typable

SERVERS = ("docs", "tickets")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("Read @docs:guide://a, please", [("docs", "guide://a")]),
        (
            "(@docs:guide://a) @tickets:issue://7?",
            [("docs", "guide://a"), ("tickets", "issue://7")],
        ),
        ("@docs:guide://a and @docs:guide://a", [("docs", "guide://a")]),
        ("mail me@docs:guide://a", []),
        ("@other:guide://a", []),
        ("@docs: nothing", []),
        ("", []),
    ],
)
def test_addresses_are_found_behind_the_names_of_servers(
    words: str, found: list[tuple[str, str]]
) -> None:
    assert mentions(words, SERVERS) == tuple(ResourceMention(*one) for one in found)


def test_a_prompt_is_started_at_the_beginning_only() -> None:
    assert mentions("/docs:review a b", SERVERS) == (PromptMention("docs", "review", "a b"),)
    assert mentions("Try /docs:review", SERVERS) == ()
    assert mentions("/other:review", SERVERS) == ()
    (found,) = mentions("/docs:review", SERVERS)
    assert found.typed == "/docs:review"


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("src", {"path": "src"}),
        ('"two words" short', {"path": "two words", "style": "short"}),
        ("src a long style", {"path": "src", "style": "a long style"}),
        ("style=short src", {"path": "src", "style": "short"}),
        ("a=b", {"path": "a=b"}),
        ("it's fine", {"path": "it's", "style": "fine"}),
    ],
)
def test_arguments_are_taken_in_order_or_by_name(typed: str, found: dict[str, str]) -> None:
    arguments = (Argument("path", required=True), Argument("style"))
    prompt = Prompt.of("docs", "review", "Review.", arguments)
    assert prompt is not None
    assert arguments_of(prompt, typed) == found


def test_what_is_missing_or_too_much_is_said_with_the_usage() -> None:
    prompt = Prompt("docs", "review", "", (Argument("path", required=True), Argument("style")))
    with pytest.raises(ToolError, match=r"needs path\. It is used as: /docs:review path \[style\]"):
        arguments_of(prompt, "")
    with pytest.raises(ToolError, match=r"'c' is too much"):
        arguments_of(prompt, "path=a style=b c")
    with pytest.raises(ToolError, match=r"'c' is too much"):
        arguments_of(Prompt("docs", "plain"), "c")


def test_a_prompt_that_cannot_be_typed_is_none() -> None:
    assert Prompt.of("docs", "re view", "", ()) is None
    assert Prompt.of("docs", "review", "", (Argument("a\u200bb"),)) is None
    assert not typable("")
    found = Prompt.of("docs", "review", "Says\u202e.", (Argument("a", "what", required=True),))
    assert found is not None
    assert found.text == "Prompt /docs:review a\nSays<U+202E>.\n  a: what"
    other = Prompt.of("docs", "review", "Says\u202e.", (Argument("a", "what else"),))
    assert other is not None
    assert found.digest != other.digest
