"""How undo, redo and rewind are shown to a person, and as JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from victor.cli.terminal_view import diff_lines
from victor.visible import one_line, readable

if TYPE_CHECKING:
    from rich.console import Console

    from victor.agent.restore_access import RestorablePoint
    from victor.restore_plan import UndoReport

SHOWN_PATHS = 40
SHOWN_DIFF_LINES = 200
WORDS_WIDTH = 50
"""With number and paths it fits into 80 columns."""


def show_preview(screen: Console, report: UndoReport) -> bool:
    """Print what would be done; return whether there is anything to agree to."""
    from rich.text import Text

    if report.conversation and report.turns:
        what = _count(len(report.turns), "turn")
        screen.print(Text(f"  conversation: {what}, {', '.join(map(_number, report.turns))}"))
    _list(screen, "restore", report.restored)
    _list(screen, "remove ", report.removed)
    show_kept(screen, report)
    for line in diff_lines(report.diff, limit=SHOWN_DIFF_LINES):
        screen.print(line)
    return bool(report.turns)


def show_result(screen: Console, report: UndoReport, preview: UndoReport) -> bool:
    """Print what was done, and what is kept after all, where the preview did not say so.

    Returns whether anything was done.
    """
    from rich.text import Text

    changed = bool(report.restored or report.removed)
    both = (("restored", report.restored), ("removed", report.removed))
    told = ", ".join(f"{verb} {_count(len(paths), 'file')}" for verb, paths in both if paths)
    done = f"{told.capitalize()}."
    style = "green" if changed or report.conversation else "yellow"
    screen.print(Text(done if changed else "No file was changed.", style=style))
    conflicts = tuple(path for path in report.conflicts if path not in preview.conflicts)
    skipped = tuple(note for note in report.skipped if note not in preview.skipped)
    show_kept(screen, replace(report, conflicts=conflicts, skipped=skipped))
    return did_something(report)


def did_something(report: UndoReport) -> bool:
    """Return whether anything was taken back or brought back."""
    return bool(report.restored or report.removed or report.conversation)


def show_kept(screen: Console, report: UndoReport) -> None:
    """Print what is left as it is, and why."""
    from rich.text import Text

    for path in report.conflicts:
        told = f"  keep    {path}: changed since by somebody else"
        screen.print(Text(readable(told), style="yellow"))
    for note in report.skipped:
        screen.print(Text(readable(f"  keep    {note}"), style="yellow"))


def show_points(screen: Console, points: tuple[RestorablePoint, ...]) -> None:
    """Print the turns that one can go back to."""
    from rich.text import Text

    for point in points:
        files = f"  ({_count(len(point.paths), 'path')} changed)" if point.paths else ""
        line = Text.assemble((f"{point.number:>4}  ", "bold"), one_line(point.words, WORDS_WIDTH))
        screen.print(line.append(files, style="dim"))


def as_json(report: UndoReport, *, done: bool) -> dict[str, Any]:
    """Return the report as JSON tells it."""
    return {
        "done": done,
        "turns": list(report.turns),
        "conversation": report.conversation,
        "restored": _printable(report.restored),
        "removed": _printable(report.removed),
        "conflicts": _printable(report.conflicts),
        "skipped": _printable(report.skipped),
        "diff": report.diff,
    }


def _list(screen: Console, verb: str, paths: tuple[str, ...]) -> None:
    from rich.text import Text

    for path in paths[:SHOWN_PATHS]:
        screen.print(Text(readable(f"  {verb} {path}")))
    if len(paths) > SHOWN_PATHS:
        screen.print(Text(f"  {verb} {len(paths) - SHOWN_PATHS} more"))


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _number(turn_id: str) -> str:
    return turn_id.rpartition("-")[2]


def _printable(paths: tuple[str, ...]) -> list[str]:
    # Names need not be UTF-8, JSON has to be.
    return [
        path.encode(errors="surrogateescape").decode(errors="backslashreplace") for path in paths
    ]
