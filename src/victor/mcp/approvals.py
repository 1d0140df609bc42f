"""Which offers of servers a person has approved, as they were then."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from difflib import unified_diff
from pathlib import Path
from typing import Any

from victor.errors import ConfigError
from victor.mcp.offers import Offer
from victor.mcp.options import ServerOptions


class Approvals:
    """Approved offers: those of the session, and those kept in a file of the person's."""

    def __init__(self, path: Path) -> None:
        """Keep them in `path`, which need not exist."""
        self._path = path
        self._session: set[tuple[str, str]] = set()
        self._known: dict[str, Any] = {}
        self._stamp: tuple[int, int, int] | None = None
        """Of the file that is known."""

    def approved(self, server: ServerOptions, offer: Offer) -> bool:
        """Return whether this very offer was approved. Raises `ConfigError`."""
        if (server.identity, offer.digest) in self._session:
            return True
        kept = self._of(server).get(offer.key)
        return isinstance(kept, dict) and kept.get("digest") == offer.digest

    def difference(self, server: ServerOptions, offer: Offer) -> str:
        """Return how it differs from what was approved, as a diff; empty where nothing was."""
        kept = self._of(server).get(offer.key)
        if not isinstance(kept, dict):
            return ""
        before, after = str(kept.get("text", "")).splitlines(), offer.text.splitlines()
        return "\n".join(unified_diff(before, after, "approved", "now", lineterm=""))

    def approve(self, server: ServerOptions, offers: tuple[Offer, ...], *, keep: bool) -> None:
        """Approve the offers, for this session or, with `keep`, until they change.

        Raises `ConfigError` where they cannot be kept.
        """
        self._session |= {(server.identity, one.digest) for one in offers}
        if keep:
            all_kept = self._read()
            known = dict(all_kept.get(server.identity) or {})
            known |= {one.key: {"digest": one.digest, "text": one.text} for one in offers}
            self._write(all_kept | {server.identity: known})

    def _of(self, server: ServerOptions) -> dict[str, Any]:
        found = self._read().get(server.identity)
        return found if isinstance(found, dict) else {}

    def _read(self) -> dict[str, Any]:
        """Return what is kept, read anew where another process has changed it."""
        try:
            now = self._path.stat()
            stamp = now.st_mtime_ns, now.st_size, now.st_ino
            if stamp == self._stamp:
                return self._known
            kept = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            kept = None
        if not isinstance(kept, dict):
            raise ConfigError(
                f"{self._path} cannot be read, so nothing of a server can be shown to be approved.",
                hint="Delete it, and approve what servers offer again.",
            )
        self._known, self._stamp = kept, stamp
        return kept

    def _write(self, kept: dict[str, Any]) -> None:
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(file, "w", encoding="utf-8") as stream:
                json.dump(kept, stream, indent=1)
            draft.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise ConfigError(f"{self._path} cannot be written: {error.strerror}.") from error
