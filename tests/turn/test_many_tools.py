"""More tools than the window has room for: what is sent, what is found, and that it stays."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from victor.agent.coordinators.tool_selection_coordinator import ToolSelectionCoordinator
from victor.agent.orchestrator import AgentOrchestrator
from victor.agent.session_replay import replay
from victor.cli.context_view import show_explanation
from victor.config.settings import Settings
from victor.errors import ConfigError, ProviderError
from victor.events import CoordinatorFailed
from victor.messages import Effect, Request, ToolSpec
from victor.protocols import Mode, ModelInfo, ScoredTool, ToolEnvironment, ToolOutput
from victor.protocols.selection import FIND_TOOLS
from victor.protocols.storage import SessionInfo
from victor.storage.sqlite import SqliteSessionStore
from victor.testing import RecordingObserver, ScriptedProvider, call
from victor.tokens import of_tool
from victor.tools import builtin_tools

pytestmark = pytest.mark.anyio

New = Callable[..., AgentOrchestrator]

VERBS = ("create", "read", "update", "delete", "list", "export", "archive", "share", "lock", "copy")
THINGS = (
    *("ticket", "invoice", "calendar", "contact", "branch", "pipeline", "deployment", "dashboard"),
    *("alert", "document", "spreadsheet", "survey", "campaign", "shipment", "warehouse", "recipe"),
    *("playlist", "reservation", "passport", "telescope", "orchard", "lighthouse"),
)
WINDOW = 100_000


class Remote:
    """One of very many tools."""

    def __init__(self, verb: str, thing: str) -> None:
        properties = {
            "name": {"type": "string", "description": f"Which {thing} to {verb}, by its name"},
            "reason": {"type": "string", "description": "Why, for the log; at most a sentence"},
        }
        self.spec = ToolSpec(
            f"mcp__office__{verb}_{thing}",
            f"{verb.capitalize()} a {thing} in the office system, as its owner would.",
            {"type": "object", "properties": properties, "required": ["name"]},
            Effect.READ_ONLY,
        )

    def paths(self, arguments: Any, environment: ToolEnvironment) -> tuple[Path, ...]:
        return ()

    async def run(self, arguments: Any, environment: ToolEnvironment) -> ToolOutput:
        return ToolOutput(f"{self.spec.name} of {arguments['name']}")


REMOTE = tuple(Remote(verb, thing) for thing in THINGS for verb in VERBS)


def own(workspace: Path) -> tuple[Any, ...]:
    """Return the tools as an application gives them: `find_tools` is added by Victor."""
    built_in = (tool for tool in builtin_tools(workspace) if tool.spec.name != FIND_TOOLS)
    return (*built_in, *REMOTE)


def names(request: Request) -> list[str]:
    return [tool.name for tool in request.tools]


def results(request: Request) -> list[str]:
    return [part.content for message in request.messages for part in message.tool_results]


async def test_the_model_finds_what_it_was_not_told_of_and_calls_it(
    new: New, workspace: Path
) -> None:
    provider = ScriptedProvider(
        [call(FIND_TOOLS, query="turn off the light of a lighthouse: lock it")],
        [call("mcp__office__lock_lighthouse", name="Fastnet")],
        "Locked.",
        "Hello again.",
    )
    made = new(provider=provider, tools=own(workspace), context_window=WINDOW)
    await made.chat("What is new?")
    made.set_mode(Mode.PLAN)
    await made.chat("And the telescopes?")

    first, second, third, last = provider.requests
    assert sum(map(of_tool, first.tools)) < WINDOW / 10
    assert {"read", "edit", "shell", "grep", "todo", FIND_TOOLS} <= set(names(first))
    assert "mcp__office__lock_lighthouse" not in names(first)
    assert "mcp__office__lock_lighthouse" in names(second)
    assert second.tools[: len(first.tools)] == first.tools
    assert second.tools == third.tools == last.tools
    found, gave = results(third)
    assert "mcp__office__lock_lighthouse(name: string, reason?: string)\n    Lock a" in found
    assert found.endswith("search again in other words.")
    assert gave == "mcp__office__lock_lighthouse of Fastnet"
    search = first.tools[names(first).index(FIND_TOOLS)]
    assert "mcp__office__*: create_ticket, read_ticket" in search.description
    assert of_tool(search) < 1_000
    await made.close()


async def test_a_call_by_its_right_name_needs_no_search(new: New, workspace: Path) -> None:
    provider = ScriptedProvider(
        [call("mcp__office__copy_orchard", reason="no name given")],
        [call("mcp__office__copy_orchard", name="North")],
        "Copied.",
    )
    made = new(provider=provider, tools=own(workspace), context_window=WINDOW)
    await made.chat("Hello")

    first, second, third = provider.requests
    assert "mcp__office__copy_orchard" not in names(first)
    assert names(second) == [*names(first), "mcp__office__copy_orchard"]
    refused, gave = results(third)
    assert "name" in refused
    assert "Nothing ran" in refused
    assert gave == "mcp__office__copy_orchard of North"
    await made.close()


async def test_a_name_that_is_nearly_right_is_answered_with_the_nearest(
    new: New, workspace: Path
) -> None:
    provider = ScriptedProvider([call("office_copy_orchard", name="North")], "Sorry.")
    made = new(provider=provider, tools=own(workspace), context_window=WINDOW)
    await made.chat("Hello")

    (told,) = results(provider.requests[1])
    assert "There is no tool 'office_copy_orchard'" in told
    assert "mcp__office__copy_orchard" in told
    assert len(told) < 1_000
    await made.close()


async def test_what_was_found_before_a_crash_is_sent_after_it(
    new: New, workspace: Path, tmp_path: Path
) -> None:
    given: dict[str, Any] = {
        "tools": own(workspace),
        "context_window": WINDOW,
        "ephemeral": False,
        "session_store": str(tmp_path / "sessions.db"),
    }
    provider = ScriptedProvider(
        [call(FIND_TOOLS, query="mcp__office__share_survey")], ProviderError("It is down.")
    )
    made = new(provider=provider, **given)
    with pytest.raises(ProviderError):
        await made.chat("What is new?")
    session = made.session_id
    await made.close()

    after = ScriptedProvider("Here again.")
    resumed = new(provider=after, **given)
    await resumed.resume(session)
    await resumed.chat("Go on about lighthouses")

    assert after.requests[0].tools == provider.requests[1].tools
    assert names(after.requests[0])[-1] == "mcp__office__share_survey"
    await resumed.close()


async def test_a_search_that_a_crash_cut_short_is_made_when_the_session_goes_on(
    new: New, workspace: Path, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"tools": own(workspace), "context_window": WINDOW}
    provider = ScriptedProvider([call(FIND_TOOLS, query="share a survey")], "Found.")
    made = new(provider=provider, **given)
    await made.chat("Hello")
    asked, reply, *_ = await made.session_coordinator.load(made.session_id)
    await made.close()
    store = SqliteSessionStore(tmp_path / "sessions.db")
    info = SessionInfo("broken", "", str(workspace), "scripted", "m", 1.0, 1.0)
    await store.add(info, (asked, reply))
    await store.aclose()

    after = ScriptedProvider("Here again.")
    resumed = new(
        provider=after, ephemeral=False, session_store=str(tmp_path / "sessions.db"), **given
    )
    await resumed.resume("broken")
    await resumed.chat("Go on")
    assert after.requests[0].tools == provider.requests[1].tools
    assert results(after.requests[0]) == results(provider.requests[1])
    await resumed.close()


async def test_an_earlier_turn_is_explained_as_it_was(new: New, workspace: Path) -> None:
    provider = ScriptedProvider(
        "One.", [call(FIND_TOOLS, query="archive recipes")], "Two.", "Three."
    )
    made = new(provider=provider, tools=own(workspace), context_window=WINDOW)
    await made.chat("Export the telescope")
    before = await made.explain("tools")
    for words in ("Now cook", "Thanks"):
        await made.chat(words)
    again, last = await made.explain("tools", turn=1), await made.explain("tools")

    assert again == before
    assert before.facts["not offered"] == len(own(workspace)) - len(provider.requests[0].tools) + 1
    why = {part.name: part.why for part in before.parts}
    assert why["shell"] == "it is essential"
    assert why["mcp__office__export_telescope"].startswith("chosen by the words of turn 1")
    left_out = [part for part in before.parts if not part.figures["offered"]]
    assert left_out[0].why.startswith("deferred; by the words of turn 1: ")
    assert left_out[0].figures["score"] >= left_out[1].figures["score"] > 0
    assert why["mcp__office__archive_recipe"].startswith("deferred")
    now = {part.name: part.why for part in last.parts}
    assert now["mcp__office__export_telescope"] == why["mcp__office__export_telescope"]
    assert now["mcp__office__archive_recipe"].startswith("found by the search 'archive recipes'")
    assert "of turn 2" in now["mcp__office__archive_recipe"]
    left_out = [part for part in last.parts if not part.figures["offered"]]
    assert left_out[0].why.startswith("deferred; by the search 'archive recipes': ")
    await made.close()


async def test_before_the_first_turn_it_is_told_what_would_be_sent(
    new: New, workspace: Path
) -> None:
    made = new("Hi.", tools=own(workspace), context_window=WINDOW)
    told = await made.explain("tools")
    picture = await made.context_picture()

    assert told.facts["not offered"] == 220 + 5  # and those of Victor's that are not essential
    assert {part.figures["offered"] for part in told.parts if part.name == "shell"} == {True}
    console = Console(file=io.StringIO(), width=80, no_color=True)
    show_explanation(console, told)
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # it is the one given above
    assert "215 more are not offered" in shown
    assert len(shown.splitlines()) < 70
    assert picture.tools < WINDOW / 10
    await made.close()


async def test_a_subagent_makes_a_choice_of_its_own(new: New) -> None:
    provider = ScriptedProvider(
        [call("task", prompt="How does the repository stand?")],
        [call(FIND_TOOLS, query="the state of the git repository")],
        "Unchanged.",
        "Done.",
    )
    made = new(provider=provider, max_tools=15)
    await made.chat("Have somebody look at the repository")
    await made.close()

    asked, begun, found, last = map(names, provider.requests)
    assert "git" not in asked + begun
    assert FIND_TOOLS in begun
    assert found == [*begun, "git", *found[len(begun) + 1 :]]
    assert last == asked


async def test_a_session_with_searches_is_had_again_without_a_difference(
    new: New, workspace: Path
) -> None:
    provider = ScriptedProvider(
        [call(FIND_TOOLS, query="delete a passport")],
        [call("mcp__office__delete_passport", name="mine")],
        "Deleted.",
        [call("mcp__office__lock_branch", name="main")],
        "Locked.",
    )
    made = new(provider=provider, tools=own(workspace), context_window=WINDOW)
    for words in ("Hello", "Lock it"):
        await made.chat(words)
    records = await made.session_coordinator.load(made.session_id)
    specs = made.tool_coordinator.specs
    await made.close()

    settings = Settings(ephemeral=True, context_window=WINDOW)
    again = await replay(records, settings, workspace=workspace, specs=specs)
    assert (again.model_calls, again.divergences) == (5, ())


class Moody:
    """A strategy that fails from the second time on."""

    def __init__(self) -> None:
        self.asked = 0

    def rank(self, task: str, tools: tuple[ToolSpec, ...]) -> tuple[ScoredTool, ...]:
        self.asked += 1
        if self.asked > 1:
            raise RuntimeError("not today")
        return tuple(ScoredTool(tool, 0.0, "") for tool in tools)


async def test_a_search_that_fails_is_told_and_the_turn_goes_on(new: New, workspace: Path) -> None:
    heard = RecordingObserver()
    provider = ScriptedProvider([call(FIND_TOOLS, query="anything")], "Well.")
    made = new(
        provider=provider,
        tools=own(workspace),
        context_window=WINDOW,
        tool_selection_coordinator=ToolSelectionCoordinator(Moody()),
    )
    made.add_observer(heard)
    assert (await made.chat("Hello")).content == "Well."
    (told,) = results(provider.requests[1])
    assert told.startswith("No tool was found for 'anything'.")
    (failed,) = [event for event in heard.events if isinstance(event, CoordinatorFailed)]
    assert (failed.coordinator, failed.operation) == ("tool_selection", "find")
    await made.close()


class Everything:
    """A coordinator of an application's own that cannot search."""

    async def select(self, task: str, tools: tuple[ToolSpec, ...]) -> tuple[ToolSpec, ...]:
        return tools


