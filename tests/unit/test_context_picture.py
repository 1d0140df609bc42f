"""The picture of the window: its parts are the window, to the token."""

from __future__ import annotations

import pytest

from victor import tokens
from victor.calibration import Fit
from victor.context_picture import ContextPicture, picture
from victor.messages import ToolCall, ToolResult, ToolSpec, assistant, tool_results, user

MESSAGES = (
    user("Read the notes."),
    assistant("", ToolCall("c1", "read", {})),
    tool_results(ToolResult("c1", "text " * 100)),
    assistant("Read."),
)
TOOL = ToolSpec("read", "Read a file.", {"type": "object"})


def shown(window: int = 10_000, fit: Fit | None = None) -> ContextPicture:
    return picture(
        MESSAGES,
        provider="acme",
        model="m",
        system="Be kind.",
        tools=(TOOL,),
        window=window,
        reserve=1_000,
        threshold=0.8,
        fit=fit or Fit(),
    )


@pytest.mark.parametrize("fit", [Fit(), Fit(1.37, 3, 0.02)])
@pytest.mark.parametrize("window", [10_000, 1_100])
def test_the_parts_add_up_to_the_window(window: int, fit: Fit) -> None:
    found = shown(window, fit)
    assert found.used + found.reserve + found.free == window
    assert found.messages == 4


def test_each_message_goes_to_who_said_it() -> None:
    found = shown()
    assert found.user == tokens.of_message(MESSAGES[0])
    assert found.results == tokens.of_message(MESSAGES[2])
    assert found.assistant == tokens.of_message(MESSAGES[1]) + tokens.of_message(MESSAGES[3])
    assert found.compacts_at == int((9_000 - found.system - found.tools) * 0.8)


def test_what_the_vendor_counts_scales_it() -> None:
    assert shown(fit=Fit(2.0, 1, 0.0)).results == 2 * shown().results
