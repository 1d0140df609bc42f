"""What a resumed session is told that it sent before."""

from __future__ import annotations

from typing import Any

from victor.agent.known_tools import KnownTools
from victor.agent.offering import sent_before
from victor.agent.sent_tools import SentTools
from victor.messages import ToolSpec
from victor.protocols import Record
from victor.protocols.selection import FIND_TOOLS, Candidate


def reply(*names: str, **data: Any) -> Record:
    tools = [{"name": name, "description": "", "parameters": {}} for name in names]
    return Record("reply", "s-1", data={"tools": tools, **data})


def test_the_last_list_counts_and_what_was_found_since() -> None:
    records = (
        reply("a", "b", tools_because=[["a", 1.5, "old", True]]),
        Record("result", "s-1", data={"search": "old", "found": ["z"]}),
        reply(
            "b",
            "a",
            tools_because=[
                ["a", 0.5, "it fits", True],
                ["c", 0.1, "no", False],
                ["d", 0.1, "deferred", False],
            ],
        ),
        Record("reply", "s-2", data={}),
        Record("result", "s-2", data={"search": "see", "found": ["c", "a"]}),
    )
    assert sent_before(records) == (
        Candidate("b", 0.0, "it was sent before"),
        Candidate("a", 0.5, "it fits"),
        Candidate("c", 0.0, "found by the search 'see'"),
        Candidate("d", 0.1, "deferred", offered=False),
    )
    assert sent_before(()) == ()


def test_a_copy_of_what_is_sent_changes_alone() -> None:
    sent = SentTools()
    sent.add([Candidate("a", 0.0, "first")])
    other = sent.copy()
    other.add([Candidate("b", 0.0, "second"), Candidate("a", 1.0, "again")])

    assert (list(sent), list(other)) == (["a"], ["a", "b"])
    assert [one.reason for one in other.candidates] == ["first", "second"]
    assert (len(sent), "b" in sent, "b" in other) == (1, False, True)


def test_nothing_can_be_deferred_that_could_not_be_found() -> None:
    tools = (ToolSpec("a", "One.", {}), ToolSpec("b", "Two.", {}, essential=True))
    find = ToolSpec(FIND_TOOLS, "Find.", {}, essential=True)

    alone, known = KnownTools(tools), KnownTools((*tools, find))

    assert alone.deferrable == 0
    assert known.deferrable == known.sizes["a"] == known.total - known.sizes["b"]
    assert known.searched == tools
    assert not known.can_find(FIND_TOOLS)
    assert known.by_name[FIND_TOOLS].description == "Find. There are:\na"
