"""Where what is set aside of sessions lies, and whose of it a conversation may read."""

from __future__ import annotations

import os
import re
from hashlib import sha256
from pathlib import Path

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")


def folder_of(folder: Path, session_id: str) -> Path:
    """Return the folder of the session's files: `folder` itself for what is of no session."""
    if not session_id:
        return folder
    # Ids may come from outside and are no file names.
    plain = _PLAIN.fullmatch(session_id)
    digest = sha256(session_id.encode(errors="surrogatepass")).hexdigest()[:32]
    return folder / (session_id if plain else f"session.{digest}")


class SetAside:
    """Says which folders below `folder` belong to the conversation; none before it has begun.

    That is its session's own, and those of the sessions that it was forked from: what it was told
    names files there. What other sessions have set aside may be of another project, and is not its
    to read.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else Path(os.path.realpath(folder))
        self._own: tuple[Path, ...] = ()

    def belong_to(self, *session_ids: str) -> None:
        """Let it be that of these sessions from now on."""
        if self._folder is not None:
            self._own = tuple(folder_of(self._folder, one) for one in session_ids if one)

    def folders(self) -> tuple[Path, ...]:
        """Return the folders, resolved, which need not exist."""
        return self._own
