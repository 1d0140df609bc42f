"""Compaction by hand with its receipt, taking it back, the picture of the window, explanations."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from victor.agent.coordinators.provider_coordinator import ProviderCoordinator
from victor.agent.orchestrator import AgentOrchestrator
from victor.cli.context_view import WIDTH, accuracy, receipt, shares, show_explanation, show_picture
from victor.cli.desk import Desk
from victor.cli.slash_commands import run_command
from victor.config.settings import Settings, as_mapping
from victor.context_picture import Counted
from victor.errors import (
    ContextExceeded,
    ProviderError,
    ProviderUnavailable,
    SessionNotFound,
    UnknownNameError,
)
from victor.events import ContextCompacted
from victor.explanations import Topic
from victor.messages import Request, Usage
from victor.protocols import Endpoint
from victor.testing import RecordingObserver, ScriptedProvider, call
from victor.tokens import MESSAGE_TOKENS

pytestmark = pytest.mark.anyio

New = Callable[..., AgentOrchestrator]
SUMMARY = "## Goal\n- the port is 48211"


def summarized(request: Request) -> str:
    return SUMMARY if "memory of a coding assistant" in request.system else "word " * 300


async def talked(new: New, turns: int = 8, **more: Any) -> tuple[AgentOrchestrator, Any]:
    provider = ScriptedProvider(summarized, repeat=True, context_window=200_000, max_output=4_000)
    made = new(provider=provider, context_compaction_strategy="summarization", **more)
    for turn in range(turns):
        await made.chat(f"Step {turn}.")
    return made, provider


async def test_compaction_by_hand_gives_a_receipt_and_follows_the_focus(new: New) -> None:
    made, provider = await talked(new)
    heard = RecordingObserver()
    made.add_observer(heard)
    before = made.context_coordinator.token_count()
    done = await made.compact("the port number")

    assert isinstance(done, ContextCompacted)
    assert (done.reason, done.strategy, done.tokens_before) == (
        "asked for, above all to keep: the port number",
        "summarization",
        before,
    )
    assert done.tokens_after == made.context_coordinator.token_count() < before * 0.6
    assert done.summary_tokens == 15
    assert done.cost == 0.0
    assert "1 summary written" in done.what
    assert done in heard.events
    assert "the port number" in provider.requests[-1].system
    assert "the port number" not in provider.requests[-2].system
    assert "1 summary written" in receipt(done)
    await made.chat("Go on.")
    assert SUMMARY in "".join(message.text for message in provider.requests[-1].messages)


async def test_what_was_left_out_comes_back_and_a_resumed_session_sees_the_same(
    new: New, tmp_path: Path
) -> None:
    recorded: dict[str, Any] = {"ephemeral": False, "session_store": str(tmp_path / "s.db")}
    made, _ = await talked(new, **recorded)
    before = made.context_coordinator.get_context().messages
    done = await made.compact()
    assert done is not None
    assert Path(done.kept).read_text().count("Step 1.") == 0  # The user's own words stayed.
    after = made.context_coordinator.get_context().messages
    await made.close()

    again = new("ok", **recorded)
    assert await again.resume() == after
    explained = await again.explain(Topic.CONTEXT)
    assert (explained.parts[0].name, explained.parts[0].why) == ("compaction", "asked for")
    assert explained.parts[0].figures["kept"] == done.kept
    assert await again.undo_compaction()
    assert again.context_coordinator.get_context().messages == before
    assert not await again.undo_compaction()
    await again.close()

    last = new("ok", **recorded)
    assert await last.resume() == before
    await last.close()


async def test_where_nothing_can_be_left_out_nothing_is_done(new: New) -> None:
    made = new("Hello.")
    assert await made.compact() is None
    assert not await made.undo_compaction()
    await made.chat("Hi")
    assert await made.compact() is None


async def test_a_failing_summary_falls_back_to_truncation(new: New) -> None:
    def fails(request: Request) -> str:
        if "memory of a coding assistant" in request.system:
            raise ProviderError("no", provider="scripted")
        return "word " * 300

    provider = ScriptedProvider(fails, repeat=True)
    made = new(provider=provider, context_compaction_strategy="summarization")
    for turn in range(6):
        await made.chat(f"Step {turn}.")
    done = await made.compact()
    assert done is not None
    assert done.strategy == "truncation"
    assert done.tokens_after < done.tokens_before


async def test_a_request_that_is_too_long_is_made_smaller_at_most_three_times(new: New) -> None:
    lengths: list[int] = []

    def accepts(limit: int) -> Callable[[Request], str]:
        def reply(request: Request) -> str:
            if "word" not in request.messages[-1].text:
                return "word " * 300
            if "memory of a coding assistant" in request.system:
                return ""
            lengths.append(sum(len(message.text) for message in request.messages))
            if lengths[-1] > limit:
                raise ContextExceeded("too long", provider="scripted")
            return "fits"

        return reply

    for limit, sent in ((3_500, 3), (0, 4)):
        lengths.clear()
        made = new(provider=ScriptedProvider(accepts(limit), repeat=True), model="m", tools=())
        for turn in range(8):
            await made.chat(f"Step {turn}.")
        if limit:
            assert (await made.chat("word")).content == "fits"
        else:
            with pytest.raises(ContextExceeded, match="in vain"):
                await made.chat("word")
        assert len(lengths) <= sent
        assert lengths == sorted(lengths, reverse=True)
        assert lengths[-1] < lengths[0] / 2


async def test_vendors_counts_calibrate_what_fits(new: New) -> None:
    def counted(request: Request) -> Any:
        return "word " * 50

    provider = ScriptedProvider(counted, repeat=True, usage=Usage(input=1, output=1))
    made = new(provider=provider)
    await made.chat("Hi")
    plain = await made.context_picture()
    assert plain.fit.calls == 0
    assert "13 % off" in accuracy(plain)
    provider._usage = Usage(input=plain.used * 2, output=1)
    for _ in range(4):
        await made.chat("Hi")
    shown = await made.context_picture()
    assert shown.fit.calls == 4
    assert 1.2 < shown.fit.factor <= 2.0
    assert "calibrated by 4 calls" in accuracy(shown)
    assert shown.compacts_at < plain.window


async def test_a_resumed_session_has_learned_how_the_vendor_counts(
    new: New, tmp_path: Path
) -> None:
    recorded: dict[str, Any] = {"ephemeral": False, "session_store": str(tmp_path / "s.db")}
    provider = ScriptedProvider(lambda request: "word " * 50, repeat=True)
    made = new(provider=provider, model="m", **recorded)
    provider._usage = Usage(input=(await made.context_picture()).used * 2, output=1)
    for _ in range(3):
        await made.chat("Hi")
    learned = (await made.context_picture()).fit
    await made.close()

    again = new(provider=ScriptedProvider("ok"), model="m", **recorded)
    await again.resume()
    shown = await again.context_picture()
    assert shown.counted is Counted.CALIBRATED
    assert shown.fit == learned
    await again.close()


class Worded(ScriptedProvider):
    """A provider whose models' tokens are words."""

    def __init__(self, *replies: Any, fails: bool = False, **more: Any) -> None:
        super().__init__(*replies, repeat=True, **more)
        self.fails = fails

    def text_counter(self, model: str) -> Callable[[str], int] | None:
        if self.fails:
            raise OSError("no such vocabulary")
        return None if model == "unknown" else lambda text: len(text.split())


