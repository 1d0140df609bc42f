"""One turn, from the user's message to the response."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from victor.agent.coordinators.provider_coordinator import ProviderCoordinator
from victor.agent.orchestrator import AgentOrchestrator
from victor.errors import (
    AuthenticationError,
    ProviderUnavailable,
    SessionError,
    TurnInProgress,
    UnknownNameError,
    VictorError,
    WorkflowError,
    WrongEventLoop,
)
from victor.events import (
    CheckpointTaken,
    Event,
    ModeChanged,
    ProviderSwitched,
    ReplyReceived,
    SessionStarted,
    StepStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallEnded,
    ToolCallReviewed,
    ToolCallStarted,
    TurnCancelled,
    TurnEnded,
    TurnFailed,
    TurnStarted,
)
from victor.messages import (
    Effect,
    Request,
    Role,
    StopReason,
    ToolChoice,
    ToolResult,
    assistant,
    tool_results,
    user,
)
from victor.pairing import INTERRUPTED, problems
from victor.protocols import Endpoint, Mode
from victor.testing import RecordingObserver, ScriptedProvider, call
from victor.tools.decorator import tool

pytestmark = pytest.mark.anyio

New = Callable[..., AgentOrchestrator]


async def events_of(orchestrator: AgentOrchestrator, text: str = "hi") -> list[Event]:
    return [event async for event in orchestrator.events(text)]


async def test_a_text_turn_gives_the_models_words_and_nothing_else(new: New) -> None:
    orchestrator = new("Hello!")
    response = await orchestrator.chat("Hi")
    assert response.content == "Hello!"
    assert response.messages == (user("Hi"), assistant("Hello!"))
    assert response.stop_reason is StopReason.END
    assert response.session_id == orchestrator.session_id
    assert response.usage.total == 15


async def test_streaming_gives_the_same_text_as_chat(new: New) -> None:
    orchestrator = new([TextDelta("Hel"), TextDelta("lo")])
    pieces = [chunk.content async for chunk in orchestrator.stream_chat("Hi")]
    assert pieces == ["Hel", "lo"]


async def test_the_events_of_a_turn_with_a_tool_come_in_the_documented_order(
    new: New, tools: Any
) -> None:
    orchestrator = new(call("look", at="x"), "Done.", tools=tools)
    kinds = [type(event) for event in await events_of(orchestrator)]
    assert kinds == [
        SessionStarted,
        TurnStarted,
        StepStarted,
        ToolCallDelta,
        ReplyReceived,
        ToolCallReviewed,
        ToolCallStarted,
        ToolCallEnded,
        StepStarted,
        TextDelta,
        ReplyReceived,
        TurnEnded,
    ]


async def test_the_wait_for_the_first_piece_is_told_with_the_reply(new: New) -> None:
    happened = await events_of(new("Hello"))
    (received,) = [event for event in happened if isinstance(event, ReplyReceived)]
    assert received.first_token_seconds is not None
    assert 0 <= received.first_token_seconds <= received.seconds


async def test_the_model_is_sent_the_results_of_its_calls_in_order(new: New, tools: Any) -> None:
    calls = [call("look", call_id="a", at="1"), call("look", call_id="b", at="2")]
    provider = ScriptedProvider(calls, "Done.")
    await new(provider=provider, tools=tools).chat("Look")
    sent = provider.requests[1].messages
    assert sent == (
        user("Look"),
        assistant("", *calls),
        tool_results(ToolResult("a", "saw 1"), ToolResult("b", "saw 2")),
    )


async def test_the_conversation_goes_on_from_turn_to_turn(new: New) -> None:
    provider = ScriptedProvider("One.", "Two.")
    orchestrator = new(provider=provider)
    await orchestrator.chat("first")
    await orchestrator.chat("second")
    assert [message.text for message in provider.requests[1].messages] == [
        "first",
        "One.",
        "second",
    ]


async def test_the_prefix_is_the_same_bytes_in_every_step_and_mode(new: New, tools: Any) -> None:
    provider = ScriptedProvider(call("look"), "a", "b")
    orchestrator = new(provider=provider, tools=tools)
    await orchestrator.chat("one")
    orchestrator.set_mode("plan")
    await orchestrator.chat("two")
    first, *others = provider.requests
    assert all(request.system == first.system for request in others)
    assert all(request.tools == first.tools for request in others)
    assert len(others) == 2


async def test_at_most_max_tool_iterations_steps_use_tools_then_the_model_must_answer(
    new: New, tools: Any
) -> None:
    provider = ScriptedProvider(call("look"), call("look"), "That is all.")
    orchestrator = new(provider=provider, tools=tools, max_tool_iterations=2)
    response = await orchestrator.chat("Go on for ever")
    assert response.content == "That is all."
    assert response.stop_reason is StopReason.MAX_TOOL_ITERATIONS
    assert [request.tool_choice for request in provider.requests] == [
        ToolChoice.AUTO,
        ToolChoice.AUTO,
        ToolChoice.NONE,
    ]


async def test_a_model_that_calls_tools_even_then_gets_no_more_of_them(
    new: New, tools: Any
) -> None:
    orchestrator = new(call("poke"), call("poke"), tools=tools, max_tool_iterations=1)
    happened = await events_of(orchestrator)
    assert sum(isinstance(event, ToolCallStarted) for event in happened) == 1
    ended = happened[-1]
    assert isinstance(ended, TurnEnded)
    assert "limit" in ended.response.content
    assert not problems(orchestrator.context_coordinator.get_context().messages)


async def test_an_unknown_tool_is_an_error_result_that_names_the_known_ones(
    new: New, tools: Any
) -> None:
    provider = ScriptedProvider(call("lok"), "Sorry.")
    await new(provider=provider, tools=tools).chat("Look")
    (result,) = provider.requests[1].messages[-1].tool_results
    assert result.is_error
    assert "look" in result.content


async def test_a_tool_that_hangs_is_ended_after_its_timeout(new: New) -> None:
    @tool(effect=Effect.READ_ONLY)
    async def hang() -> str:
        """Hang."""
        await asyncio.Event().wait()
        return ""

    provider = ScriptedProvider(call("hang"), "I see.")
    orchestrator = new(provider=provider, tools=(hang,), tool_calling_timeout=0.02)
    assert (await orchestrator.chat("Hang")).content == "I see."
    (result,) = provider.requests[1].messages[-1].tool_results
    assert result.is_error
    assert "0.02" in result.content


async def test_plan_mode_runs_reads_and_denies_effects(new: New, tools: Any) -> None:
    calls = [call("look", call_id="r"), call("poke", call_id="w")]
    provider = ScriptedProvider(calls, "Planned.")
    orchestrator = new(provider=provider, tools=tools, mode="plan")
    await orchestrator.chat("Plan")
    read, poked = provider.requests[1].messages[-1].tool_results
    assert not read.is_error
    assert poked.is_error
    assert "plan" in poked.content


async def test_changing_the_mode_is_an_event_and_an_unknown_one_is_refused(new: New) -> None:
    orchestrator, heard = new(), RecordingObserver()
    orchestrator.add_observer(heard)
    orchestrator.set_mode(Mode.EXPLORE)
    assert orchestrator.mode is Mode.EXPLORE
    assert heard.events == [ModeChanged("build", "explore")]
    with pytest.raises(UnknownNameError, match="explore"):
        orchestrator.set_mode("explor")


async def test_without_anybody_to_ask_what_must_be_asked_is_denied(
    new: New, workspace: Path
) -> None:
    provider = ScriptedProvider(call("write", path="new.txt", content="x"), "Not allowed.")
    await new(provider=provider, approve="ask").chat("Write")
    assert provider.requests[1].messages[-1].tool_results[0].is_error
    assert not (workspace / "new.txt").exists()


async def test_the_applications_own_tools_need_no_approval(new: New, tools: Any) -> None:
    provider = ScriptedProvider(call("poke", at="x"), "Poked.")
    await new(provider=provider, tools=tools, approve="ask").chat("Poke")
    assert provider.requests[1].messages[-1].tool_results[0].content == "poked x"


async def test_a_provider_error_ends_the_turn_and_keeps_the_users_message(new: New) -> None:
    provider = ScriptedProvider(AuthenticationError("no such key"), "Better.")
    orchestrator = new(provider=provider)
    heard = RecordingObserver()
    orchestrator.add_observer(heard)
    with pytest.raises(AuthenticationError):
        await orchestrator.chat("first")
    assert isinstance(heard.events[-1], TurnFailed)
    assert (await orchestrator.chat("second")).content == "Better."
    assert [message.text for message in provider.requests[1].messages] == ["first", "second"]


async def test_another_endpoint_takes_over_before_anything_was_shown(new: New) -> None:
    spare = ScriptedProvider("From the spare.", name="spare")
    orchestrator = new(
        provider_coordinator=ProviderCoordinator(
            ScriptedProvider(ProviderUnavailable("down")), "m", fallbacks=(Endpoint(spare, "n"),)
        )
    )
    happened = await events_of(orchestrator)
    switched = [event for event in happened if isinstance(event, ProviderSwitched)]
    assert [(event.provider, event.model) for event in switched] == [("spare", "n")]
    assert spare.requests[0].model == "n"


async def test_what_the_settings_know_of_a_model_limits_its_replies(new: New) -> None:
    provider = ScriptedProvider("Hi.", name="mine")
    said = {"max_output": 900, "input_price": 1.0, "output_price": 10.0}
    response = await new(provider=provider, models={"mine:m": said}).chat("hello")
    assert provider.requests[0].max_tokens == 900
    assert response.cost == pytest.approx((10 + 50) / 1_000_000)


async def test_no_other_endpoint_takes_over_once_text_was_shown(new: New) -> None:
    spare = ScriptedProvider("From the spare.")
    broken = ScriptedProvider([TextDelta("Hal"), ProviderUnavailable("down")])
    orchestrator = new(
        provider_coordinator=ProviderCoordinator(broken, "m", fallbacks=(Endpoint(spare, "n"),))
    )
    with pytest.raises(ProviderUnavailable) as failure:
        await orchestrator.chat("hi")
    assert failure.value.partial == "Hal"
    assert spare.requests == []


async def test_switching_the_model_holds_from_the_next_call_on(new: New) -> None:
    first, second = ScriptedProvider("a"), ScriptedProvider("b", name="other")
    orchestrator = new(provider=first)
    await orchestrator.chat("one")
    orchestrator.switch(second, "n")
    assert (await orchestrator.chat("two")).provider == "other"
    assert second.requests[0].messages[0] == user("one")
    assert orchestrator.config_coordinator.get_config()["model"] == "n"


async def test_a_second_turn_at_the_same_time_is_refused(new: New) -> None:
    started = asyncio.Event()

    async def wait(_: object) -> str:
        started.set()
        await asyncio.Event().wait()
        return ""

    orchestrator = new(wait)
    running = asyncio.create_task(orchestrator.chat("one"))
    await started.wait()
    with pytest.raises(TurnInProgress):
        await orchestrator.chat("two")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_cancelling_leaves_a_valid_history_with_a_result_for_every_call(new: New) -> None:
    started = asyncio.Event()

    @tool(effect=Effect.EFFECTFUL)
    async def hang() -> str:
        """Hang."""
        started.set()
        await asyncio.Event().wait()
        return ""

    provider = ScriptedProvider(call("hang"), "Going on.")
    orchestrator = new(provider=provider, tools=(hang,))
    heard = RecordingObserver()
    orchestrator.add_observer(heard)
    running = asyncio.create_task(orchestrator.chat("one"))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert isinstance(heard.events[-1], TurnCancelled)
    messages = orchestrator.context_coordinator.get_context().messages
    assert not problems(messages)
    assert messages[-1].tool_results[0].content == INTERRUPTED
    assert (await orchestrator.chat("two")).content == "Going on."


async def test_a_reader_that_leaves_cancels_the_turn(new: New) -> None:
    provider = ScriptedProvider([TextDelta(str(n)) for n in range(100)], "Again.")
    orchestrator = new(provider=provider)
    async with aclosing(orchestrator.stream_chat("one")) as chunks:
        async for _ in chunks:
            break
    assert not problems(orchestrator.context_coordinator.get_context().messages)
    assert (await orchestrator.chat("two")).content == "Again."


async def test_a_slow_reader_misses_nothing(new: New) -> None:
    orchestrator = new([TextDelta(str(n)) for n in range(100)])
    read = []
    async for chunk in orchestrator.stream_chat("count"):
        await asyncio.sleep(0)
        read.append(chunk.content)
    assert read == [str(n) for n in range(100)]


async def test_prompt_context_reaches_the_contributors_for_one_turn_or_for_all(new: New) -> None:
    seen: list[Any] = []

    class Spy:
        def priority(self) -> int:
            return 50

        async def get_contribution(self, context: Any) -> str:
            seen.append((context.get("team"), context.get("urgent"), context["task"]))
            return ""

    orchestrator = new("a", "b")
    orchestrator.prompt_coordinator.add_contributor(Spy())
    orchestrator.prompt_context["team"] = "red"
    await orchestrator.chat("one", prompt_context={"urgent": True})
    await orchestrator.chat("two")
    assert seen == [("red", True, "one"), ("red", None, "two")]


async def test_a_session_is_recorded_and_resumed_by_another_orchestrator(new: New) -> None:
    first = new("Blue.", ephemeral=False)
    await first.chat("My favourite colour?")
    await first.close()
    provider = ScriptedProvider("As I said: blue.")
    second = new(provider=provider, ephemeral=False)
    messages = await second.resume("last")
    assert messages == (user("My favourite colour?"), assistant("Blue."))
    await second.chat("Again?")
    assert len(provider.requests[0].messages) == 3
    assert second.session_id == first.session_id
    (info,) = await second.sessions()
    assert (info.id, info.turns) == (first.session_id, 2)
    await second.close()


async def test_a_summary_may_be_written_by_a_model_of_its_own(new: New) -> None:
    def play(request: Request) -> str:
        return "A summary." if request.model == "cheap" else "word " * 300

    provider = ScriptedProvider(play, repeat=True)
    orchestrator = new(
        provider=provider,
        summary_model="cheap",
        context_compaction_strategy="summarization",
        context_window=6_000,
    )
    for _ in range(15):
        await orchestrator.chat("Go on")
    assert "cheap" in [request.model for request in provider.requests]
    assert any("A summary." in m.text for m in provider.requests[-1].messages)


async def test_the_mode_is_told_behind_the_users_words_when_it_changes(new: New) -> None:
    provider = ScriptedProvider(*["ok"] * 4)
    orchestrator = new(provider=provider)
    await orchestrator.chat("one")
    orchestrator.set_mode("plan")
    await orchestrator.chat("two")
    await orchestrator.chat("three")
    orchestrator.set_mode("build")
    await orchestrator.chat("four")
    said = [m.text for m in provider.requests[-1].messages if m.role is Role.USER]
    assert said[0] == "one"
    assert said[1].startswith("two\n\nMode: plan")
    assert said[2] == "three"
    assert said[3].startswith("four\n\nMode: build")


async def test_resuming_after_a_turn_is_refused(new: New) -> None:
    orchestrator = new("a")
    await orchestrator.chat("one")
    with pytest.raises(SessionError, match="has begun"):
        await orchestrator.resume()


async def test_undo_takes_back_the_last_turns_changes(new: New, workspace: Path) -> None:
    read = call("read", path="hello.txt")
    orchestrator = new([read, call("write", path="hello.txt", content="changed\n")], "Written.")
    happened = await events_of(orchestrator)
    assert any(isinstance(event, CheckpointTaken) for event in happened)
    assert (workspace / "hello.txt").read_text() == "changed\n"
    assert "hello.txt" in str(await orchestrator.preview_undo())
    await orchestrator.undo()
    assert (workspace / "hello.txt").read_text() == "hello\n"


async def test_another_event_loop_is_refused(new: New) -> None:
    orchestrator = new("a", "b")
    await orchestrator.chat("one")
    caught: list[Exception] = []

    def elsewhere() -> None:
        try:
            asyncio.run(orchestrator.chat("two"))
        except VictorError as failure:
            caught.append(failure)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert isinstance(caught[0], WrongEventLoop)


async def test_a_closed_orchestrator_says_so_and_closes_twice(new: New) -> None:
    async with new("a") as orchestrator:
        await orchestrator.chat("one")
    await orchestrator.close()
    with pytest.raises(VictorError, match="closed"):
        await orchestrator.chat("two")


async def test_health_lists_all_fifteen(new: New) -> None:
    assert set(new().health()) >= {
        "config", "provider", "mode", "prompt", "context", "tool_selection", "chat", "safety",
        "checkpoint", "tool", "session", "metrics", "analytics", "workflow", "evaluation",
    }  # fmt: skip


async def test_an_unknown_coordinator_name_is_refused(new: New) -> None:
    with pytest.raises(UnknownNameError, match="chat_coordinator"):
        new(chatt_coordinator=object())


async def test_a_workflow_runs_over_the_conversation(new: New, tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(
        "name: greet\n"
        "steps:\n"
        "  - id: read\n    tool: read\n    arguments: {path: hello.txt}\n"
        "  - id: say\n    prompt: 'Repeat: {{ steps.read }}'\n"
    )
    provider = ScriptedProvider("hello it is")
    orchestrator = new(provider=provider)
    result = await orchestrator.run_workflow(file)
    assert result.status == "done"
    assert "hello" in provider.requests[0].messages[0].text
    assert [message.role for message in provider.requests[0].messages] == [Role.USER]


async def test_tool_calls_of_a_workflow_are_reviewed_like_the_models_own(
    new: New, tmp_path: Path
) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(
        "name: greet\n"
        "steps:\n"
        "  - id: w\n    tool: write\n    arguments: {path: new.txt, content: x}\n"
    )
    with pytest.raises(WorkflowError, match="the mode is plan"):
        await new(mode="plan").run_workflow(file)
    assert not (tmp_path / "new.txt").exists()


async def test_an_evaluation_gives_each_try_a_conversation_and_a_folder_of_its_own(
    new: New, tmp_path: Path
) -> None:
    file = tmp_path / "suite.yaml"
    file.write_text(
        "name: small\n"
        "tasks:\n"
        "  - id: greet\n    prompt: Say hello\n    checks:\n      - regex: '(?i)hello'\n"
    )
    provider = ScriptedProvider("Hello.", "Goodbye.")
    report = await new(provider=provider).evaluate(file, tries=2)
    assert (report.passed, report.tried) == (1, 2)
    assert [len(request.messages) for request in provider.requests] == [1, 1]


async def test_reloading_the_configuration_keeps_the_models_own_choice(
    new: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = ScriptedProvider(*["x"] * 3)
    orchestrator = new(provider=provider)
    await orchestrator.chat("one")
    monkeypatch.setenv("VICTOR_TEMPERATURE", "0.5")
    await orchestrator.reload_config()
    await orchestrator.chat("two")
    assert [request.temperature for request in provider.requests] == [None, 0.5]
