"""Answers that a person cut short, or that broke off: what stays of them, and what they cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.agent.turn_record import INTERRUPTED_ANSWER
from victor.config.settings import Settings
from victor.errors import BadReply, BudgetExceeded, ProviderUnavailable
from victor.events import ReplyDelta, TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import Request, Role
from victor.pairing import problems
from victor.protocols import IProvider
from victor.providers.anthropic_wire import encode_request as for_anthropic
from victor.providers.openai_wire import encode_request as for_openai
from victor.providers.presets import OPENAI
from victor.testing import ScriptedProvider

pytestmark = pytest.mark.anyio

New = Callable[..., AgentOrchestrator]

BROKE_OFF = (TextDelta("It was a dark and stormy"), BadReply("The answer broke off."))


class Halting(ScriptedProvider):
    """Streams deltas, says that it has, and then nothing more; the next reply is whole."""

    def __init__(self, *deltas: ReplyDelta) -> None:
        super().__init__("Whole.", repeat=True)
        self._deltas = deltas
        self.halted = asyncio.Event()

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        if self.halted.is_set():
            async for delta in super().stream(request):
                yield delta
            return
        for delta in self._deltas:
            yield delta
        self.halted.set()
        await asyncio.Event().wait()


async def cancelled(orchestrator: AgentOrchestrator, provider: Halting) -> None:
    turn = asyncio.ensure_future(orchestrator.chat("Tell me a story."))
    await provider.halted.wait()
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn


async def test_what_was_read_of_a_cancelled_answer_stays_and_is_marked(new: New) -> None:
    provider = Halting(
        ThinkingDelta("Hm."),
        TextDelta("Once upon "),
        TextDelta("a time"),
        ToolCallDelta(0, "c1", "read", '{"path": "a'),
    )
    orchestrator = new(provider=provider)
    await cancelled(orchestrator, provider)
    last = orchestrator.context_coordinator.get_context().messages[-1]
    assert last.role is Role.ASSISTANT
    assert last.text == f"Once upon a time{INTERRUPTED_ANSWER}"
    assert not last.tool_calls
    assert (await orchestrator.chat("Go on.")).content == "Whole."
    assert not problems(orchestrator.context_coordinator.get_context().messages)
    await orchestrator.close()


async def test_the_next_request_is_one_that_both_vendors_take(new: New) -> None:
    provider = Halting(TextDelta("Once"), ToolCallDelta(0, "c1", "read", "{"))
    orchestrator = new(provider=provider)
    await cancelled(orchestrator, provider)
    await orchestrator.chat("Go on.")
    request = provider.requests[-1]
    roles = ["user", "assistant", "user"]
    anthropic = for_anthropic(request, 100)["messages"]
    assert [message["role"] for message in anthropic] == roles
    openai = for_openai(request, OPENAI)["messages"]
    assert [message["role"] for message in openai if message["role"] != "system"] == roles
    assert not any("tool_calls" in message for message in openai)
    await orchestrator.close()


@pytest.mark.parametrize("shown", [(), (TextDelta(" \n"),), (ThinkingDelta("Hm."),)])
async def test_an_answer_without_words_leaves_nothing(
    new: New, shown: tuple[ReplyDelta, ...]
) -> None:
    provider = Halting(*shown)
    orchestrator = new(provider=provider)
    await cancelled(orchestrator, provider)
    messages = orchestrator.context_coordinator.get_context().messages
    assert [message.role for message in messages] == [Role.USER]
    await orchestrator.close()


async def test_it_is_on_record_for_whoever_resumes(workspace: Path, tmp_path: Path) -> None:
    def again(provider: IProvider) -> AgentOrchestrator:
        settings = Settings(session_store=str(tmp_path / "sessions.db"))
        return AgentOrchestrator(settings, provider, "m", workspace=workspace)

    provider = Halting(TextDelta("Once upon a time"))
    async with again(provider) as first:
        await cancelled(first, provider)
    later = ScriptedProvider("Whole.")
    async with again(later) as second:
        await second.resume(first.session_id)
        await second.chat("Go on.")
    texts = [message.text for message in later.requests[0].messages]
    assert texts[1] == f"Once upon a time{INTERRUPTED_ANSWER}"


async def test_seconds_that_run_out_keep_what_was_read_as_well(new: New) -> None:
    provider = Halting(TextDelta("Once upon a time"))
    orchestrator = new(provider=provider, budget_turn_seconds=0.05)
    with pytest.raises(BudgetExceeded):
        await orchestrator.chat("Tell me a story.")
    last = orchestrator.context_coordinator.get_context().messages[-1]
    assert last.text == f"Once upon a time{INTERRUPTED_ANSWER}"
    await orchestrator.close()


async def test_a_resumed_session_remembers_what_failed_tries_took(
    workspace: Path, tmp_path: Path
) -> None:
    def again(*replies: object) -> AgentOrchestrator:
        settings = Settings(
            session_store=str(tmp_path / "sessions.db"),
            budget_session_tokens=100_000,
            budget_session_model_calls=5,
            max_retries=1,
        )
        provider = ScriptedProvider(*replies)  # type: ignore[arg-type]  # of several kinds
        return AgentOrchestrator(settings, provider, "m", workspace=workspace)

    async with again(BROKE_OFF, "and the rain fell.") as first:
        await first.chat("Tell me a story.")
        taken = first._conversation.budget
        assert taken is not None
        spent = taken.spent
    assert spent.model_calls == 2
    async with again("x") as later:
        await later.resume(first.session_id)
        assert later._conversation.budget is not None
        assert later._conversation.budget.spent == spent


async def test_so_it_does_of_a_turn_that_failed_in_the_end(workspace: Path, tmp_path: Path) -> None:
    def again(*replies: object) -> AgentOrchestrator:
        settings = Settings(
            session_store=str(tmp_path / "sessions.db"),
            budget_session_tokens=100_000,
            max_retries=0,
        )
        provider = ScriptedProvider(*replies)  # type: ignore[arg-type]  # of several kinds
        return AgentOrchestrator(settings, provider, "m", workspace=workspace)

    async with again(BROKE_OFF) as first:
        with pytest.raises(BadReply):
            await first.chat("Tell me a story.")
        assert first._conversation.budget is not None
        spent = first._conversation.budget.spent
    assert spent.tokens > 0
    async with again("x") as later:
        await later.resume(first.session_id)
        assert later._conversation.budget is not None
        assert later._conversation.budget.spent == spent


async def test_a_provider_that_swallows_cancellation_is_told_of_in_plain_words() -> None:
    class Stubborn:
        """A stream that will not stop."""

        begun = False

        def __aiter__(self) -> Stubborn:
            return self

        async def __anext__(self) -> ReplyDelta:
            if not self.begun:
                self.begun = True
                return TextDelta("Once upon ")
            while True:
                with suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()

        async def aclose(self) -> None:
            pass

    class Provider(ScriptedProvider):
        def stream(self, request: Request) -> Any:
            return Stubborn()

    settings = Settings(ephemeral=True, model_call_timeout=0.05, max_retries=0)
    async with AgentOrchestrator(settings, Provider(), "m") as agent:
        with pytest.raises(ProviderUnavailable, match="has not answered in whole") as failed:
            await agent.chat("Tell me a story.")
    assert failed.value.partial == "Once upon "
