"""One `SKILL.md`: its head, and the instructions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from victor.errors import ConfigError
from victor.protocols.skill import Skill
from victor.visible import readable

_FORM = re.compile(r"\A---[ \t]*\r?\n(?P<head>.*?)\r?\n---[ \t]*\r?\n?(?P<body>.*)\Z", re.DOTALL)
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST_NAME = 64
_LONGEST_DESCRIPTION = 1024


def parse_skill(path: Path, data: bytes) -> Skill:
    """Return the skill that the file at `path` holds. Raises `ConfigError` where it is none."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError("it is no UTF-8 text") from error
    form = _FORM.match(text)
    if form is None:
        raise ConfigError("it does not begin with a head between two lines of ---")
    head = _head(form["head"])
    name, description = head.get("name"), head.get("description")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ConfigError("its name must be small letters, digits and hyphens, 64 at most")
    if name != path.parent.name:
        raise ConfigError(f"its name is {name!r}, and its folder is called {path.parent.name!r}")
    if not isinstance(description, str) or not description.strip():
        raise ConfigError("it has no description")
    # What a person who looks at the file does not see, the model does not obey.
    described = readable(" ".join(description.split()))
    if len(described) > _LONGEST_DESCRIPTION:
        raise ConfigError(f"its description has more than {_LONGEST_DESCRIPTION} characters")
    return Skill(name, described, readable(form["body"].strip()), path.parent)


def _head(text: str) -> dict[str, Any]:
    import yaml

    try:
        head = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError("its head is no YAML") from error
    if not isinstance(head, dict):
        raise ConfigError("its head has no names and values")
    return head
