"""What tools give beyond what the model is told: kept by session, for the owner alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from victor.agent.outputs import Outputs
from victor.messages import ToolCall

pytestmark = pytest.mark.anyio

CALL = ToolCall("c/1", "shell", {})


async def test_each_session_has_a_folder_and_no_file_is_written_over(tmp_path: Path) -> None:
    first, again = Outputs(tmp_path), Outputs(tmp_path)
    kept = [await first.keep("s1", CALL, "one"), await again.keep("s1", CALL, "two")]
    other = await again.keep("s2", CALL, "three")
    assert [file.read_text() for file in (*kept, other)] == ["one", "two", "three"]
    assert {file.parent for file in kept} == {tmp_path / "s1"}
    assert stat.S_IMODE(other.stat().st_mode) == 0o600
    assert stat.S_IMODE(other.parent.stat().st_mode) == 0o700


async def test_what_a_session_has_set_aside_goes_with_it(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path)
    await outputs.keep("s1", CALL, "one")
    other = await outputs.keep("s2", CALL, "two")
    await outputs.forget("s1")
    await outputs.forget("never there")
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [other]


async def test_what_was_left_out_goes_behind_what_was_before_and_says_where(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path)
    first = await outputs.append("s1", "one\ntwo\n")
    again = await outputs.append("s1", "drei\n")
    assert (first.line, again.line) == (1, 3)
    assert first.place == again.place
    assert again.place.read_text().splitlines()[again.line - 1] == "drei"
    assert stat.S_IMODE(again.place.stat().st_mode) == 0o600


async def test_an_odd_id_stays_in_the_folder(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path / "kept")
    for name in ("../../escape", "..", "a/b", "x" * 300):
        file = await outputs.keep(name, CALL, "text")
        assert file.parent.parent == tmp_path / "kept"
        await outputs.forget(name)
        assert not file.exists()


async def test_without_a_session_nothing_is_forgotten(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path)
    file = await outputs.keep("", CALL, "text")
    await outputs.forget("")
    assert file.parent == tmp_path
    assert file.exists()
