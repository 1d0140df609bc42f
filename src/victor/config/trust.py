"""Which folders may configure Victor.

A project's `.victor/config.toml` can allow commands and send words elsewhere, so it counts only
when a person has trusted this very content in this very folder.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from victor.config.files import data_folder, read_bytes
from victor.errors import ConfigError

PROJECT_FILE = Path(".victor") / "config.toml"


class Trust:
    """The folders that a person trusts, kept in a file of theirs."""

    def __init__(self, store: Path | None = None) -> None:
        """Keep it in `store`, by default `trust.json` in the user's data folder."""
        self._store = store

    @property
    def path(self) -> Path:
        """The file that it is kept in; it need not exist."""
        return self._store or data_folder() / "trust.json"

    def trusted(self, folder: Path) -> bytes | None:
        """Return the folder's configuration file if its content is trusted, else None.

        What is returned is what was checked. Raises `ConfigError` for what cannot be read.
        """
        data = read_bytes(folder / PROJECT_FILE)
        if data is None:
            return None
        return data if self._read().get(_name(folder)) == _digest(data) else None

    def trust(self, folder: Path, content: bytes | None = None) -> None:
        """Trust this content of the folder's configuration file, by default what it says now.

        Give the content that a person was shown, so that no other can take its place meanwhile.
        Raises `ConfigError`.
        """
        data = read_bytes(folder / PROJECT_FILE) if content is None else content
        if data is None:
            raise ConfigError(f"There is nothing to trust: {folder / PROJECT_FILE} does not exist.")
        self._write(self._read() | {_name(folder): _digest(data)})

    def forget(self, folder: Path) -> None:
        """Trust the folder no longer. Raises `ConfigError`."""
        kept = self._read()
        if kept.pop(_name(folder), None) is not None:
            self._write(kept)

    def _read(self) -> dict[str, str]:
        data = read_bytes(self.path)
        if data is None:
            return {}
        try:
            kept = json.loads(data)
        except ValueError:
            kept = None
        if not isinstance(kept, dict):
            raise ConfigError(
                f"{self.path} is broken, so no folder can be shown to be trusted.",
                hint="Delete it, and trust your folders again.",
            )
        return kept

    def _write(self, kept: dict[str, str]) -> None:
        path = self.path
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(file, "w", encoding="utf-8") as stream:
                json.dump(kept, stream, indent=1)
            draft.replace(path)
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise ConfigError(
                f"{path} cannot be written: {error.strerror}.",
                hint="Make its folder writable, or set VICTOR_HOME to one that is.",
            ) from error


def _name(folder: Path) -> str:
    return str(folder.resolve())


def _digest(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()
