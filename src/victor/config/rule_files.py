"""Keeping a permission rule in a settings file, without touching anything else in it."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from victor.config.files import config_folder, parse_toml, read_bytes
from victor.config.trust import PROJECT_FILE, Trust, contents
from victor.errors import ConfigError

_TABLE = re.compile(r"^\[permissions\][ \t]*(?:#.*)?$", re.MULTILINE)
_ALLOW = re.compile(r"^allow[ \t]*=[ \t]*\[", re.MULTILINE)
_NEXT_TABLE = re.compile(r"^\[", re.MULTILINE)


class RuleFiles:
    """The settings files of a person and of the project in `workspace`."""

    def __init__(self, workspace: Path, trust: Trust | None = None) -> None:
        self._workspace = workspace
        self._trust = trust or Trust()

    def keep(self, rules: tuple[str, ...], place: str) -> str:
        """Add the rules to `permissions.allow` of `place`, `user` or `project`; return the file.

        A project's file stays trusted where it was, or is new. Raises `ConfigError` where it is
        not trusted, and where its form is beyond what can be added to.
        """
        if place != "project":
            path = config_folder() / "config.toml"
            self._write(path, _with_rules(read_bytes(path) or b"", rules, path))
            return str(path)
        path = self._workspace / PROJECT_FILE
        found = contents(self._workspace)
        before = self._trust.trusted(self._workspace) if found else b""
        if before is None:
            raise ConfigError(
                f"{path.parent} is not trusted, or has no {path.name}.",
                hint="Read what is in it, then run `victor trust`.",
            )
        content = _with_rules(before, rules, path)
        self._write(path, content)
        # What is trusted now is what was, and the rules that a person has just seen.
        self._trust.trust(self._workspace, {**found, PROJECT_FILE.as_posix(): content})
        return str(path)

    def _write(self, path: Path, content: bytes) -> None:
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(draft, flags, mode), "wb") as stream:
                stream.write(content)
            draft.replace(path)
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error


def _with_rules(content: bytes, rules: tuple[str, ...], path: Path) -> bytes:
    """Return the file with the rules in it, and nothing else changed. Raises `ConfigError`."""
    before = parse_toml(content, path)
    known = _allowed(before)
    added = [rule for rule in rules if rule not in known]
    if not added:
        return content
    changed = _inserted(content.decode("utf-8-sig"), added).encode()
    wanted = dict(before.get("permissions") or {}) | {"allow": [*added, *known]}
    with suppress(ConfigError):
        if parse_toml(changed, path) == before | {"permissions": wanted}:
            return changed
    listed = ", ".join(json.dumps(rule, ensure_ascii=False) for rule in added)
    raise ConfigError(
        f"The rule cannot be added to {path}.", hint=f"Write {listed} into permissions.allow."
    )


def _allowed(settings: dict[str, Any]) -> list[str]:
    permissions = settings.get("permissions") or {}
    return list(permissions.get("allow") or ()) if isinstance(permissions, dict) else []


def _inserted(text: str, rules: list[str]) -> str:
    lines = "".join(f"    {_quoted(rule)},\n" for rule in rules)
    table = _TABLE.search(text)
    if table is None:
        gap = "" if not text or text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n"
        return f"{text}{gap}[permissions]\nallow = [\n{lines}]\n"
    following = _NEXT_TABLE.search(text, table.end())
    allow = _ALLOW.search(text, table.end(), following.start() if following else len(text))
    if allow is None:
        return f"{text[: table.end()]}\nallow = [\n{lines}]{text[table.end() :]}"
    return f"{text[: allow.end()]}\n{lines}{text[allow.end() :].lstrip(' ')}"


def _quoted(rule: str) -> str:
    """Return the rule as a string of TOML, which spells it as JSON does."""
    return json.dumps(rule, ensure_ascii=False).replace("\x7f", "\\u007f")
