"""What is left of a conversation whose process is killed, wherever it was. The short form of
`make crash-test`.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.crash.campaign import Processes, run
from tests.crash.child import NOTES, TURNS, Order
from tests.crash.judge import problems
from tests.crash.places import PLACES


@pytest.mark.timeout(240)
def test_fifty_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    report = run(50, tmp_path, seed=2)
    assert report.problems == []
    assert report.kills == 50
    assert set(report.places) == {"at random", *PLACES}
    assert len(PLACES) == 25


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """What a whole conversation leaves."""
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "notes.txt").write_text(NOTES)
    with Processes() as processes:
        assert processes.run(Order(str(tmp_path))) == 0, (tmp_path / "log").read_text()
    return tmp_path


@pytest.mark.anyio
async def test_what_is_looked_at_can_be_seen_to_be_wrong(left: Path) -> None:
    assert await problems(left, whole=True) == ()
    shown, effects = left / "shown", left / "workspace" / "effects.txt"

    lines = shown.read_text().splitlines(keepends=True)
    shown.write_text("".join([lines[2], lines[1], lines[0], *lines[3:]]))
    (found,) = await problems(left)
    assert found.startswith("lost: ")
    assert found.endswith("not on record in this place")
    shown.write_text("".join([*lines, '["checkpoint", "none"]\n']))
    assert await problems(left) == ("lost: checkpoint none",)
    shown.write_text("".join(lines))

    happened = effects.read_text().splitlines()
    effects.write_text("\n".join([*happened[:-1], happened[0], "unheard-of", ""]))
    assert await problems(left) == (
        f"effect: {happened[0]} happened 2 times",
        "effect: unheard-of happened and was not intended",
        f"effect: {happened[-1]} is said to be done, and is not",
    )
    effects.write_text("\n".join([*happened, ""]))

    with closing(sqlite3.connect(left / "sessions.db", isolation_level=None)) as connection:
        last = "SELECT max(number) FROM records WHERE kind = 'ended'"
        connection.execute(f"DELETE FROM records WHERE number = ({last})")
        connection.execute("UPDATE sessions SET records = records - 1")
    assert len(effects.read_text().splitlines()) == TURNS
    found, unfinished = await problems(left, whole=True)
    assert found.startswith("lost: ended")
    assert unfinished == "the turns were not completed"
