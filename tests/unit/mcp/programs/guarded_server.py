"""A real server that wants a sign-in, and the real authorization server for it, by the SDK.

Arguments: the port, how many seconds a token holds, a file that notes what was asked for, and the
port of a registration by hand.
"""

from __future__ import annotations

import secrets
import sys
import time
from pathlib import Path

from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions
from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from starlette.requests import Request

port, holds, notes = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
PLACE = f"http://127.0.0.1:{port}"
BY_HAND = OAuthClientInformationFull(
    client_id="by-hand", client_secret="well-known-secret",
    redirect_uris=[f"http://127.0.0.1:{int(sys.argv[4])}/callback"],
    token_endpoint_auth_method="client_secret_post",
)  # fmt: skip


def note(what: str) -> None:
    with notes.open("a") as file:
        file.write(what + "\n")


class Authority:
    """Signs everybody in who comes, unless the notes say to refuse."""

    def __init__(self) -> None:
        self.clients = {BY_HAND.client_id: BY_HAND}
        self.codes: dict[str, AuthorizationCode] = {}
        self.tokens: dict[str, AccessToken] = {}
        self.refreshing: dict[str, RefreshToken] = {}

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        note(f"register {client_info.client_name}")
        self.clients[client_info.client_id] = client_info

    async def authorize(
        self, client: OAuthClientInformationFull, params: AuthorizationParams
    ) -> str:
        note(f"authorize {client.client_id} {bool(params.code_challenge)}")
        place = str(params.redirect_uri)
        if "refuse" in notes.read_text():
            return construct_redirect_uri(place, error="access_denied", state=params.state)
        code = AuthorizationCode(
            code=secrets.token_hex(20), client_id=client.client_id, scopes=params.scopes or [],
            expires_at=time.time() + 60, code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri, redirect_uri_provided_explicitly=True,
            resource=params.resource,
        )  # fmt: skip
        self.codes[code.code] = code
        return construct_redirect_uri(place, code=code.code, state=params.state)

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        note("token")
        del self.codes[authorization_code.code]
        return self._issue(client.client_id, authorization_code.resource)

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> RefreshToken | None:
        return None if "revoke" in notes.read_text() else self.refreshing.get(refresh_token)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        note("refresh")
        del self.refreshing[refresh_token.token]
        return self._issue(client.client_id, f"{PLACE}/mcp")

    async def load_access_token(self, token: str) -> AccessToken | None:
        return None if "revoke" in notes.read_text() else self.tokens.get(token)

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        self.tokens.pop(token.token, None)

    def _issue(self, client_id: str, resource: str | None) -> OAuthToken:
        token, refresh = secrets.token_hex(20), secrets.token_hex(20)
        ends = int(time.time()) + holds
        self.tokens[token] = AccessToken(
            token=token, client_id=client_id, scopes=[], expires_at=ends, resource=resource
        )
        self.refreshing[refresh] = RefreshToken(token=refresh, client_id=client_id, scopes=[])
        return OAuthToken(access_token=token, expires_in=holds, refresh_token=refresh)


server = MCPServer(
    "guarded",
    auth_server_provider=Authority(),
    auth=AuthSettings(
        issuer_url=PLACE,
        resource_server_url=f"{PLACE}/mcp",
        validate_token_resource=True,
        client_registration_options=ClientRegistrationOptions(enabled=True),
    ),
)


@server.tool()
def whoami(ctx: Context) -> str:
    """Say the token."""
    request = ctx.request_context.request
    assert isinstance(request, Request)
    return request.headers["authorization"]


server.run("streamable-http", host="127.0.0.1", port=port)
