"""Expressions that would never come to an end are given up, and hold nothing else up."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest

from victor.errors import ToolError
from victor.protocols import ToolEnvironment
from victor.tools.line_matcher import LineMatcher
from victor.tools.search import Grep
from victor.tools.threads import Stop, Stopped
from victor.tools.workspace import Workspace

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ENDLESS = "(a+)+$"
UNLUCKY = "a" * 60 + "b"


@pytest.mark.parametrize("pattern", ["b.", "b+.", r"(?i)B\ud800?é", "^$"])
def test_it_matches_as_python_does(pattern: str) -> None:
    lines = ["abc", "", "b", "xBé", "\ud800"]
    expression = re.compile(pattern)
    with LineMatcher(expression, Stop()) as matcher:
        for _ in range(2):
            wanted = [at for at, line in enumerate(lines) if expression.search(line)]
            assert matcher.matching(lines) == wanted


async def test_a_search_without_an_end_is_ended_and_freezes_nothing(root: Path) -> None:
    (root / "a").write_text(f"{UNLUCKY}\n")
    grep = Grep(Workspace(root), None)
    search = asyncio.create_task(grep.run({"pattern": ENDLESS}, ToolEnvironment(root)))
    for _ in range(100):
        # Each is a round of the event loop, which a search in this thread would not let happen.
        await asyncio.sleep(0.001)
    assert not search.done()
    search.cancel()
    with pytest.raises(asyncio.CancelledError):
        await search


def test_a_search_that_was_stopped_says_so() -> None:
    stop = Stop()
    with LineMatcher(re.compile("a+"), stop) as matcher:
        assert matcher.matching(["a"]) == [0]
        stop.set()
        with pytest.raises(Stopped):
            matcher.matching(["a"])


def test_a_search_whose_process_is_gone_says_so() -> None:
    with LineMatcher(re.compile("a+"), Stop()) as matcher:
        assert matcher.matching(["a"]) == [0]
        assert matcher._process is not None
        matcher._process.kill()
        matcher._process.wait()
        with pytest.raises(ToolError, match="ended before it was done"):
            matcher.matching(["a"])


def test_where_no_process_can_start_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with LineMatcher(re.compile("a+"), Stop()) as matcher, pytest.raises(ToolError, match="start"):
        matcher.matching(["a"])


async def test_what_rules_hide_is_not_even_tried(root: Path, environment: ToolEnvironment) -> None:
    (root / "secret").write_text(f"{UNLUCKY}\n")
    (root / "open").write_text("aa\n")
    hiding = replace(environment, hidden=(re.compile("secret"),))
    found = await Grep(Workspace(root), None).run({"pattern": ENDLESS}, hiding)
    assert found.content.splitlines() == [
        "open:1:aa",
        "[Not searched, as it must not be shown unasked: 1 file.]",
    ]
