"""`/mode`, `/plan`, `/build` and `/explore`: what the agent may do, and its plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from victor.cli.plan_view import show_plan
from victor.protocols import Mode

if TYPE_CHECKING:
    from victor.cli.desk import Desk

BUILD_IT = "Build the plan."
"""What is said to the agent with a plan where the person says nothing else."""


async def mode(desk: Desk, argument: str) -> None:
    """Show or change the mode, and nothing beside."""
    if argument:
        desk.orchestrator.set_mode(argument)
    desk.say(f"Mode: {desk.orchestrator.mode}")


async def explore(desk: Desk, argument: str) -> None:
    """Let the agent read widely; words are said to it next."""
    await mode(desk, Mode.EXPLORE)
    desk.message = argument


async def plan(desk: Desk, argument: str) -> None:
    """Let the agent plan, and show the plan; with words, they are what it shall plan."""
    if desk.orchestrator.mode is not Mode.PLAN:
        await mode(desk, Mode.PLAN)
    desk.message = argument
    found = None if argument else await desk.orchestrator.plan()
    if found is not None:
        show_plan(desk.console, found)
        desk.say("/build hands it over.", style="dim")
    elif not argument:
        desk.say("There is no plan yet: say what shall be done.", style="dim")


async def build(desk: Desk, argument: str) -> None:
    """Hand the plan over, once the person agrees; without a plan, change the mode."""
    planning = desk.orchestrator.mode is Mode.PLAN
    found = await desk.orchestrator.plan()
    if found is None or (found.approved and not planning):
        await mode(desk, Mode.BUILD)
        desk.message = argument
        return
    show_plan(desk.console, found)
    if not await desk.confirm("Build this plan?"):
        left = "/mode build changes the mode without the plan."
        desk.say(f"Still planning. {left}" if planning else "The plan waits.", style="dim")
        return
    await desk.orchestrator.approve_plan(found)
    desk.say(f"Mode: {desk.orchestrator.mode}")
    desk.message = argument or BUILD_IT
