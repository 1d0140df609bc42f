from __future__ import annotations

from pathlib import Path

import pytest

from victor.errors import ConfigError
from victor.protocols.skill import Skill
from victor.skills import FILE, OnBroken, find_skills, parse_skill

GOOD = "---\nname: {name}\ndescription: For\n  {name}.\n---\n# Do\nThis.\n"


def put(folder: Path, name: str, text: str | None = None) -> Path:
    file = folder / name / FILE
    file.parent.mkdir(parents=True)
    file.write_text(GOOD.format(name=name) if text is None else text)
    return file


def collected() -> tuple[list[tuple[str, str]], OnBroken]:
    told: list[tuple[str, str]] = []
    return told, lambda file, why: told.append((Path(file).parent.name, why))


def test_skills_come_by_name_and_a_later_folder_s_takes_the_place_of_an_earlier_one(
    tmp_path: Path,
) -> None:
    mine, project = tmp_path / "mine", tmp_path / "project"
    put(mine, "release-notes")
    put(mine, "api")
    put(project, "api", GOOD.format(name="api").replace("This.", "That."))
    told, on_broken = collected()

    found = find_skills((mine, project, tmp_path / "missing"), on_broken)

    assert found == (
        Skill("api", "For api.", "# Do\nThat.", project / "api"),
        Skill("release-notes", "For release-notes.", "# Do\nThis.", mine / "release-notes"),
    )
    assert told == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no head", "two lines of ---"),
        ("---\nname: [\n---\n", "no YAML"),
        ("---\nonly words\n---\n", "no names and values"),
        ("---\nname: Other Name\ndescription: x\n---\n", "small letters"),
        ("---\nname: another\ndescription: x\n---\n", "its folder is called 'skill'"),
        ("---\nname: skill\n---\n", "no description"),
        (f"---\nname: skill\ndescription: {'x' * 2_000}\n---\n", "more than 1024"),
        ("x" * 70_000, "more than 64 KB"),
    ],
)
def test_a_skill_that_cannot_be_used_is_left_out_and_told_of(
    tmp_path: Path, text: str, why: str
) -> None:
    put(tmp_path, "skill", text)
    told, on_broken = collected()

    assert find_skills((tmp_path,), on_broken) == ()
    ((name, reason),) = told
    assert name == "skill"
    assert why in reason


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(ConfigError, match="UTF-8"):
        parse_skill(Path("skill") / FILE, b"\xff\xfe")
