from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from victor.config.rule_files import RuleFiles
from victor.config.trust import Trust
from victor.errors import ConfigError

RULES = ('shell(echo "a\\*b")', "write(a.md)")


@pytest.fixture
def file(home_of_its_own: Path) -> Path:
    return home_of_its_own / "config.toml"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '[permissions]\nallow = [\n    {0},\n    {1},\n]\n'),
        ("mode = 'plan'\n", "mode = 'plan'\n\n[permissions]\nallow = [\n    {0},\n    {1},\n]\n"),
        ("mode = 'plan'", "mode = 'plan'\n\n[permissions]\nallow = [\n    {0},\n    {1},\n]\n"),
        (
            "[permissions]  # mine\ndeny = ['x']\n",
            "[permissions]  # mine\nallow = [\n    {0},\n    {1},\n]\ndeny = ['x']\n",
        ),
        (
            '[permissions]\nallow = ["read", "write(a.md)"]\n[models]\n',
            '[permissions]\nallow = [\n    {0},\n"read", "write(a.md)"]\n[models]\n',
        ),
        (
            '[permissions]\nallow = [ # why\n  "read",\n]\n',
            '[permissions]\nallow = [\n    {0},\n    {1},\n# why\n  "read",\n]\n',
        ),
    ],
)  # fmt: skip
def test_rules_are_added_and_nothing_else_changes(file: Path, before: str, after: str) -> None:
    if before:
        file.write_text(before)
    assert RuleFiles(file.parent).keep(RULES, "user") == str(file)
    assert file.read_text() == after.format('"shell(echo \\"a\\\\*b\\")"', '"write(a.md)"')
    allowed = tomllib.loads(file.read_text())["permissions"]["allow"]
    assert set(RULES) <= set(allowed)
    kept = file.read_bytes()
    RuleFiles(file.parent).keep(RULES, "user")
    assert file.read_bytes() == kept


@pytest.mark.parametrize(
    "before",
    ["permissions = {allow = ['x']}\n", "[permissions]\nallow = 'x'\n", "permissions.ask = ['x']\n",
     "[other]\nx = '''\n[permissions]\nallow = [\n'''\n"],
)  # fmt: skip
def test_a_form_that_cannot_be_added_to_is_left_as_it_is(file: Path, before: str) -> None:
    file.write_text(before)
    with pytest.raises(ConfigError, match="cannot be added") as refused:
        RuleFiles(file.parent).keep(("write",), "user")
    assert '"write"' in str(refused.value.hint)
    assert file.read_text() == before


def test_a_broken_file_is_left_as_it_is(file: Path) -> None:
    file.write_text("mode = \n")
    with pytest.raises(ConfigError, match="line 1"):
        RuleFiles(file.parent).keep(("write",), "user")


def test_what_cannot_be_written_is_said(file: Path) -> None:
    file.mkdir()
    with pytest.raises(ConfigError):
        RuleFiles(file.parent).keep(("write",), "user")


def test_a_new_project_file_is_trusted(tmp_path: Path) -> None:
    file = tmp_path / ".victor" / "config.toml"
    assert RuleFiles(tmp_path).keep(("write",), "project") == str(file)
    assert Trust().trusted(tmp_path) == file.read_bytes()


def test_a_trusted_project_file_stays_trusted(tmp_path: Path) -> None:
    file = tmp_path / ".victor" / "config.toml"
    file.parent.mkdir()
    file.write_text("mode = 'plan'\n")
    Trust().trust(tmp_path)
    RuleFiles(tmp_path).keep(("write",), "project")
    assert b"write" in (Trust().trusted(tmp_path) or b"")


def test_a_project_file_that_is_not_trusted_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / ".victor" / "config.toml"
    file.parent.mkdir()
    file.write_text("mode = 'plan'\n")
    with pytest.raises(ConfigError, match="not trusted"):
        RuleFiles(tmp_path).keep(("write",), "project")
    assert file.read_text() == "mode = 'plan'\n"
    assert Trust().trusted(tmp_path) is None
