from __future__ import annotations

import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.endpoints import EndpointRecords
from victor.errors import (
    BadReply,
    ConfigError,
    InvalidRequest,
    ProviderError,
    RateLimitError,
    ReplayDiverged,
)
from victor.events import (
    Event,
    ReplyDelta,
    ReplyFinished,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
)
from victor.messages import (
    Image,
    Message,
    Request,
    Response,
    Role,
    StopReason,
    Text,
    ToolSpec,
    Usage,
    user,
)
from victor.protocols import Ability, IProvider, LongPromptPrices, ModelInfo
from victor.testing import (
    RecordingFile,
    RecordingProvider,
    ReplayProvider,
    ScriptedProvider,
    call,
)

pytestmark = pytest.mark.anyio

HELLO = Request("m", (user("Hello"),), system="Be kind.")


class Clock:
    """Each look takes a quarter of a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.25
        return self.now


async def read(provider: IProvider, request: Request = HELLO) -> list[ReplyDelta]:
    return [delta async for delta in provider.stream(request)]


async def recorded(path: Path, *replies: Any, **options: Any) -> ScriptedProvider:
    """Record one call for each reply, whatever becomes of it."""
    inner = ScriptedProvider(*replies)
    recording = RecordingProvider(inner, path, **options)
    for _ in replies:
        try:
            await read(recording)
        except ProviderError:
            continue
    await recording.aclose()
    assert inner.closed
    return inner


deltas = st.one_of(
    st.builds(TextDelta, st.text()),
    st.builds(ThinkingDelta, st.text(), st.text(max_size=5)),
    st.builds(ToolCallDelta, st.integers(0, 3), st.text(max_size=5), st.text(max_size=5)),
)
usages = st.builds(Usage, *[st.integers(0, 10**6)] * 5)
ends = st.builds(ReplyFinished, st.sampled_from(StopReason), usages, st.text(max_size=10))


@given(pieces=st.lists(deltas, max_size=8), end=ends)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
async def test_what_is_recorded_is_replayed(
    pieces: list[ReplyDelta], end: ReplyFinished, tmp_path: Path
) -> None:
    file = tmp_path / "any.jsonl"
    await recorded(file, (*pieces, end))
    replay = ReplayProvider(file)
    assert isinstance(replay, IProvider)
    assert await read(replay) == [*pieces, end]
    assert replay.remaining == 0


async def turn(provider: IProvider, workspace: Path) -> tuple[list[Event], Response]:
    async with AgentOrchestrator(
        Settings(ephemeral=True), provider, "m", workspace=workspace, session_id="s"
    ) as agent:
        events = [event async for event in agent.events("Read a.txt")]
        response = await agent.chat("And now?")
    return events, response


def timeless(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events] + [
        event.content for event in events if isinstance(event, TextDelta)
    ]


async def test_a_conversation_with_tools_replays_to_the_same_events_and_response(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.txt").write_text("hello")
    file = tmp_path / "talk.jsonl"
    script = ScriptedProvider([call("read", path="a.txt")], "It says hello.", "Nothing more.")
    recording = RecordingProvider(script, file)
    events, response = await turn(recording, tmp_path)
    await recording.aclose()
    again, same = await turn(ReplayProvider(file), tmp_path)
    assert timeless(again) == timeless(events)
    assert same == response


async def test_errors_come_again_as_what_they_were(tmp_path: Path) -> None:
    file = tmp_path / "e.jsonl"
    limit = RateLimitError("Slow down.", provider="p", status=429, retry_after=3.0, hint="Wait.")
    await recorded(file, (TextDelta("It was"), limit), ProviderError("Odd."))
    replay = ReplayProvider(file)
    stream = replay.stream(HELLO)
    assert await anext(stream) == TextDelta("It was")
    with pytest.raises(RateLimitError, match=r"Slow down\. \(p\) Wait\.") as caught:
        await anext(stream)
    assert (caught.value.status, caught.value.retry_after) == (429, 3.0)
    with pytest.raises(ProviderError, match="Odd"):
        await read(replay)


async def test_a_reader_that_left_is_on_record(tmp_path: Path) -> None:
    file = tmp_path / "left.jsonl"
    recording = RecordingProvider(ScriptedProvider((TextDelta("a"), TextDelta("b"))), file)
    stream = recording.stream(HELLO)
    assert await anext(stream) == TextDelta("a")
    await stream.aclose()
    await recording.aclose()
    with pytest.raises(BadReply, match="did not wait"):
        await read(ReplayProvider(file))


async def test_the_recorded_times_pass_only_when_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "t.jsonl"
    await recorded(file, (TextDelta("a"), TextDelta("b")), clock=Clock())
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    await read(ReplayProvider(file, sleep=sleep))
    assert slept == []
    await read(ReplayProvider(file, pace=2.0, sleep=sleep))
    assert slept == pytest.approx([0.5, 0.5, 0.5])


async def test_the_file_is_its_owners_alone_and_every_line_is_json(tmp_path: Path) -> None:
    file = tmp_path / "f.jsonl"
    file.touch(mode=0o644)
    await recorded(file, "Hello \u2028 you")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert [next(iter(line)) for line in lines] == ["recording", "call", "call", "call"]
    assert lines[1]["request"]["system"] == "Be kind."
    await recorded(file, "Again")
    assert "you" not in file.read_text()


@pytest.mark.parametrize("content", [b"notes", b"\xff\xfe"])
async def test_what_is_no_recording_is_not_written_over(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="not written over"):
        RecordingProvider(ScriptedProvider(), file)
    assert file.read_bytes() == content
    with pytest.raises(ConfigError, match="cannot be written"):
        RecordingFile(tmp_path / "nowhere" / "x")


async def test_no_secret_reaches_the_file_and_the_replay_still_fits(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    key, own = "sk-ant-" + "aB3dE6gH9jK2mN5pQ8rS", "my own words, kept quiet"
    asked = Request("m", (user(f"My key is {key}; and {own}"),))
    pieces = [TextDelta(f"You said {key[:9]}"), TextDelta(f"{key[9:]}, and "), TextDelta(own)]
    error = ProviderError(f"refused {key}")
    inner = ScriptedProvider(
        (*pieces, ToolCallDelta(0, "c", "t", f'{{"a": "{key}"}}'), ThinkingDelta(key, "sig")),
        error,
    )
    recording = RecordingProvider(inner, file, secrets=[own])
    await read(recording, asked)
    with pytest.raises(ProviderError):
        await read(recording, asked)
    await recording.aclose()
    text = file.read_text()
    assert key not in text
    assert key[9:] not in text
    assert own not in text
    replay = ReplayProvider(file, secrets=[own])
    said = await read(replay, asked)
    assert "".join(d.content for d in said if isinstance(d, TextDelta)) == (
        "You said [secret], and [secret]"
    )


async def test_several_providers_may_share_a_recording(tmp_path: Path) -> None:
    shared = RecordingFile(tmp_path / "both.jsonl")
    one = RecordingProvider(ScriptedProvider("1", name="one"), shared)
    two = RecordingProvider(ScriptedProvider("2", name="two"), shared)
    await read(one)
    await one.aclose()
    await read(two)
    await two.aclose()
    await two.aclose()
    replay = ReplayProvider(shared.path)
    assert replay.name == "one"
    await read(replay)
    assert replay.name == "two"
    with pytest.raises(ProviderError, match="closed"):
        await read(one)


TOOL = ToolSpec("read", "Read a file.", {"type": "object"})


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            Request("m", (user("Hello, you"),), system="Be kind."),
            "parts[0].text, character 6\n  recorded: 'Hello'\n  asked:    'Hello, you'",
        ),
        (
            Request("other", (user("Hello"),), system="Be kind."),
            "at request.model, character 1\n  recorded: 'm'\n  asked:    'other'",
        ),
        (
            Request("m", (user("Hello"), user("More")), system="Be kind."),
            'at request.messages[1]\n  recorded: (no more)\n  asked:    {"role": "user"',
        ),
        (
            Request("m", (), system="Be kind."),
            'at request.messages[0]\n  recorded: {"role": "user"',
        ),
        (
            Request("m", (user("Hello"),), system="Be kind.", tools=(TOOL,)),
            "at request.tools[0]\n  recorded: (no more)",
        ),
        (
            Request("m", (user("Hello"),), system="Be kind.", max_tokens=5),
            "at request.max_tokens\n  recorded: null\n  asked:    5",
        ),
        (
            Request("m", (Message(Role.USER, (Image(b"x", "image/png"),)),), system="Be kind."),
            "at request.messages[0].parts[0].kind, character 1",
        ),
    ],
    ids=["text", "model", "more", "fewer", "tools", "number", "kind"],
)
async def test_the_first_divergence_is_shown(asked: Request, told: str, tmp_path: Path) -> None:
    file = tmp_path / "d.jsonl"
    await recorded(file, "Hi")
    replay = ReplayProvider(file)
    with pytest.raises(ReplayDiverged) as caught:
        await read(replay, asked)
    assert told in str(caught.value)
    assert "Model call 1 is not the one" in str(caught.value)
    assert isinstance(caught.value, InvalidRequest)
    assert replay.remaining == 1


async def test_a_long_text_is_shown_where_it_parts(tmp_path: Path) -> None:
    file = tmp_path / "long.jsonl"
    inner = ScriptedProvider("x")
    recording = RecordingProvider(inner, file)
    await read(recording, Request("m", (user("a" * 500 + "b" + "c" * 500),)))
    await recording.aclose()
    with pytest.raises(ReplayDiverged) as caught:
        await read(ReplayProvider(file), Request("m", (user("a" * 500 + "d" + "c" * 500),)))
    assert "character 501" in str(caught.value)
    assert "'..." + "a" * 30 + "d" in str(caught.value)
    assert len(str(caught.value)) < 500


async def test_fields_may_be_ignored_and_calls_run_out(tmp_path: Path) -> None:
    file = tmp_path / "i.jsonl"
    await recorded(file, "Hi")
    replay = ReplayProvider(file, ignore=["system"])
    await read(replay, Request("m", (user("Hello"),), system="Another day."))
    with pytest.raises(ReplayDiverged, match="holds 1 model calls, and this is call 2"):
        await read(replay)
    await replay.aclose()


class Priced(ScriptedProvider):
    def model_info(self, model: str) -> ModelInfo:
        prices = LongPromptPrices(1000, 2.0, 3.0)
        return ModelInfo(
            model, 50_000, 5_000, 1.0, abilities=frozenset({Ability.PDF}), long_prompt=prices
        )


async def test_what_was_known_of_the_model_is_known_again(tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    inner = Priced("Hi")
    recording = RecordingProvider(inner, file)
    await read(recording)
    await recording.aclose()
    replay = ReplayProvider(file)
    assert replay.model_info("m") == recording.model_info("m") == inner.model_info("m")
    assert replay.model_info("other").context_window == 50_000
    assert replay.model == "m"


async def test_an_empty_recording_has_no_calls(tmp_path: Path) -> None:
    file = tmp_path / "none.jsonl"
    RecordingFile(file).close()
    replay = ReplayProvider(file)
    assert (replay.name, replay.model, replay.remaining) == ("replay", "", 0)
    assert not replay.model_info("m").known


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("", "line 1"),
        ("notes\nmore", "line 1"),
        ('{"recording": 99}\n', "newer version"),
        ('{"recording": 1}\n{"call": 7, "at": 0, "text": "x"}\n{}', "line 2"),
        ('{"recording": 1}\n[]\n{}', "line 2"),
    ],
)
async def test_a_damaged_recording_is_refused_with_its_line(
    content: str, where: str, tmp_path: Path
) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(content)
    with pytest.raises(ConfigError, match=where):
        ReplayProvider(file)
    with pytest.raises(ConfigError, match="No such file"):
        ReplayProvider(tmp_path / "missing")


async def test_a_last_line_that_was_being_written_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "cut.jsonl"
    await recorded(file, (TextDelta("a"), TextDelta("b")))
    file.write_text(file.read_text().rstrip("\n")[:-10])
    with pytest.raises(BadReply):
        await read(ReplayProvider(file))


async def test_a_picture_is_recorded_by_its_digest(tmp_path: Path) -> None:
    file = tmp_path / "p.jsonl"
    request = Request("m", (Message(Role.USER, (Text("See"), Image(b"\x89png", "image/png"))),))
    recording = RecordingProvider(ScriptedProvider("A cat."), file)
    await read(recording, request)
    await recording.aclose()
    assert "sha256:" in file.read_text()
    replayed: AsyncIterator[ReplyDelta] = ReplayProvider(file).stream(request)
    assert TextDelta("A cat.") in [delta async for delta in replayed]


async def test_a_recorded_endpoint_is_still_the_same_endpoint(tmp_path: Path) -> None:
    provider = ScriptedProvider("x")
    provider.address, provider.account = "https://models.example", "abc"  # type: ignore[attr-defined]  # optional ones

    recording = RecordingProvider(provider, tmp_path / "calls.jsonl")

    records = EndpointRecords()
    assert records.of(recording, "m") is records.of(provider, "m")
    assert recording.most_calls is None
    await recording.aclose()
