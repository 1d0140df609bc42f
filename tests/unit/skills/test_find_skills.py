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


def test_links_are_followed_in_a_folder_of_the_user_s_and_not_in_a_project_s(
    tmp_path: Path,
) -> None:
    put(tmp_path / "elsewhere", "api")
    told, on_broken = collected()
    for folder, count in ((tmp_path / "mine", 2), (tmp_path / "work" / ".victor" / "skills", 1)):
        put(folder, "own")
        (folder / "api").symlink_to(tmp_path / "elsewhere" / "api")
        assert len(find_skills((folder,), on_broken)) == count
    linked = tmp_path / "other" / ".victor"
    linked.mkdir(parents=True)
    (linked / "skills").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "work" / ".victor" / "skills" / "file").mkdir()
    (tmp_path / "work" / ".victor" / "skills" / "file" / FILE).symlink_to(
        put(tmp_path / "third", "file")
    )
    assert find_skills((linked / "skills",), on_broken) == ()
    assert len(find_skills((tmp_path / "work" / ".victor" / "skills",), on_broken)) == 1
    assert told == []


def test_what_nobody_sees_in_a_skill_is_spelled_out(tmp_path: Path) -> None:
    text = GOOD.format(name="api").replace("For", "F\U000e006for").replace("This.", "Th\u202eis.")
    put(tmp_path, "api", text)
    (skill,) = find_skills((tmp_path,), collected()[1])
    assert skill.description.startswith("F<U+E006F>or")
    assert "Th<U+202E>is." in skill.instructions
