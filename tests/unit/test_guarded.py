"""Which names are protected, however they are spelled."""

from __future__ import annotations

from pathlib import Path

import pytest

from victor.guarded import PROTECTED, is_protected, plain_path, secrets


@pytest.mark.parametrize("name", PROTECTED)
def test_each_protected_name_is_known_in_any_case(name: str) -> None:
    assert is_protected(name)
    assert is_protected(name.upper())


@pytest.mark.parametrize(
    "name",
    [
        ".git\u200b",
        ".g\u200cit",
        "\ufeff.git",
        ".gi\u00adt",
        ".git\ufe0f",
        ".git\U000e0100",
        ".\u034fgit",
        "\uff0e\uff47\uff49\uff54",
        ".git.",
        ".git ",
        ".git. . ",
        ".git::$INDEX_ALLOCATION",
        ".git:x",
        "GIT~1",
        "git~2",
        "VSCODE~1",
        "BASHRC~1",
        "MCP~1.JSO",
        "DEVCON~12",
    ],
)
def test_what_a_file_system_takes_for_a_protected_name_is_one(name: str) -> None:
    assert is_protected(name)


@pytest.mark.parametrize(
    "name", ["git", ".github", ".gitignore", "a.git", "README~1.MD", "x~1", "~", ".", "..", "", "ü"]
)
def test_other_names_are_none(name: str) -> None:
    assert not is_protected(name)


def test_a_plain_path_is_one_of_plain_names() -> None:
    assert plain_path("A/.Env.\u200b/b:c") == "a/.env/b"
    assert plain_path("/x/../:") == "/x/../:"


def test_secrets_are_those_of_the_home_the_system_and_victor(tmp_path: Path) -> None:
    found = secrets(tmp_path, (tmp_path / "own",))
    assert {tmp_path / ".ssh", tmp_path / "own", Path("/etc/shadow")} <= set(found)
    assert len(found) == len(set(found))
