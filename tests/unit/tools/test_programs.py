"""Programs that Victor starts by itself are never those of the workspace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from victor.tools.programs import find_program


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("work/bin", "work", "system", "links"):
        program = tmp_path / name / "rg"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    (tmp_path / "links/rg").unlink()
    (tmp_path / "links/rg").symlink_to(tmp_path / "work/bin/rg")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def test_folders_of_the_workspace_and_relative_ones_are_passed_over(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = work.parent / "system"
    folders = [".", "bin", "", str(work / "bin"), str(work.parent / "links"), str(system)]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))
    assert find_program("rg", work) == str(system / "rg")
    assert find_program("nowhere-at-all", work) is None


def test_a_workspace_that_is_everything_still_finds_programs(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(work.parent / "system"))
    assert find_program("rg", Path("/")) == str(work.parent / "system/rg")
    assert find_program("rg", work / "bin") == str(work.parent / "system/rg")
