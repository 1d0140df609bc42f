"""Where settings come from: code, environment, files and profiles, each an `IConfigProvider`.

All of these can be read without awaiting: `read` is what `get_config` returns, at any time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from victor.config import files
from victor.config.trust import PROJECT_FILE, PROJECT_FOLDER, Trust
from victor.errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from victor.config.settings import Settings

PREFIX = "VICTOR_"
"""What the environment variables of settings begin with."""

NOT_SETTINGS = frozenset({"VICTOR_CALL_ID", "VICTOR_DEBUG", "VICTOR_HOME", "VICTOR_MODELS_DIR"})
"""Variables with the prefix that are read elsewhere and set no setting."""

SKILLS = "skills"
"""The folder of skills, in the user's folder and in `.victor` of a project."""

SKILL_FOLDERS, USER_FILE, PROFILE, PROJECT, ENVIRONMENT, CODE = 10, 20, 30, 40, 50, 80

PRIORITIES = (
    ("Defaults", 0),
    ("The folders `skills` that there are, for `skill_folders` alone", SKILL_FOLDERS),
    (
        "`config.toml` in the user's folder (`~/.config/victor` on Linux, or `VICTOR_HOME`)",
        USER_FILE,
    ),
    ("A profile: `profiles/NAME.yaml` beside it, chosen by the setting `profile`", PROFILE),
    ("`.victor/config.toml` of a trusted project", PROJECT),
    ("Environment variables `VICTOR_*`", ENVIRONMENT),
    ("`Settings(...)` in code, or options of a command", CODE),
)
"""Every built-in source with its priority, for the documentation."""


class Source(Protocol):
    """A source that can be read at once."""

    def priority(self) -> int:
        """Return its rank; the higher wins."""
        ...

    def read(self) -> dict[str, Any]:
        """Return the settings that it sets, and no others. Raises `ConfigError`."""
        ...

    def origin(self, key: str) -> str:
        """Return where exactly a value of `key` comes from."""
        ...


class _Readable:
    """Gives what `read` returns, whichever the session is."""

    def read(self) -> dict[str, Any]:
        """Return the settings that it sets, and no others. Raises `ConfigError`."""
        raise NotImplementedError

    async def get_config(self, session_id: str) -> dict[str, Any]:
        """Return the settings that it sets, and no others. Raises `ConfigError`."""
        return self.read()


class SettingsConfigProvider(_Readable):
    """The settings given in code: those that were given, not the defaults of the others."""

    def __init__(
        self, settings: Settings, *, priority: int = CODE, origin: str = "Settings(...)"
    ) -> None:
        self._settings = settings
        self._priority = priority
        self._origin = origin

    def priority(self) -> int:
        """Return 80, unless another was given."""
        return self._priority

    def read(self) -> dict[str, Any]:
        """Return what was given."""
        from victor.config.settings import value_of

        given = self._settings.model_fields_set
        return {name: value_of(self._settings, name) for name in sorted(given)}

    def origin(self, key: str) -> str:
        """Return where the settings were made."""
        return self._origin


class EnvironmentConfigProvider(_Readable):
    """The environment variables `VICTOR_*`, with JSON for tables. Empty ones count as not set."""

    def __init__(
        self, environ: Mapping[str, str] | None = None, *, priority: int = ENVIRONMENT
    ) -> None:
        """Read `environ`, by default the process's own at the time of reading."""
        self._environ = environ
        self._priority = priority

    def priority(self) -> int:
        """Return 50, unless another was given."""
        return self._priority

    def read(self) -> dict[str, Any]:
        """Return what is set. Raises `ConfigError` for a variable that sets nothing known."""
        environ = os.environ if self._environ is None else self._environ
        given = {
            variable: value
            for variable, value in environ.items()
            if value and variable.startswith(PREFIX) and variable not in NOT_SETTINGS
        }
        return dict(_variable(variable, value) for variable, value in given.items())

    def origin(self, key: str) -> str:
        """Return the variable that sets `key`."""
        return f"{PREFIX}{key.upper()} in the environment"


class TomlConfigProvider(_Readable):
    """A TOML file; one that is missing sets nothing."""

    def __init__(self, path: Path, priority: int = USER_FILE) -> None:
        self._path = path
        self._priority = priority

    def priority(self) -> int:
        """Return the rank that was given, by default that of the user's file, 20."""
        return self._priority

    def read(self) -> dict[str, Any]:
        """Return what the file says. Raises `ConfigError` with the line of what is broken."""
        data = files.read_bytes(self._path)
        return {} if data is None else files.parse_toml(data, self._path)

    def origin(self, key: str) -> str:
        """Return the path of the file."""
        return str(self._path)


