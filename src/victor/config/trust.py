"""Which folders may configure Victor.

What a project keeps in `.victor` can allow commands and send words elsewhere, so it counts only
when a person has trusted this very content in this very folder. Links are never followed there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from victor.beneath import open_beneath, read_beneath
from victor.config.files import LIMIT, data_folder, read_bytes
from victor.errors import ConfigError

PROJECT_FOLDER = Path(".victor")
PROJECT_FILE = PROJECT_FOLDER / "config.toml"
MOST_FILES = 200
"""In `.victor`; a folder with more is not trusted."""
_DEEPEST = 8


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
        """Return the folder's configuration file if all of `.victor` is trusted, else None.

        What is returned is what was checked. Raises `ConfigError` for what cannot be read.
        """
        return self.trusted_contents(folder).get(PROJECT_FILE.as_posix())

    def trusted_contents(self, folder: Path) -> dict[str, bytes]:
        """Return every file in the folder's `.victor`, by its path, if all of it is trusted.

        Nothing otherwise. Raises `ConfigError` for what cannot be read.
        """
        found = contents(folder)
        kept = self._read().get(_name(folder))
        if not isinstance(kept, dict) or kept.get("digest") != _digest(found):
            return {}
        return found

    def trust(self, folder: Path, shown: Mapping[str, bytes] | None = None) -> None:
        """Trust this content of the folder's `.victor`, by default what is there now.

        Give what a person was shown (see `contents`), so that no other content can take its place
        meanwhile. Raises `ConfigError`.
        """
        found = contents(folder) if shown is None else shown
        if not found:
            raise ConfigError(
                f"There is nothing to trust: {folder / PROJECT_FOLDER} has no files, or is a link."
            )
        texts = {path: data.decode("utf-8", "replace") for path, data in found.items()}
        entry = {"digest": _digest(found), "files": texts}
        self._write(self._read() | {_name(folder): entry})

    def changes(self, folder: Path, found: Mapping[str, bytes]) -> str:
        """Return how `found` differs from what was trusted, as a diff; empty if nothing was.

        Raises `ConfigError`.
        """
        from difflib import unified_diff

        kept = self._read().get(_name(folder))
        if not isinstance(kept, dict):
            return ""
        before: Mapping[str, str] = kept.get("files") or {}
        lines: list[str] = []
        for path in sorted({*before, *found}):
            old = before.get(path, "").splitlines()
            new = found.get(path, b"").decode("utf-8", "replace").splitlines()
            source = f"trusted/{path}" if path in before else "/dev/null"
            target = f"now/{path}" if path in found else "/dev/null"
            lines += unified_diff(old, new, source, target, lineterm="")
        return "\n".join(lines)

    def forget(self, folder: Path) -> None:
        """Trust the folder no longer. Raises `ConfigError`."""
        kept = self._read()
        if kept.pop(_name(folder), None) is not None:
            self._write(kept)

    def _read(self) -> dict[str, Any]:
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

    def _write(self, kept: dict[str, Any]) -> None:
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


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file in the folder's `.victor`, by its path; nothing where there is none.

    Raises `ConfigError` for files that cannot be read, are too large or too many.
    """
    found: dict[str, bytes] = {}
    root = folder.resolve()
    try:
        _collect(root, root / PROJECT_FOLDER, found, 0)
    except OSError as error:
        raise ConfigError(
            f"{folder / PROJECT_FOLDER} cannot be read: {error.strerror}.",
            hint="Make it readable, or move it away.",
        ) from error
    return found


def _collect(root: Path, folder: Path, found: dict[str, bytes], depth: int) -> None:
    try:
        descriptor = open_beneath(root, folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        with os.scandir(descriptor) as entries:
            names = sorted((one.name, one.is_dir(follow_symlinks=False)) for one in entries)
    finally:
        os.close(descriptor)
    for name, is_folder in names:
        if is_folder and depth < _DEEPEST:
            _collect(root, folder / name, found, depth + 1)
            continue
        data = read_beneath(root, folder / name, LIMIT + 1)
        if data is None:
            continue
        if len(data) > LIMIT or len(found) == MOST_FILES:
            raise ConfigError(
                f"{root / PROJECT_FOLDER} is too large: a project's configuration has at most"
                f" {MOST_FILES} files of {LIMIT:,} bytes."
            )
        found[(folder / name).relative_to(root).as_posix()] = data


def _name(folder: Path) -> str:
    return str(folder.resolve())


def _digest(found: Mapping[str, bytes]) -> str:
    """Return a hash of the files, which no other files have, whatever they are called."""
    import hashlib

    whole = hashlib.sha256()
    for path, data in sorted(found.items()):
        named = os.fsencode(path)
        whole.update(b"%d:%s%d:" % (len(named), named, len(data)) + data)
    return whole.hexdigest()
