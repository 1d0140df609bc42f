"""Changes of several files: all, or none; and loud where not even that can be had."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from victor.errors import WorkspaceError
from victor.tools.changes import Change, commit


def change(root: Path, name: str, before: bytes | None, after: bytes | None) -> Change:
    return Change(root / name, name, before, after)


@pytest.mark.parametrize(
    ("before", "there", "cause"),
    [
        (b"old", None, "a is gone"),
        (None, b"new", "a exists already"),
        (b"old", b"other", "has just been changed by others"),
        (b"old", b"older", "has just been changed by others"),
    ],
)
def test_a_file_that_is_not_as_it_was_stops_everything(
    root: Path, before: bytes | None, there: bytes | None, cause: str
) -> None:
    if there is not None:
        (root / "a").write_bytes(there)
    with pytest.raises(WorkspaceError, match=cause):
        commit((change(root, "new/b", None, b"b"), change(root, "a", before, b"x")), root)
    left = [entry.name for entry in root.iterdir()]
    assert left == ([] if there is None else ["a"])
    assert there is None or (root / "a").read_bytes() == there


def test_what_was_removed_comes_back_with_its_permissions(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a").write_bytes(b"a")
    (root / "a").chmod(0o750)
    (root / "b").write_bytes(b"b")
    real = os.replace

    def failing(source: str, target: str, **folders: int) -> None:
        if target == "b":
            raise OSError(5, "Input/output error")
        real(source, target, **folders)

    monkeypatch.setattr("victor.tools.changes.os.replace", failing)
    with pytest.raises(WorkspaceError, match="What was there is unchanged"):
        commit((change(root, "a", b"a", None), change(root, "b", b"b", b"c")), root)
    assert (root / "a").read_bytes() == b"a"
    assert (root / "a").stat().st_mode & 0o777 == 0o750
    assert (root / "b").read_bytes() == b"b"


def test_what_cannot_be_put_back_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "a").write_bytes(b"a")
    (root / "b").write_bytes(b"b")
    real = os.replace
    calls = 0

    def failing(source: str, target: str, **folders: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise OSError(5, "Input/output error")
        real(source, target, **folders)

    monkeypatch.setattr("victor.tools.changes.os.replace", failing)
    with pytest.raises(WorkspaceError, match="failed halfway, and a could not be put back"):
        commit((change(root, "a", b"a", b"x"), change(root, "b", b"b", b"y")), root)
    assert sorted(entry.name for entry in root.iterdir()) == ["a", "b"]
