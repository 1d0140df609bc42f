"""`victor diff`: two recorded sessions side by side."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from victor.cli.on_record import with_record
from victor.cli.options import workspace_option

if TYPE_CHECKING:
    from victor.agent.orchestrator import AgentOrchestrator
    from victor.protocols import SessionInfo
    from victor.transcript.comparison import Pair, Side

_NARROWEST, _WIDEST = 24, 80
"""Columns of one side."""
_RULE = " │ "


@click.command()
@click.argument("first", metavar="SESSION")
@click.argument("second", metavar="[OTHER]", required=False)
@click.option("--all", "everything", is_flag=True, help="Show the turns that are the same as well.")
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print the turns of both as JSON.")
def diff(
    first: str, second: str | None, everything: bool, workspace: Path | None, as_json: bool
) -> None:
    """Show two sessions side by side, turn by turn.

    Such as a session and its fork. With one SESSION, it is shown beside the one that it was forked
    from.
    """

    async def loaded(
        orchestrator: AgentOrchestrator,
    ) -> tuple[SessionInfo, SessionInfo, tuple[Pair, ...]]:
        from victor.errors import SessionError
        from victor.transcript.comparison import compared

        session, folder = orchestrator.session_coordinator, str(orchestrator.workspace)
        one = await session.info(await session.resolve(first, folder))
        if second is None and not one.parent:
            raise SessionError(
                f"The session {one.id!r} is no fork.", hint="Name the other session as well."
            )
        name = await session.resolve(second or one.parent, folder)
        other = await session.info(name)
        if second is None:
            one, other = other, one  # What came first stands first.
        return one, other, compared(await session.load(one.id), await session.load(other.id))

    one, other, pairs = with_record(workspace, loaded)
    if as_json:
        from victor.cli.json_lines import plain

        turns = [{"same": pair.same, **plain(pair)} for pair in pairs]
        sessions = {"first": plain(one), "second": plain(other)}
        click.echo(json.dumps({**sessions, "turns": turns}, indent=2))
        return
    for line in _page(one, other, pairs, everything=everything):
        click.echo(line)


def _page(
    one: SessionInfo, other: SessionInfo, pairs: tuple[Pair, ...], *, everything: bool
) -> Iterator[str]:
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 100
    width = min(max((columns - len(_RULE)) // 2, _NARROWEST), _WIDEST)
    yield from _row(_head(one), _head(other), width)
    same = 0
    for pair in pairs:
        if pair.same and not everything:
            same += 1
            continue
        if same:
            yield from _same(pair.turn - same, pair.turn - 1, width)
            same = 0
        yield _ruled(f" Turn {pair.turn} ", width)
        yield from _sides(pair, width)
    if same:
        yield from _same(len(pairs) - same + 1, len(pairs), width)


def _head(info: SessionInfo) -> list[str]:
    from victor.transcript.words import cost, title
    from victor.visible import one_line

    fork = f", forked after turn {info.parent_turn}" if info.parent else ""
    return [
        f"{one_line(info.id)}{fork}",
        title(info),
        f"{one_line(info.provider)} · {one_line(info.model)} · {cost(info)}",
    ]


def _same(first: int, last: int, width: int) -> Iterator[str]:
    said = f"Turn {first} is" if first == last else f"Turns {first} to {last} are"
    yield _ruled(f" {said} the same ", width)


def _ruled(said: str, width: int) -> str:
    return said.center(2 * width + len(_RULE), "─")


def _sides(pair: Pair, width: int) -> Iterator[str]:
    first, second = _shown(pair.first), _shown(pair.second)
    yield from _row(first[0], second[0], width)
    yield from _row(first[1], second[1], width)
    yield from _row(first[2], second[2], width)


def _shown(side: Side | None) -> tuple[list[str], list[str], list[str]]:
    """Return what was asked, what came of it, and what it took."""
    if side is None:
        return ["(no such turn)"], [], []
    asked = [f"> {line}" for line in side.asked.splitlines()]
    return asked, list(side.lines), [f"({side.took})"] if side.took else []


def _row(first: list[str], second: list[str], width: int) -> Iterator[str]:
    """Give the lines of both beside each other, folded to the width."""
    from itertools import zip_longest

    from rich.cells import cell_len

    left = [piece for line in first for piece in _folded(line, width)]
    right = [piece for line in second for piece in _folded(line, width)]
    for one, other in zip_longest(left, right, fillvalue=""):
        yield f"{one}{' ' * (width - cell_len(one))}{_RULE}{other}".rstrip()


def _folded(line: str, width: int) -> list[str]:
    """Return the line in pieces that fit, parted between words where that can be."""
    from rich.cells import cell_len, chop_cells

    first, *words = line.expandtabs(4).split(" ")
    *whole, current = chop_cells(first, width) or [""]
    for word in words:
        if cell_len(f"{current} {word}") <= width:
            current = f"{current} {word}"
            continue
        if current.strip():
            whole.append(current)
        *more, current = chop_cells(word, width) or [""]
        whole += more
    return [*whole, current]
