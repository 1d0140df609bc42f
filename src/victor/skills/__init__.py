"""Finding skills: folders with a `SKILL.md`.

The form is the one that other agents read, too: a YAML head between lines of `---` with `name` and
`description`, and the instructions below it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from victor.config.trust import PROJECT_FOLDER
from victor.errors import ConfigError
from victor.protocols.skill import Skill
from victor.skills.document import parse_skill

__all__ = ["FILE", "OnBroken", "find_skills", "parse_skill"]

FILE = "SKILL.md"
LARGEST = 64 * 1024
"""Bytes of a `SKILL.md` at most."""
MOST = 100
"""Skills at most; more would fill the prompt."""

OnBroken: TypeAlias = Callable[[str, str], None]
"""Told of a skill that cannot be used: (its file, why)."""


def find_skills(folders: tuple[Path, ...], on_broken: OnBroken) -> tuple[Skill, ...]:
    """Return the skills in `folders` by name; of two with one name, that of the later folder.

    One that cannot be used is left out and told of.
    """
    found: dict[str, Skill] = {}
    for path in (path for folder in folders for path in _files(folder)):
        try:
            skill = parse_skill(path, _read(path))
        except ConfigError as error:
            on_broken(str(path), str(error))
            continue
        found[skill.name] = skill
    return tuple(found[name] for name in sorted(found)[:MOST])


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    found = sorted(path for path in folder.glob(f"*/{FILE}") if path.is_file())
    if PROJECT_FOLDER.name not in folder.parts:
        return found
    # What a link leads to was not there when the person trusted the project.
    return [
        path for path in found if not any(one.is_symlink() for one in (folder, path.parent, path))
    ]


def _read(path: Path) -> bytes:
    """Return what is in the file. Raises `ConfigError`."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"it cannot be read: {error.strerror}") from error
    if len(data) > LARGEST:
        raise ConfigError(f"it has more than {LARGEST // 1024} KB")
    return data
