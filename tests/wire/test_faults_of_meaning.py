"""The fault matrix, third part: whole answers whose calls or ends are wrong, or that do not fit.

The servers and the adapters are real.
"""

from __future__ import annotations

import json

import pytest
from tests.wire.columns import COLUMNS, TWO, Column, Edit, ask, swap, turn

from victor.agent.coordinators.chat_coordinator import MOST_REPAIRS
from victor.errors import BadReply, ContextExceeded, ProviderError
from victor.messages import StopReason, ToolCall, assistant, user
from victor.testing.faults import Fault
from victor.testing.loopback import LoopbackError, LoopbackReply

pytest.importorskip("google.genai", reason="the extra google is not installed")
pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(params=COLUMNS, ids=str)
def column(request: pytest.FixtureRequest) -> Column:
    return request.param


# Tool calls


ARGUMENTS = ['{"at": "on', "nonsense", "[1]", '"one"', '{"at": 1, "at": 2}', '{"at": NaN}']


RAW_ARGUMENTS = [
    pytest.param(column, raw, id=f"{column}-{raw}") for column in COLUMNS for raw in ARGUMENTS
]


@pytest.mark.parametrize(("column", "raw"), RAW_ARGUMENTS)
async def test_arguments_that_are_no_object_never_run(column: Column, raw: str) -> None:
    call = LoopbackReply(calls=TWO[:1], pieces=1)
    outcome = await ask(column, otherwise=Fault(call, edit=column.arguments(raw)))
    if column.arguments_in_answer and outcome.error is not None:
        # What is wrong with them is then wrong with the whole answer.
        assert isinstance(outcome.error, BadReply)
        return
    assert outcome.calls[0].invalid
    assert dict(outcome.calls[0].arguments) == {}


async def test_a_model_gets_two_chances_to_repair_its_calls(column: Column) -> None:
    call = LoopbackReply(calls=TWO[:1], pieces=1)
    ended = await turn(column, otherwise=Fault(call, edit=column.arguments("[1]")))
    assert isinstance(ended.error, BadReply)
    assert len(ended.requests) == MOST_REPAIRS + 1
    assert "not a JSON object" in json.dumps(ended.requests[-1])


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (ToolCall("a", "lok", {}), "The tools are: look"),
        (ToolCall("a", "", {}), "The tools are: look"),
        (ToolCall("a", "look", {"at": [1]}), "at"),
    ],
    ids=["unknown", "empty", "against-the-schema"],
)
async def test_a_wrong_call_is_told_to_the_model(call: ToolCall, told: str, column: Column) -> None:
    ended = await turn(column, LoopbackReply(calls=(call,)), "done")
    assert ended.response.content == "done"
    assert told in json.dumps(ended.requests[1])
    assert '"name": ""' not in json.dumps(ended.requests[1])


IDS = {
    "same-id": swap((b'"id": "b"', b'"id": "a"'), (b'"call_id": "b"', b'"call_id": "a"')),
    "empty-ids": swap(*((f'id": "{name}"'.encode(), b'id": ""') for name in "ab")),
    "no-id": swap((b'"id": "b", ', b""), (b'"call_id": "b", ', b"")),
}
EDITS = [
    pytest.param(column, edit, id=f"{column}-{name}")
    for column in COLUMNS
    for name, edit in {**IDS, **column.vendor.ids}.items()
]


@pytest.mark.parametrize(("column", "edit"), EDITS)
async def test_calls_are_never_merged(column: Column, edit: Edit) -> None:
    outcome = await ask(column, Fault(LoopbackReply(calls=TWO, pieces=2), edit=edit))
    assert [dict(call.arguments) for call in outcome.calls] == [{"at": "one"}, {"at": "two"}]
    ids = [call.id for call in outcome.calls]
    assert len(set(ids)) == 2
    assert all(ids)


# How it ends


async def test_an_answer_at_its_limit_is_marked_and_its_last_call_never_runs(
    column: Column,
) -> None:
    limit = column.vendor.ends["limit"]
    outcome = await ask(column, LoopbackReply("Half an ans", stop_reason=limit))
    assert outcome.reply is not None
    assert outcome.reply.stop_reason is StopReason.MAX_TOKENS
    outcome = await ask(column, LoopbackReply(calls=TWO, stop_reason=limit))
    assert [bool(call.invalid) for call in outcome.calls] == [False, True]


