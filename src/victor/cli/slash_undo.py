"""`/undo`, `/redo` and `/rewind`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from victor.cli.restore_view import show_points, show_preview, show_result

if TYPE_CHECKING:
    from victor.cli.desk import Desk
    from victor.restore_plan import UndoReport


async def undo(desk: Desk, argument: str) -> None:
    """Take back what the last turn changed."""
    orchestrator = desk.orchestrator
    await _agreed(desk, "undo", await orchestrator.preview_undo(), orchestrator.undo)


async def redo(desk: Desk, argument: str) -> None:
    """Bring back what was taken back last."""
    orchestrator = desk.orchestrator
    await _agreed(desk, "redo", await orchestrator.preview_redo(), orchestrator.redo)


async def rewind(desk: Desk, argument: str) -> None:
    """Go back to before a turn; without one, list the turns. `files` or `conversation`: only it."""
    orchestrator = desk.orchestrator
    number, _, part = argument.partition(" ")
    if not number.isdecimal() or part not in ("", "files", "conversation"):
        show_points(desk.console, await orchestrator.points())
        desk.say("/rewind TURN goes back to before it; add files or conversation for one of them.")
        return
    turn, files, conversation = int(number), part != "conversation", part != "files"
    await _agreed(
        desk,
        "rewind",
        await orchestrator.preview_rewind(turn, files=files, conversation=conversation),
        lambda: orchestrator.rewind(turn, files=files, conversation=conversation),
    )


async def _agreed(
    desk: Desk, verb: str, preview: UndoReport, act: Callable[[], Awaitable[UndoReport]]
) -> None:
    """Show what would be done, and do it once the person agrees."""
    if not show_preview(desk.console, preview):
        desk.say(f"There is nothing to {verb}.")
    elif await desk.confirm(f"{verb.capitalize()} this?"):
        show_result(desk.console, await act(), preview)
