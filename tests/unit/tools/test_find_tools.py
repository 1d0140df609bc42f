"""`find_tools` itself: it says what to search for."""

from __future__ import annotations

from pathlib import Path

import pytest

from victor.errors import ToolError
from victor.messages import Effect
from victor.protocols import Access, ToolEnvironment
from victor.protocols.selection import FIND_TOOLS
from victor.tools import fit_arguments
from victor.tools.find_tools import FindTools

pytestmark = pytest.mark.anyio


async def test_it_asks_for_a_search_and_touches_nothing(tmp_path: Path) -> None:
    tool, environment = FindTools(), ToolEnvironment(tmp_path)
    arguments = {"query": " send\n a  mail "}

    output = await tool.run(arguments, environment)

    assert output.search == "send a mail"
    assert tool.access(arguments, environment) == Access()
    assert tool.paths(arguments, environment) == ()
    assert (tool.spec.name, tool.spec.effect) == (FIND_TOOLS, Effect.READ_ONLY)


async def test_nothing_cannot_be_searched_for(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="few words"):
        await FindTools().run({"query": " \n"}, ToolEnvironment(tmp_path))
    with pytest.raises(ToolError):
        fit_arguments(FindTools.spec, {"query": "x" * 501})
