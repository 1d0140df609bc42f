"""Going on with recorded sessions: resume, fork, delete, and leaving nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.errors import SessionError, SessionNotFound
from victor.messages import Effect, assistant, user
from victor.pairing import problems
from victor.testing import ScriptedProvider, call
from victor.tools.decorator import tool

pytestmark = pytest.mark.anyio

New = Callable[..., AgentOrchestrator]


@tool(effect=Effect.READ_ONLY)
async def much() -> str:
    """Give more than the model is told."""
    return "the long secret of the shop\n" * 4_000


async def talked(new: New, *words: str, **more: Any) -> str:
    """Return the id of a recorded session with a turn for each of the words."""
    provider = ScriptedProvider(*(f"to {word}" for word in words))
    async with new(provider=provider, ephemeral=False, **more) as orchestrator:
        for word in words:
            await orchestrator.chat(word)
        return orchestrator.session_id


async def test_a_session_goes_on_by_the_beginning_of_its_id(new: New) -> None:
    session_id = await talked(new, "one")
    async with new("again", ephemeral=False) as orchestrator:
        messages = await orchestrator.resume(session_id[:6])
        assert messages == (user("one"), assistant("to one"))
        await orchestrator.chat("two")
        assert orchestrator.session_id == session_id
        (listed,) = await orchestrator.sessions()
        assert listed.turns == 2


async def test_a_fork_goes_on_from_its_turn_and_leaves_the_parent_alone(new: New) -> None:
    parent = await talked(new, "one", "two", "three")
    provider = ScriptedProvider("another way")
    async with new(provider=provider, ephemeral=False) as orchestrator:
        before = await orchestrator.session_coordinator.load(parent)
        messages = await orchestrator.fork(parent, at_turn=1)
        assert messages == (user("one"), assistant("to one"))
        assert orchestrator.session_id != parent
        await orchestrator.chat("instead")
        sent = provider.requests[0].messages
        assert sent[:2] == messages
        assert sent[2].text.startswith("instead")
        info = await orchestrator.session_coordinator.info(orchestrator.session_id)
        assert (info.parent, info.parent_turn, info.turns) == (parent, 1, 2)
        assert (info.input_tokens, info.output_tokens) == (10, 5)
        assert await orchestrator.session_coordinator.load(parent) == before
        turn_ids = {r.turn_id for r in await orchestrator.session_coordinator.load(info.id)}
        assert turn_ids == {f"{parent}-1", f"{info.id}-2"}


async def test_a_fork_of_a_fork_outlives_both_parents(new: New) -> None:
    first = await talked(new, "one", "two")
    async with new("mid", ephemeral=False) as orchestrator:
        await orchestrator.fork()
        await orchestrator.chat("three")
        second = orchestrator.session_id
    async with new("end", ephemeral=False) as orchestrator:
        await orchestrator.fork(second, at_turn=3)
        await orchestrator.chat("four")
        third = orchestrator.session_id
    async with new("more", ephemeral=False) as orchestrator:
        await orchestrator.delete_session(first)
        await orchestrator.delete_session(second)
        messages = await orchestrator.resume(third)
        asked = [message.text.split()[0] for message in messages[::2]]
        assert asked == ["one", "two", "three", "four"]
        assert problems(messages) == ()


async def test_a_fork_comes_before_the_first_turn(new: New) -> None:
    parent = await talked(new, "one")
    async with new("a", ephemeral=False) as orchestrator:
        await orchestrator.chat("begun")
        with pytest.raises(SessionError, match="has begun here"):
            await orchestrator.fork(parent)
    async with new("a", ephemeral=False) as orchestrator:
        with pytest.raises(SessionError, match="it has 1"):
            await orchestrator.fork(parent, at_turn=9)
        with pytest.raises(SessionNotFound):
            await orchestrator.fork("nobody")
        await orchestrator.chat("goes on all the same")


def held(home: Path) -> bytes:
    return b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())


async def test_a_deleted_session_leaves_nothing_behind(
    new: New, workspace: Path, home_of_its_own: Path
) -> None:
    provider = ScriptedProvider(
        [call("much"), call("edit", path="hello.txt", old="hello", new="farewell")],
        "the last words",
    )
    async with new(provider=provider, ephemeral=False, enable_checkpoints=True) as orchestrator:
        orchestrator.tool_coordinator.add_tool(much)
        await orchestrator.chat("the first words")
        session_id = orchestrator.session_id
        with pytest.raises(SessionError, match="open here"):
            await orchestrator.delete_session(session_id)
        async with new(ephemeral=False) as second:
            with pytest.raises(SessionError, match="elsewhere"):
                await second.delete_session(session_id)
    outputs = home_of_its_own / "outputs"
    assert b"the long secret" in held(outputs)
    assert b"the last words" in held(home_of_its_own)
    async with new(ephemeral=False) as orchestrator:
        assert len(await orchestrator.session_coordinator.search("last words")) == 1
        assert len(await orchestrator.checkpoint_coordinator.list(session_id)) == 1
        await orchestrator.delete_session(session_id)
        assert await orchestrator.checkpoint_coordinator.list(session_id) == ()
        with pytest.raises(SessionNotFound):
            await orchestrator.resume(session_id)
    left = held(home_of_its_own)
    for said in (b"the first words", b"the last words", b"the long secret", session_id.encode()):
        assert said not in left


async def test_an_ephemeral_session_keeps_not_one_byte(new: New, home_of_its_own: Path) -> None:
    provider = ScriptedProvider(
        [call("much"), call("edit", path="hello.txt", old="hello", new="bye")], "done"
    )
    async with new(provider=provider, enable_checkpoints=True) as orchestrator:
        orchestrator.tool_coordinator.add_tool(much)
        response = await orchestrator.chat("work")
        (result, _) = response.messages[2].tool_results
        assert "ask for less" in result.content
        assert result.full_output == ""
        await orchestrator.undo()
    assert list(home_of_its_own.rglob("*")) == []


async def test_what_a_session_set_aside_is_read_by_it_and_its_forks_and_no_other(
    new: New, home_of_its_own: Path
) -> None:
    provider = ScriptedProvider([call("much")], "set aside")
    async with new(provider=provider, ephemeral=False) as orchestrator:
        orchestrator.tool_coordinator.add_tool(much)
        await orchestrator.chat("look")
        first = orchestrator.session_id
    (file,) = (home_of_its_own / "outputs" / first).iterdir()
    attempts = [
        call("read", path=str(file)),
        call("grep", pattern="secret", path=str(file.parent)),
        call("glob", pattern="*", path=str(file.parent.parent)),
        call("list", path=str(file.parent)),
    ]

    async def told(begin: Callable[[AgentOrchestrator], Any]) -> tuple[str, tuple[bool, ...]]:
        provider = ScriptedProvider(attempts, "done")
        async with new(provider=provider, ephemeral=False) as orchestrator:
            await begin(orchestrator)
            await orchestrator.chat("read on")
            results = provider.requests[1].messages[-1].tool_results
            return orchestrator.session_id, tuple(result.is_error for result in results)

    async def nothing(_: AgentOrchestrator) -> None:
        """Begin anew."""

    _, refused = await told(nothing)
    assert refused == (True, True, True, True)
    _, refused = await told(lambda one: one.resume(first))
    assert refused == (False, False, True, False)
    fork, refused = await told(lambda one: one.fork(first))
    assert refused == (False, False, True, False)
    _, refused = await told(lambda one: one.fork(fork))
    assert refused == (False, False, True, False)
    _, refused = await told(lambda one: one.resume(fork))
    assert refused == (False, False, True, False)
    async with new(ephemeral=False) as orchestrator:
        text = await orchestrator.session_coordinator.export(fork, "jsonl")
        await orchestrator.session_coordinator.add(text, as_id="taken")
    _, refused = await told(lambda one: one.resume("taken"))
    assert refused == (True, True, True, True)
