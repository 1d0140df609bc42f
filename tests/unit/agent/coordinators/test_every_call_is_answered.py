"""Whatever calls a model makes, and whatever becomes of them: one result for each, in its name."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from victor.agent import tool_runs
from victor.agent.coordinators.tool_coordinator import ToolCoordinator
from victor.errors import ToolError
from victor.messages import Effect, JsonObject, ToolCall, ToolSpec
from victor.protocols import Allow, Deny, Mode, ToolEnvironment, ToolOutput, Verdict
from victor.tools import fit_arguments


async def _ends_itself(_how: str) -> ToolOutput:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)
    return ToolOutput("never")


async def _hangs(_how: str) -> ToolOutput:
    await asyncio.Event().wait()
    return ToolOutput("never")


async def _stays(_how: str) -> ToolOutput:
    """Overlook that it is cancelled, once."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()
    return ToolOutput("never")


async def _raises(how: str) -> ToolOutput:
    errors = (ToolError("no"), RuntimeError(), OSError(), SystemExit(3), asyncio.CancelledError())
    raise errors[len(how) % len(errors)]


async def _gives(how: str) -> object:
    outputs = (ToolOutput("yes"), ToolOutput(""), None, b"\xff", "\ud800", ToolOutput("x" * 9_999))
    return outputs[len(how) % len(outputs)]


BEHAVIOURS = (_gives, _raises, _hangs, _stays, _ends_itself)


class Odd:
    """A tool that does anything but what tools are asked to do."""

    def __init__(self, effect: Effect) -> None:
        words = {"type": "string"}
        schema = {"type": "object", "properties": {"how": words, "which": {"type": "integer"}}}
        self.spec = ToolSpec(str(effect), "", {**schema, "required": ["how", "which"]}, effect)

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[()]:
        raise ValueError("it cannot tell")

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        behaviour = BEHAVIOURS[arguments["which"] % len(BEHAVIOURS)]
        return await behaviour(arguments["how"])  # type: ignore[return-value]  # that is the point


CALLS = st.lists(
    st.tuples(
        st.sampled_from([*map(str, Effect), "unknown"]),
        st.fixed_dictionaries({"how": st.text("a", max_size=6), "which": st.integers(0, 4)})
        | st.dictionaries(st.text(max_size=3), st.none() | st.integers() | st.text(max_size=3)),
        st.sampled_from(["", "", "", "{broken"]),
        st.sampled_from([Allow("yes"), Allow("yes"), Deny("no")]),
    ),
    max_size=7,
)


@settings(max_examples=60, deadline=None)
@given(calls=CALLS)
def test_every_call_has_one_result(calls: list[tuple[str, JsonObject, str, Verdict]]) -> None:
    made = tuple(
        ToolCall(f"c{number}", name, arguments, invalid=invalid)
        for number, (name, arguments, invalid, _) in enumerate(calls)
    )
    verdicts = tuple(verdict for *_, verdict in calls)

    async def play() -> list[str]:
        tools = ToolCoordinator(
            tuple(map(Odd, Effect)), timeout=0.01, output_limit=100, fit_arguments=fit_arguments
        )
        done = [one async for one in tools.execute(made, verdicts, Mode.BUILD, lambda _: None)]
        for one in done:
            assert one.result.call_id == one.call.id
            assert one.result.content
            one.result.content.encode()
        return [one.call.id for one in done]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tool_runs, "GRACE_SECONDS", 0.005)
        patch.setattr(tool_runs, "RETRY_PAUSE_SECONDS", 0.0)
        answered = asyncio.run(play())
    assert sorted(answered) == sorted(call.id for call in made)