class ProjectConfigProvider(_Readable):
    """`.victor/config.toml` of a project, as long as a person trusts what it says."""

    def __init__(
        self, folder: Path, trust: Trust | None = None, *, priority: int = PROJECT
    ) -> None:
        self._folder = folder
        self._trust = trust or Trust()
        self._priority = priority
        self.warning = ""
        """What a person should know of the last reading: that the file is there and ignored."""

    def priority(self) -> int:
        """Return 40, unless another was given."""
        return self._priority

    def read(self) -> dict[str, Any]:
        """Return what the file says if it is trusted, else nothing. Raises `ConfigError`."""
        path = self._folder / PROJECT_FILE
        self.warning = ""
        if not path.exists():
            return {}
        data = self._trust.trusted(self._folder)
        if data is None:
            self.warning = (
                f"{path} is ignored: you have not trusted what it says, or what it says now."
                " `victor trust` shows it, or what changed in it, and asks."
            )
            return {}
        return files.parse_toml(data, path)

    def origin(self, key: str) -> str:
        """Return the path of the file."""
        return str(self._folder / PROJECT_FILE)


class ProfileConfigProvider(_Readable):
    """The YAML file of the chosen profile: `NAME.yaml` in `folder`."""

    def __init__(
        self, folder: Path, chosen_by: tuple[Source, ...] = (), *, priority: int = PROFILE
    ) -> None:
        """Take the profile that the highest of `chosen_by` sets."""
        self._folder = folder
        self._chosen_by = chosen_by
        self._priority = priority
        self._name = ""

    def priority(self) -> int:
        """Return 30, unless another was given."""
        return self._priority

    def read(self) -> dict[str, Any]:
        """Return what the chosen profile says, if one is chosen. Raises `ConfigError`."""
        self._name = self._chosen()
        if not self._name:
            return {}
        path = self._path()
        # A name that is a path would read any file.
        data = files.read_bytes(path) if path.parent == self._folder else None
        if data is None:
            known = tuple(sorted(found.stem for found in self._folder.glob("*.yaml")))
            raise UnknownNameError(
                "profile", self._name, known, hint=f"They are in {self._folder}."
            )
        content = files.parse_yaml(data, path)
        if "profile" in content:
            raise ConfigError(f"{path}: a profile cannot choose a `profile`.", hint="Remove it.")
        return content

    def origin(self, key: str) -> str:
        """Return the path of the profile."""
        return str(self._path())

    def _path(self) -> Path:
        return self._folder / f"{self._name}.yaml"

    def _chosen(self) -> str:
        for source in sorted(self._chosen_by, key=lambda source: -source.priority()):
            if chosen := source.read().get("profile"):
                return str(chosen)
        return ""


class SkillFolders(_Readable):
    """The folders of skills that there are: the user's, and a project's that is trusted."""

    def __init__(self, home: Path, folder: Path | None = None, trust: Trust | None = None) -> None:
        self._home = home
        self._folder = folder
        self._trust = trust or Trust()
        self.warning = ""
        """What a person should know of the last reading: that a project's are there and ignored."""

    def priority(self) -> int:
        """Return 10: whatever a person sets takes its place."""
        return SKILL_FOLDERS

    def read(self) -> dict[str, Any]:
        """Return `skill_folders`, if there are some. Raises `ConfigError`."""
        found = [self._home / SKILLS]
        self.warning = ""
        if self._folder is not None and (self._folder / PROJECT_FOLDER / SKILLS).is_dir():
            found += self._of_project(self._folder)
        folders = tuple(str(path) for path in found if path.is_dir())
        return {"skill_folders": folders} if folders else {}

    def origin(self, key: str) -> str:
        """Return what the folders are."""
        return "the folders that are there"

    def _of_project(self, folder: Path) -> tuple[Path, ...]:
        skills = folder / PROJECT_FOLDER / SKILLS
        if self._trust.trusted_contents(folder):
            return (skills,)
        if not (folder / PROJECT_FILE).exists():  # else that is what the warning is of
            self.warning = (
                f"{skills} is ignored: you have not trusted what is in there, or is there now."
                " `victor trust` shows it, or what changed in it, and asks."
            )
        return ()


def standard_sources(
    settings: Settings | None = None,
    folder: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    trust: Trust | None = None,
) -> tuple[Source, ...]:
    """Return every built-in source for an agent that works in `folder`, highest priority first."""
    home = files.config_folder()
    chosen_by: list[Source] = [] if settings is None else [SettingsConfigProvider(settings)]
    chosen_by.append(EnvironmentConfigProvider(environ))
    if folder is not None:
        chosen_by.append(ProjectConfigProvider(folder, trust))
    chosen_by.append(TomlConfigProvider(home / "config.toml", USER_FILE))
    profile = ProfileConfigProvider(home / "profiles", tuple(chosen_by))
    return (*chosen_by[:-1], profile, chosen_by[-1], SkillFolders(home, folder, trust))


def _variable(variable: str, value: str) -> tuple[str, Any]:
    """Return the setting and the value that an environment variable sets. Raises `ConfigError`."""
    # Only here, because it costs 100 ms and most environments set nothing.
    from victor.config import settings

    key = variable.removeprefix(PREFIX).lower()
    if key not in settings.names():
        guess = settings.nearest(key)
        meant = f"{PREFIX}{guess.upper()}" if guess else ""
        raise settings.unknown(variable, "the environment", meant=meant)
    if key not in settings.TABLES:
        return key, value
    try:
        return key, json.loads(value)
    except ValueError as error:
        raise ConfigError(
            f"{variable} in the environment is no JSON: {error}.",
            hint="""Write a table as '{"name": ["value"]}'.""",
        ) from None
