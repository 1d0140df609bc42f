"""`/sessions`, `/resume`, `/clear`, `/rename`, `/tag` and `/fork`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from victor.cli.session_table import session_table
from victor.pairing import INTERRUPTED

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


def going_on(orchestrator: AgentOrchestrator) -> str:
    """Say which session goes on, where, and whether something in it was interrupted at the end."""
    messages = orchestrator.context_coordinator.get_context().messages
    said = f"Session {orchestrator.session_id} goes on after {len(messages)} messages."
    last = messages[-1].tool_results if messages else ()
    cut = sum(result.content == INTERRUPTED for result in last)
    if not cut:
        return said
    calls = "1 tool call" if cut == 1 else f"{cut} tool calls"
    return f"{said} Interrupted before, outcome unknown: {calls}."


async def clear(desk: Desk, argument: str) -> None:
    """Begin a new session."""
    desk.orchestrator = await desk.reopen(None)
    desk.say(f"A new session: {desk.orchestrator.session_id}. The one before stays recorded.")
