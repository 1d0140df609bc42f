"""What servers gave when a person signed in to them, in files that only that person can read."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from victor.errors import ConfigError
from victor.mcp.options import ServerOptions

if TYPE_CHECKING:
    from mcp.shared.auth import OAuthClientInformationFull, OAuthToken


class SignIns:
    """The sign-ins that are kept, one file for each server."""

    def __init__(self, folder: Path) -> None:
        """Keep them in `folder`, which need not exist."""
        self._folder = folder

    def of(self, options: ServerOptions) -> SignIn:
        """Return the sign-in at this server, whether there is one or not."""
        return SignIn(self._folder / f"{options.identity.replace(':', '-')}.json", options)


class SignIn:
    """The tokens for one server, with what is needed to renew them. A storage as the SDK's."""

    def __init__(self, file: Path, options: ServerOptions) -> None:
        self._file = file
        self._options = options
        self._stamp: tuple[int, int] | None = None
        self._kept: dict[str, Any] = {}

    def changed(self) -> bool:
        """Return whether the file is another than was read last, and read it."""
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return False
        try:
            kept = {} if stamp is None else json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            name = self._options.name
            raise ConfigError(
                f"{self._file} cannot be read.", hint=f"`victor mcp login {name}` signs in anew."
            ) from None
        self._stamp = stamp
        self._kept = kept if isinstance(kept, dict) else {}
        return True

    @property
    def kept(self) -> dict[str, Any]:
        """What is kept, as it was read last; empty where nobody has signed in."""
        return self._kept

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown of it."""
        tokens, client = self._kept.get("tokens", {}), self._kept.get("client", {})
        parts = tokens.get("access_token"), tokens.get("refresh_token"), client.get("client_secret")
        return tuple(part for part in parts if part)

    @property
    def ends(self) -> float | None:
        """When the token ends, in seconds since the epoch; None where that is not known."""
        return self._kept.get("ends")

    def begin_anew(self) -> None:
        """Leave aside what is kept; the file stays until there are new tokens."""
        self._kept, self._stamp = {}, self._stamp_now()

    def forget(self) -> bool:
        """Delete what is kept, and return whether there was anything. Raises `ConfigError`."""
        self._kept, self._stamp = {}, None
        try:
            self._file.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise ConfigError(f"{self._file} cannot be deleted: {error.strerror}.") from error
        return True

    def note(self, **more: Any) -> None:
        """Keep more with the next tokens."""
        self._kept |= {name: value for name, value in more.items() if value is not None}

    async def get_tokens(self) -> OAuthToken | None:
        """Return the tokens, as the SDK asks for them."""
        from mcp.shared.auth import OAuthToken

        found = self._kept.get("tokens")
        return None if found is None else OAuthToken.model_validate(found)

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep new tokens, which the SDK has got. Raises `ConfigError`."""
        ends = None if tokens.expires_in is None else time.time() + tokens.expires_in
        self._kept |= {"tokens": tokens.model_dump(mode="json", exclude_none=True), "ends": ends}
        self._write()

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Return what the server knows Victor as: what the settings say, or what it said."""
        from mcp.shared.auth import OAuthClientInformationFull

        if self._options.client_id:
            secret = self._options.client_secret()
            return OAuthClientInformationFull(
                client_id=self._options.client_id,
                client_secret=secret or None,
                token_endpoint_auth_method="client_secret_post" if secret else "none",
            )
        found = self._kept.get("client")
        return None if found is None else OAuthClientInformationFull.model_validate(found)

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep what the server said it knows Victor as, with the tokens."""
        self.note(client=client_info.model_dump(mode="json", exclude_none=True))

    def _stamp_now(self) -> tuple[int, int] | None:
        try:
            now = self._file.stat()
        except OSError:
            return None
        return now.st_mtime_ns, now.st_ino

    def _write(self) -> None:
        draft = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(file, "w", encoding="utf-8") as stream:
                json.dump(self._kept, stream)
            draft.replace(self._file)
            self._stamp = self._stamp_now()
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise ConfigError(f"{self._file} cannot be written: {error.strerror}.") from error