async def test_words_are_counted_by_the_model_s_own_vocabulary_where_it_is_at_hand(
    new: New,
) -> None:
    provider = Worded(lambda request: "word " * 300)
    made = new(provider=provider, model="m")
    before = await made.context_picture()
    provider._usage = Usage(input=before.used + 10, output=300)
    await made.chat("Say it.")
    shown = await made.context_picture()

    assert (before.counted, shown.counted) == (Counted.EXACT, Counted.EXACT)
    assert before.system == len((await made.prompt_coordinator.build_system_prompt()).split())
    assert made.context_coordinator.token_count() == 302 + 2 * MESSAGE_TOKENS
    assert shown.assistant == round((300 + MESSAGE_TOKENS) * shown.fit.factor)
    assert "Words are exact" in accuracy(before)
    assert "the rest is calibrated by 1 call" in accuracy(shown)


async def test_another_model_is_counted_by_its_own_vocabulary_or_by_estimate(new: New) -> None:
    made = new(provider=Worded("word " * 300), model="m")
    await made.chat("Say it.")
    exact = made.context_coordinator.token_count()
    made.switch(model="unknown")
    shown = await made.context_picture()

    assert shown.counted is Counted.ESTIMATED
    assert made.context_coordinator.token_count() > exact
    made.switch(model="m")
    await made.context_picture()
    assert made.context_coordinator.token_count() == exact


async def test_a_vocabulary_that_cannot_be_loaded_costs_exactness_and_not_the_turn(
    new: New,
) -> None:
    made = new(provider=Worded("Hello.", fails=True))
    assert (await made.chat("Hi")).content == "Hello."
    assert (await made.context_picture()).counted is Counted.ESTIMATED


async def test_the_picture_fits_eighty_columns_and_adds_up(new: New) -> None:
    from rich.console import Console

    made, _ = await talked(new, turns=2)
    shown = await made.context_picture()
    assert shown.used + shown.reserve + shown.free == shown.window == 200_000
    assert sum(shares(shown)) == WIDTH
    assert min(count for count in shares(shown)[:4]) >= 1
    console = Console(file=io.StringIO(), width=80, no_color=True)
    show_picture(console, shown)
    text = console.file.getvalue()  # type: ignore[attr-defined]  # it is the one given above
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "200,000" in text


async def test_a_conversation_that_is_more_than_fits_is_said_to_be(
    new: New, tmp_path: Path
) -> None:
    from rich.console import Console

    recorded: dict[str, Any] = {"ephemeral": False, "session_store": str(tmp_path / "s.db")}
    console = Console(file=io.StringIO(), width=120)
    first = new("word " * 9_000, **recorded)
    await first.chat("Hi")
    await first.close()
    made = new("Hello.", context_window=8_000, **recorded)
    await made.resume("last")
    show_picture(console, await made.context_picture())
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # it is the one given above
    assert "2 messages, compacted from" in shown
    assert "more than fits, so the next turn begins with that." in shown
    await made.close()