ENDS = {
    "refusal": StopReason.REFUSAL,
    "filter": StopReason.CONTENT_FILTER,
    "pause": StopReason.PAUSE,
    "window": StopReason.CONTEXT_EXCEEDED,
    "unknown": StopReason.UNKNOWN,
}
OUTCOMES = [
    pytest.param(column, said, ENDS[end], id=f"{column}-{end}")
    for column in COLUMNS
    for end, said in column.vendor.ends.items()
    if end in ENDS
]


@pytest.mark.parametrize(("column", "said", "reason"), OUTCOMES)
async def test_the_ways_to_end_without_success_are_told_apart(
    column: Column, said: str, reason: StopReason
) -> None:
    outcome = await ask(column, LoopbackReply("Some words", stop_reason=said))
    assert outcome.reply is not None
    assert outcome.reply.stop_reason is reason
    outcome = await ask(column, otherwise=LoopbackReply(stop_reason=said))
    assert isinstance(outcome.error, ProviderError)
    assert len(outcome.requests) == (2 if reason is StopReason.UNKNOWN else 1)


REFUSING = {
    "openai": swap((b'"content": "No', b'"refusal": "No')),
    "responses": swap(
        (b"response.output_text.delta", b"response.refusal.delta"),
        (b'"type": "output_text", "text": "No', b'"type": "refusal", "refusal": "No'),
    ),
}


@pytest.mark.parametrize("column", [c for c in COLUMNS if c.named in REFUSING], ids=str)
async def test_a_refusal_in_a_field_of_its_own_is_one(column: Column) -> None:
    refusal = Fault(LoopbackReply("No.", pieces=1), edit=REFUSING[column.named])
    outcome = await ask(column, refusal)
    assert outcome.reply is not None
    assert outcome.reply.stop_reason is StopReason.REFUSAL


async def test_the_blocks_decide_what_an_answer_is(column: Column) -> None:
    calls = column.vendor.ends.get("calls", "")
    outcome = await ask(column, LoopbackReply("Done.", stop_reason=calls))
    assert outcome.reply is not None
    assert outcome.reply.stop_reason is StopReason.END
    end = column.vendor.ends.get("end", "")
    outcome = await ask(column, LoopbackReply(calls=TWO, stop_reason=end))
    assert outcome.reply is not None
    assert outcome.reply.stop_reason is StopReason.TOOL_USE
    assert len(outcome.calls) == 2


async def test_an_empty_answer_is_asked_for_once_more(column: Column) -> None:
    assert (await ask(column, LoopbackReply(), "ok")).text == "ok"
    outcome = await ask(column, otherwise=LoopbackReply())
    assert "neither text nor a tool call" in str(outcome.error)
    assert len(outcome.requests) == 2


# The context


TOO_LONG = [
    (400, "prompt is too long: 210000 tokens > 200000 maximum"),
    (400, "input length and `max_tokens` exceed context limit: 199000 + 21333 > 200000"),
    (400, "This model's maximum context length is 128000 tokens. However, you requested more"),
    (400, "context_length_exceeded"),
    (400, "Your input exceeds the context window of this model."),
    (400, "the request exceeds the available context size, try increasing it"),
    (400, "Input is too long for requested model."),
    (413, "Request exceeds the maximum size"),
    (500, "exceed_context_size_error"),
]


@pytest.mark.parametrize(("status", "message"), TOO_LONG)
async def test_a_context_that_is_too_long_is_made_smaller_and_sent_again(
    status: int, message: str, column: Column
) -> None:
    refusal = LoopbackError(status, message, "invalid_request_error")
    before = tuple(one for _ in range(9) for one in (user("more"), assistant("word " * 90)))

    ended = await turn(column, refusal, "ok", before=before)
    assert ended.response.content == "ok"
    first, second = (len(json.dumps(request)) for request in ended.requests)
    assert second < 0.8 * first

    ended = await turn(column, otherwise=refusal, before=before)
    assert type(ended.error) is ContextExceeded
    assert "compacted and sent again" in str(ended.error)
    sizes = [len(json.dumps(request)) for request in ended.requests]
    assert 2 <= len(sizes) <= 4
    assert sizes == sorted(set(sizes), reverse=True), "the same is not sent twice"


async def test_what_cannot_be_made_smaller_is_not_sent_again(column: Column) -> None:
    refusal = LoopbackError(400, "prompt is too long", "invalid_request_error")
    ended = await turn(column, otherwise=refusal)
    assert type(ended.error) is ContextExceeded
    assert len(ended.requests) == 1
