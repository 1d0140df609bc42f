from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from victor.config.trust import MOST_FILES, PROJECT_FILE, Trust, contents
from victor.errors import ConfigError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    path = folder / PROJECT_FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(b'mode = "plan"')
    return folder


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    return Trust(tmp_path / "data" / "trust.json")


def test_a_folder_is_not_trusted_at_first(trust: Trust, project: Path) -> None:
    assert trust.trusted(project) is None
    assert not trust.path.exists()


def test_a_trusted_folder_gives_the_very_content_that_was_checked(
    trust: Trust, project: Path
) -> None:
    trust.trust(project)
    assert trust.trusted(project) == b'mode = "plan"'
    assert Trust(trust.path).trusted(project) == b'mode = "plan"'


def test_trust_ends_when_the_content_changes_and_returns_with_it(
    trust: Trust, project: Path
) -> None:
    trust.trust(project)
    path = project / PROJECT_FILE
    path.write_bytes(b'approve = "always"')
    assert trust.trusted(project) is None
    path.write_bytes(b'mode = "plan"')
    assert trust.trusted(project) is not None


def test_the_same_content_elsewhere_is_not_trusted(
    trust: Trust, project: Path, tmp_path: Path
) -> None:
    trust.trust(project)
    copy = tmp_path / "copy"
    project.rename(copy)
    assert trust.trusted(copy) is None


def test_a_link_to_a_trusted_folder_is_that_folder(
    trust: Trust, project: Path, tmp_path: Path
) -> None:
    trust.trust(project)
    (tmp_path / "link").symlink_to(project)
    assert trust.trusted(tmp_path / "link") is not None


def test_what_a_person_was_shown_is_trusted_and_not_what_came_after(
    trust: Trust, project: Path
) -> None:
    trust.trust(project, {".victor/config.toml": b"something else"})
    assert trust.trusted(project) is None
    (project / PROJECT_FILE).write_bytes(b"something else")
    assert trust.trusted(project) == b"something else"


def test_everything_in_the_folder_counts(trust: Trust, project: Path) -> None:
    further = project / ".victor/templates/tone.j2"
    further.parent.mkdir()
    further.write_text("Be brief.")
    trust.trust(project)
    assert trust.trusted(project) is not None
    further.write_text("Be rude.")
    assert trust.trusted(project) is None
    further.write_text("Be brief.")
    (project / ".victor/new").write_text("")
    assert trust.trusted(project) is None
    (project / ".victor/new").unlink()
    further.rename(further.with_name("other.j2"))
    assert trust.trusted(project) is None


def test_what_changed_since_is_told(trust: Trust, project: Path) -> None:
    assert trust.changes(project, contents(project)) == ""
    trust.trust(project)
    (project / PROJECT_FILE).write_text('mode = "build"\n')
    (project / ".victor/new").write_text("more\n")
    assert trust.changes(project, contents(project)).splitlines() == [
        "--- trusted/.victor/config.toml",
        "+++ now/.victor/config.toml",
        "@@ -1 +1 @@",
        '-mode = "plan"',
        '+mode = "build"',
        "--- /dev/null",
        "+++ now/.victor/new",
        "@@ -0,0 +1 @@",
        "+more",
    ]


@pytest.mark.parametrize("linked", [".victor", ".victor/config.toml"])
def test_links_are_never_followed(trust: Trust, project: Path, tmp_path: Path, linked: str) -> None:
    real = tmp_path / "real"
    (project / linked).rename(real)
    (project / linked).symlink_to(real)
    assert contents(project) == {}
    assert trust.trusted(project) is None
    with pytest.raises(ConfigError, match="has no files, or is a link"):
        trust.trust(project)


def test_trust_of_an_older_form_is_asked_for_again(trust: Trust, project: Path) -> None:
    trust.path.parent.mkdir()
    trust.path.write_text(json.dumps({str(project.resolve()): "0" * 64}))
    assert trust.trusted(project) is None
    assert trust.changes(project, contents(project)) == ""


def test_a_folder_that_is_too_large_is_not_trusted(project: Path) -> None:
    for number in range(MOST_FILES):
        (project / f".victor/{number}").write_text("")
    with pytest.raises(ConfigError, match="too large"):
        contents(project)


def test_trust_can_be_taken_back(trust: Trust, project: Path) -> None:
    trust.trust(project)
    trust.forget(project)
    assert trust.trusted(project) is None
    trust.forget(project)
    assert trust.path.read_text() == "{}"


def test_there_must_be_something_to_trust(trust: Trust, tmp_path: Path) -> None:
    assert trust.trusted(tmp_path) is None
    with pytest.raises(ConfigError, match="nothing to trust"):
        trust.trust(tmp_path)


def test_only_the_person_may_read_and_write_the_store(trust: Trust, project: Path) -> None:
    trust.trust(project)
    assert stat.S_IMODE(trust.path.stat().st_mode) == 0o600
    assert [path.name for path in trust.path.parent.iterdir()] == ["trust.json"]


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_broken_store_trusts_nobody_and_says_so(
    trust: Trust, project: Path, content: str
) -> None:
    trust.path.parent.mkdir()
    trust.path.write_text(content)
    with pytest.raises(ConfigError, match=r"trust\.json is broken"):
        trust.trusted(project)


def test_a_store_that_cannot_be_written_is_refused_without_a_trace(
    tmp_path: Path, project: Path
) -> None:
    (tmp_path / "store" / "trust.json" / "full").mkdir(parents=True)
    (tmp_path / "in the way").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        Trust(tmp_path / "in the way" / "trust.json").trust(project)


def test_the_store_is_in_the_users_data_folder(home_of_its_own: Path) -> None:
    assert Trust().path == home_of_its_own / "trust.json"
