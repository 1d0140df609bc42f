"""`/sessions`, `/resume`, `/clear`, `/rename`, `/tag` and `/fork`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from victor.cli.session_table import session_table
from victor.errors import SessionNotFound, VictorError
from victor.pairing import INTERRUPTED
from victor.transcript.words import counted

if TYPE_CHECKING:
    from victor.agent.orchestrator import AgentOrchestrator
    from victor.cli.desk import Desk


async def sessions(desk: Desk, argument: str) -> None:
    """List what is recorded for the folder."""
    found = await desk.orchestrator.sessions(20)
    if not found:
        desk.say("No session is recorded for this folder yet.")
        return
    desk.console.print(session_table(found, desk.orchestrator.session_id))
    desk.say("/resume ID goes on with one.", style="dim")


async def resume(desk: Desk, argument: str) -> None:
    """Go on with a recorded session."""
    desk.orchestrator = await desk.reopen(argument or "last")
    desk.say(going_on(desk.orchestrator))
    if told := await waiting_plan(desk.orchestrator):
        desk.say(told)


def going_on(orchestrator: AgentOrchestrator) -> str:
    """Say which session goes on, where, and whether something in it was interrupted at the end."""
    messages = orchestrator.context_coordinator.get_context().messages
    said = f"Session {orchestrator.session_id} goes on after {counted(len(messages), 'message')}."
    last = messages[-1].tool_results if messages else ()
    cut = sum(result.content == INTERRUPTED for result in last)
    if not cut:
        return said
    return f"{said} Interrupted before, outcome unknown: {counted(cut, 'tool call')}."


async def waiting_plan(orchestrator: AgentOrchestrator) -> str:
    """Say that a plan was made and not handed over yet; empty where that is not so."""
    plan = await orchestrator.plan()
    waits = plan is not None and not plan.approved
    return "Its plan waits: /build shows it, and asks whether to build it." if waits else ""


async def clear(desk: Desk, argument: str) -> None:
    """Begin a new session."""
    desk.orchestrator = await desk.reopen(None)
    desk.say(f"A new session: {desk.orchestrator.session_id}. The one before stays recorded.")


async def rename(desk: Desk, argument: str) -> None:
    """Give the session another title."""
    if not argument:
        desk.say("/rename TITLE gives this session another title.")
        return
    session, name = desk.orchestrator.session_coordinator, await _recorded(desk)
    await session.rename(name, argument)
    desk.say(f"{name}: {(await session.info(name)).title}")


async def tag(desk: Desk, argument: str) -> None:
    """Put tags on the session; those with a minus in front are taken off."""
    session, name = desk.orchestrator.session_coordinator, await _recorded(desk)
    off = tuple(word[1:] for word in argument.split() if word.startswith("-"))
    on = tuple(word.removeprefix("#") for word in argument.split() if not word.startswith("-"))
    before = set((await session.info(name)).tags)
    tags = await session.tag(name, *on, remove=off)
    for missing in (one for one in off if one not in before):
        desk.say(f"It had no tag #{missing}.", style="yellow")
    desk.say(f"{name}: {' '.join(f'#{one}' for one in tags) or 'no tags; /tag WORD puts one on'}")


async def fork(desk: Desk, argument: str) -> None:
    """Go on in a copy of the session, with its turns up to one or with all; it stays as it is."""
    if argument and not argument.isdecimal():
        desk.say("/fork goes on in a copy of this session, /fork TURN in one up to that turn.")
        return
    parent, mode = await _recorded(desk), desk.orchestrator.mode
    turn = int(argument) if argument else None
    desk.orchestrator = await desk.reopen(None)
    try:
        await desk.orchestrator.fork(parent, at_turn=turn)
    except VictorError:
        desk.orchestrator = await desk.reopen(parent)
        raise
    finally:
        desk.orchestrator.set_mode(mode)
    desk.say(f"{going_on(desk.orchestrator)} It is a copy; {parent} stays as it was.")


async def _recorded(desk: Desk) -> str:
    """Return the session's id. Raises `VictorError` where nothing of it is on record yet."""
    name = desk.orchestrator.session_id
    try:
        await desk.orchestrator.session_coordinator.info(name)
    except SessionNotFound:
        raise VictorError("Nothing was said yet.", hint="Say something first.") from None
    return name