async def test_every_topic_is_explained_before_and_after_a_turn(new: New) -> None:
    from rich.console import Console

    made = new([call("poke")], "Done.", [call("read", path="hello.txt")], "Read.")
    console = Console(file=io.StringIO(), width=80, no_color=True)
    for topic in Topic:
        found = await made.explain(topic.value)
        assert found.topic is topic
        assert topic in (Topic.CONTEXT, Topic.SAFETY, Topic.MODEL) or found.parts
    await made.chat("Poke.")
    await made.chat("Read it.")
    for topic in Topic:
        found = await made.explain(topic)
        assert found.parts
        assert found.unknown == ()
        show_explanation(console, found)
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # it is the one given above
    assert "it only reads" in shown
    assert "scripted:m" in shown
    first = await made.explain("safety", turn=1)
    assert [(part.name, part.figures["allowed"]) for part in first.parts] == [("poke", False)]
    prompt = await made.explain("prompt")
    assert prompt.parts[0].name == "identity"
    assert sum(part.figures["tokens"] for part in prompt.parts) == pytest.approx(
        prompt.facts["tokens"], rel=0.05
    )


async def test_another_recorded_session_is_explained_and_what_is_not_there_is_refused(
    new: New, tmp_path: Path
) -> None:
    recorded: dict[str, Any] = {"ephemeral": False, "session_store": str(tmp_path / "s.db")}
    first = new("Hello.", **recorded)
    await first.chat("Hi")
    await first.close()
    made = new("Hello.", **recorded)
    found = await made.explain("model", session_id="last")
    assert found.of == f"turn 1 of session {first.session_id}"
    with pytest.raises(UnknownNameError, match="topic"):
        await made.explain("weather")
    with pytest.raises(SessionNotFound):
        await made.explain("model", session_id="nowhere")
    await made.close()


async def test_the_record_tells_which_failure_made_another_model_serve(new: New) -> None:
    busy = ScriptedProvider(ProviderUnavailable("overloaded", provider="scripted"))
    other = Endpoint(ScriptedProvider("Hi", name="other"), "m-2")
    chain = ProviderCoordinator(busy, "m", fallbacks=(other,))
    made = new(provider=busy, provider_coordinator=chain)
    await made.chat("Hello.")
    found = await made.explain("model")
    assert found.parts[-1].name == "other:m-2"
    assert "overloaded" in found.parts[-1].why


async def test_the_window_that_is_told_is_the_one_that_is_set(new: New) -> None:
    made = new("Hi", context_window=30_000)
    assert (await made.explain("model")).facts["window"] == 30_000
    await made.chat("Hello.")
    assert (await made.explain("model", turn=1)).facts["window"] == 30_000
    assert (await made.context_picture()).window == 30_000


async def test_rules_are_told_with_where_they_stand(new: New) -> None:
    made = new("Hi", permissions={"deny": ("shell(rm *)",)})
    found = await made.explain("safety")
    assert [part.figures["rule"] for part in found.parts] == ["shell(rm *)"]
    assert found.parts[0].why


async def test_the_slash_commands_show_and_do_it(new: New) -> None:
    from rich.console import Console

    made, _ = await talked(new, turns=5)
    console = Console(file=io.StringIO(), width=80, no_color=True)

    async def never(session_id: str | None) -> AgentOrchestrator:
        raise AssertionError

    def unconnected(name: str, model: str | None) -> Any:
        raise AssertionError

    desk = Desk(made, console, reopen=never, connect=unconnected)
    for line in ("/context", "/compact the port", "/compact undo", "/compact undo"):
        await run_command(desk, line)
    for line in ("/explain", "/explain context", "/explain safety 1"):
        await run_command(desk, line)
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # it is the one given above
    assert "kept for the answer" in shown
    assert "The context was compacted" in shown
    assert "The compaction is taken back." in shown
    assert "Nothing was compacted." in shown
    assert "prompt of turn 5" in shown
    assert "safety of turn 1" in shown


class OwnConfig:
    """What an application may put in the place of Victor's: it says what holds, and no more."""

    def __init__(self) -> None:
        given = {"api_key": "very-secret-key", "permissions": {"deny": ("read(.env)",)}}
        self._config = {**as_mapping(Settings(ephemeral=True)), **given}

    def get_config(self) -> Mapping[str, Any]:
        return self._config

    async def load(self, session_id: str) -> Mapping[str, Any]:
        return self._config


async def test_settings_of_a_coordinator_that_explains_nothing_are_told_as_its_own(
    new: New,
) -> None:
    async with new("done", config_coordinator=OwnConfig()) as orchestrator:
        config = await orchestrator.explain("config")
        assert {part.why for part in config.parts} == {"OwnConfig"}
        assert "very-secret-key" not in repr(config)
        safety = await orchestrator.explain("safety")
        assert ("rule deny read(.env)", "OwnConfig") in {
            (part.name, part.why) for part in safety.parts
        }