async def test_who_cannot_search_is_not_given_the_tool_for_it(new: New) -> None:
    provider = ScriptedProvider("Hi.")
    made = new(provider=provider, tool_selection_coordinator=Everything())
    await made.chat("Hello")
    assert "read" in names(provider.requests[0])
    assert FIND_TOOLS not in names(provider.requests[0])
    await made.close()


async def test_with_the_strategy_all_everything_is_sent(new: New, workspace: Path) -> None:
    provider = ScriptedProvider("Hi.")
    made = new(
        provider=provider,
        tools=own(workspace),
        context_window=WINDOW,
        tool_selection_strategy="all",
        max_tools=300,
    )
    await made.chat("Hello")
    assert len(provider.requests[0].tools) == len(own(workspace))
    await made.close()


class Small(ScriptedProvider):
    """A model with little room."""

    def model_info(self, model: str) -> ModelInfo:
        return ModelInfo(model, 8_192, 1_024, input_price=0.0, output_price=0.0)


async def test_a_switch_to_a_small_model_leaves_it_most_of_its_window(
    new: New, workspace: Path
) -> None:
    large = ScriptedProvider(
        [call(FIND_TOOLS, query=f"{verb} a ticket") for verb in VERBS], "Found.", name="large"
    )
    made = new(provider=large, tools=own(workspace))
    await made.chat("What is new?")
    small = Small("Hi.", name="small")
    made.switch(small, "m")
    await made.chat("Hello")

    before, after = large.requests[-1].tools, small.requests[0].tools
    assert sum(map(of_tool, after)) <= 8_192 // 3 < sum(map(of_tool, before))
    assert {"read", "shell", FIND_TOOLS} <= set(names(small.requests[0]))
    assert [tool for tool in before if tool in after] == list(after)
    await made.close()


def test_a_tool_of_one_s_own_cannot_take_its_name(new: New) -> None:
    mine = Remote("find", "tools")
    mine.spec = ToolSpec(FIND_TOOLS, "Find my tools.", {"type": "object"})
    with pytest.raises(ConfigError, match="find_tools"):
        new(tools=(mine,))
