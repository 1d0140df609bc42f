"""Which of the folders of what was set aside a conversation may read."""

from __future__ import annotations

from pathlib import Path

import pytest

from victor.set_aside import SetAside, folder_of


def test_nothing_belongs_to_a_conversation_before_it_has_begun(tmp_path: Path) -> None:
    own = SetAside(tmp_path)
    assert own.folders() == ()
    own.belong_to("s2", "s1")
    assert own.folders() == (tmp_path / "s2", tmp_path / "s1")
    own.belong_to("s3")
    assert own.folders() == (tmp_path / "s3",)


def test_without_an_id_or_a_folder_nothing_belongs_to_it(tmp_path: Path) -> None:
    for own in (SetAside(tmp_path), SetAside(None)):
        own.belong_to("", "")
        assert own.folders() == ()
    without = SetAside(None)
    without.belong_to("s1")
    assert without.folders() == ()


@pytest.mark.parametrize("name", ["..", "../x", "a/b", ".", "x" * 65, "a.b", "\udc80"])
def test_no_id_of_a_session_leads_to_another_folder(name: str, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, name)
    assert folder.parent == tmp_path
    assert folder != folder_of(tmp_path, "other")
