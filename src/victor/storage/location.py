"""Where Victor keeps what it records: the platform's data folder, or `VICTOR_HOME`.

Only the person who runs Victor may read it: folders are 0700, files 0600.
"""

from __future__ import annotations

import os
from pathlib import Path

from victor.errors import SessionError

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def data_folder() -> Path:
    """Return the folder that sessions and checkpoints live in; it need not exist yet."""
    if home := os.environ.get("VICTOR_HOME"):
        return Path(home).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("victor", appauthor=False))


def sessions_database() -> Path:
    """Return the path of the database of sessions."""
    return data_folder() / "sessions.db"


def checkpoints_database() -> Path:
    """Return the path of the database of file images, apart because it is large."""
    return data_folder() / "checkpoints.db"


def shadow_database(workspace: Path) -> Path:
    """Return the path of the database that keeps a copy of the workspace's files."""
    from hashlib import sha256

    name = sha256(os.fsencode(workspace)).hexdigest()[:32]
    return data_folder() / "workspaces" / f"{name}.db"


def private_folder(path: Path) -> None:
    """Make the folder, and those above it that are missing, for this person only.

    Raises `SessionError`.
    """
    try:
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        if not path.is_dir():
            raise NotADirectoryError(20, "Not a directory", str(path))
    except OSError as error:
        raise SessionError(
            f"Cannot make the folder {path}: {error.strerror}.",
            hint="Set VICTOR_HOME to a folder that you may write to.",
        ) from error


def private_file(path: Path) -> None:
    """Make the file, if it is missing, for this person only. Raises `SessionError`."""
    private_folder(path.parent)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, FILE_MODE))
    except OSError as error:
        raise SessionError(
            f"Cannot open {path}: {error.strerror}.",
            hint="Make it readable for you, or set VICTOR_HOME to another folder.",
        ) from error
