"""Signing requests to a server by OAuth 2.1, through the SDK's own client of it.

Imported where a server has an address only: the SDK takes a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.oauth2 import OAuthContext
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
    ProtectedResourceMetadata,
)
from pydantic import AnyUrl

from victor.errors import ConfigError
from victor.mcp.options import ServerOptions
from victor.mcp.sign_ins import SignIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOOPBACK = "127.0.0.1"
SIGN_IN_SECONDS = 600.0
_MOST_BYTES = 16_384
_PAGE = (
    "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    "Content-Length: {length}\r\n\r\n{text}"
)
_DONE = "Victor has what it needs. You can close this page."

Show = Callable[[str], Awaitable[None]]
"""Lets a person open an address."""


def sign_in_needed(options: ServerOptions) -> ConfigError:
    """Return the error that says how a person signs in."""
    return ConfigError(f"it wants you to sign in: run `victor mcp login {options.name}`")


def signed(options: ServerOptions, sign_in: SignIn) -> OAuthClientProvider:
    """Return what signs requests by a kept sign-in, and renews that.

    Where it cannot, requests raise the error of `sign_in_needed`: nobody is asked.
    """

    async def refuse(_url: str) -> None:
        raise sign_in_needed(options)

    provider = _provider(options, sign_in, f"http://{LOOPBACK}/callback", refuse, _nobody)
    sign_in.changed()
    context = provider.context
    # The SDK keeps none of this between two programs, and could not renew without it.
    context.token_expiry_time = sign_in.ends
    kept = sign_in.kept
    if "server" in kept:
        context.oauth_metadata = OAuthMetadata.model_validate(kept["server"])
    if "resource" in kept:
        resource = ProtectedResourceMetadata.model_validate(kept["resource"])
        context.protected_resource_metadata = resource
        context.auth_server_url = str(resource.authorization_servers[0])
    return provider


def signing_in(
    options: ServerOptions, sign_in: SignIn, show: Show, desk: Desk
) -> OAuthClientProvider:
    """Return what lets a person sign in when the server asks for it."""
    sign_in.begin_anew()
    return _provider(options, sign_in, desk.address, show, desk.answer)


class Desk:
    """Waits on loopback for the browser to come back."""

    def __init__(self) -> None:
        self.address = ""
        self._answer: asyncio.Future[AuthorizationCodeResult] = (
            asyncio.get_running_loop().create_future()
        )

    async def answer(self) -> AuthorizationCodeResult:
        """Return what the browser brought. Raises `ConfigError` where the person refused."""
        try:
            async with asyncio.timeout(SIGN_IN_SECONDS):
                return await self._answer
        except TimeoutError:
            raise ConfigError("nobody signed in within ten minutes") from None

    def take(self, address: str) -> bool:
        """Return whether this is the address that the browser was sent to, and take its answer."""
        parts = urlsplit(address.strip())
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path != "/callback" or not asked.keys() & {"code", "error"} or self._answer.done():
            return False
        if "error" in asked:
            why = asked.get("error_description") or asked["error"]
            self._answer.set_exception(ConfigError(f"the server refused the sign-in: {why}"))
            return True
        result = AuthorizationCodeResult(
            code=asked["code"], state=asked.get("state"), iss=asked.get("iss")
        )
        self._answer.set_result(result)
        return True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the browser."""
        try:
            async with asyncio.timeout(10):
                line = (await reader.readline())[:_MOST_BYTES].decode("latin-1").split(" ")
            taken = len(line) == 3 and line[0] == "GET" and self.take(line[1])
            status, text = ("200 OK", _DONE) if taken else ("404 Not Found", "Nothing here.")
            page = _PAGE.format(status=status, length=len(text), text=text)
            writer.write(page.encode())
            await writer.drain()
        except (OSError, ValueError, TimeoutError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def desk_at(port: int) -> AsyncIterator[Desk]:
    """Listen at a port of this machine, any where 0. Raises `ConfigError` where it is taken."""
    desk = Desk()
    try:
        listening = await asyncio.start_server(desk.serve, LOOPBACK, port, limit=_MOST_BYTES)
    except OSError as error:
        raise ConfigError(f"port {port} cannot be listened at: {error.strerror}") from error
    async with listening:
        desk.address = f"http://{LOOPBACK}:{listening.sockets[0].getsockname()[1]}/callback"
        yield desk


class _Context(OAuthContext):
    """Takes up tokens that another process has renewed meanwhile, and keeps what renews them."""

    storage: SignIn

    def is_token_valid(self) -> bool:
        """Return whether the token, as it is kept now, holds."""
        if self.storage.changed() and (tokens := self.storage.kept.get("tokens")):
            self.current_tokens = OAuthToken.model_validate(tokens)
            self.token_expiry_time = self.storage.ends
        return super().is_token_valid()

    def update_token_expiry(self, token: OAuthToken) -> None:
        """Note when the token ends, and who gave it, before the SDK has it kept."""
        super().update_token_expiry(token)
        server, resource = self.oauth_metadata, self.protected_resource_metadata
        self.storage.note(server=_dumped(server), resource=_dumped(resource))


def _provider(
    options: ServerOptions,
    sign_in: SignIn,
    address: str,
    show: Show,
    answer: Callable[[], Awaitable[AuthorizationCodeResult]],
) -> OAuthClientProvider:
    told = OAuthClientMetadata(client_name="Victor", redirect_uris=[AnyUrl(address)])
    provider = OAuthClientProvider(options.url, told, sign_in, show, answer)
    provider.context = _Context(options.url, told, sign_in, show, answer)
    return provider


async def _nobody() -> AuthorizationCodeResult:
    raise ConfigError("there is nobody to sign in")


def _dumped(model: Any) -> dict[str, Any] | None:
    return None if model is None else model.model_dump(mode="json", exclude_none=True)
