"""Reading configuration files: TOML and YAML to plain dictionaries, or an error with the line."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from victor.beneath import opened_at_once
from victor.errors import ConfigError

LIMIT = 1_000_000
"""Bytes that a configuration file may have at most."""


def config_folder() -> Path:
    """Return the folder of the user's configuration: the platform's, or `VICTOR_HOME`."""
    if home := os.environ.get("VICTOR_HOME"):
        return Path(home).expanduser()
    import platformdirs

    return Path(platformdirs.user_config_dir("victor", appauthor=False))


def data_folder() -> Path:
    """Return the folder of what Victor keeps for the user: the platform's, or `VICTOR_HOME`."""
    if home := os.environ.get("VICTOR_HOME"):
        return Path(home).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("victor", appauthor=False))


def read_bytes(path: Path) -> bytes | None:
    """Return what is in the file, None where there is no file. Raises `ConfigError`."""
    try:
        with opened_at_once(path) as file:
            data = file.read(LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}.", hint="Make it readable, or move it away."
        ) from error
    if len(data) > LIMIT:
        raise ConfigError(f"{path} is larger than {LIMIT:,} bytes; this is no configuration file.")
    return data


def parse_toml(data: bytes, path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file. Raises `ConfigError` with the file, line and key."""
    import tomllib

    text = _decoded(data, path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        reason = str(error).split(" (at ")[0]
        raise _broken("TOML", path, line, text, reason) from None


def parse_yaml(data: bytes, path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file. Raises `ConfigError` with the file, line and key."""
    import yaml

    text = _decoded(data, path)
    try:
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _broken("YAML", path, line, text, error.problem or "unreadable") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _broken("YAML", path, 1, text, str(error).splitlines()[0]) from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(f"{path} should hold `setting: value` pairs, and nothing else.")
    return content


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path}, line {line}: this is no UTF-8 text.", hint="Save the file as UTF-8."
        ) from None


def _broken(language: str, path: Path, line: int, text: str, reason: str) -> ConfigError:
    """Return the error for a line that cannot be parsed. No value is in it: it may be a secret."""
    lines = text.splitlines()
    written = lines[line - 1] if 0 < line <= len(lines) else ""
    key = re.match(r"\s*\[*([\w.-]+)", written)
    about = f" at `{key[1]}`" if key else ""
    return ConfigError(
        f"{path}, line {line}{about}: {reason[:1].lower()}{reason[1:]}.",
        hint=f"Correct the {language}, or move the file away.",
    )
