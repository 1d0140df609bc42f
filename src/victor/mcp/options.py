"""How an MCP server is reached, as the setting `mcp_servers` says."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from victor.config.keyring import ask_keyring
from victor.errors import ConfigError
from victor.protocols import Network

HARMLESS = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER")
"""What every server is given of the environment."""

SHORTEST_SECRET = 8
"""Characters from which on a value is cut out of texts: a shorter one is an ordinary word, too."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,22}[a-z0-9])?")
_VARIABLE = re.compile(r"\$\{(keyring:)?([\w.-]+)\}")
_SECRET = re.compile(r"auth|cookie|key|token|secret|password", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """One server: either a command or an address."""

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    read_only: frozenset[str] = frozenset()
    targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    client_id: str = ""
    """What Victor is registered as at the server, where it is by hand."""
    secret: str = field(default="", repr=False)
    """The name of the secret that belongs to it, as in `headers`."""
    port: int = 0
    """Where the browser comes back to after a sign-in; 0: any that is free."""

    sandbox: bool = False
    """Whether a program runs confined, and then with these rights:"""
    writable: tuple[str, ...] = ()
    """Folders that it may change, `~` for the home, relative to the workspace."""
    network: Network = Network.ALL
    hosts: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, told: Mapping[str, Any]) -> ServerOptions:
        """Return the options in the setting. Raises `ConfigError`."""
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"mcp_servers: {name!r} is no name for a server.",
                hint="Use up to 24 small letters, digits and dashes.",
            )
        command, url = told.get("command", ""), told.get("url", "")
        if bool(command) == bool(url):
            raise ConfigError(f"mcp_servers.{name}: give either a command or a url.")
        headers = dict(told.get("headers") or {})
        for header, value in headers.items():
            if _SECRET.search(header):
                _refuse_plain(f"mcp_servers.{name}.headers.{header}", value)
        oauth = dict(told.get("oauth") or {})
        if oauth and command:
            raise ConfigError(f"mcp_servers.{name}: oauth is for a url, not for a command.")
        _refuse_plain(f"mcp_servers.{name}.oauth.client_secret", oauth.get("client_secret", ""))
        args, env = tuple(told.get("args") or ()), tuple(told.get("env") or ())
        read_only = frozenset(told.get("read_only") or ())
        targets = {tool: tuple(names) for tool, names in (told.get("targets") or {}).items()}
        return cls(
            name,
            command,
            args,
            env,
            url,
            headers,
            read_only,
            targets,
            client_id=oauth.get("client_id", ""),
            secret=oauth.get("client_secret", ""),
            port=oauth.get("port", 0),
            **_confinement(name, told),
        )

    @property
    def identity(self) -> str:
        """What approvals are kept under: another command of the same name is another server."""
        where = "\0".join((self.name, self.command, *self.args, self.url))
        return f"{self.name}:{sha256(where.encode(errors='surrogatepass')).hexdigest()[:16]}"

    @property
    def place(self) -> str:
        """What a person knows it by: its command or its address."""
        return self.url or " ".join((self.command, *self.args))

    @property
    def source(self) -> str:
        """What words of it are labelled with."""
        return f"the MCP server {self.name}"

    def environment(self) -> dict[str, str]:
        """Return the environment that its process gets: harmless variables, and those named."""
        return {name: os.environ[name] for name in (*HARMLESS, *self.env) if name in os.environ}

    @property
    def signs_itself(self) -> bool:
        """Whether a header of the settings says who asks."""
        return any(header.lower() == "authorization" for header in self.headers)

    def sent_headers(self) -> dict[str, str]:
        """Return the headers with their secrets. Raises `ConfigError` where one is not set.

        The keyring may take its time.
        """
        return {
            header: self._filled(f"headers.{header}", value)
            for header, value in self.headers.items()
        }

    def client_secret(self) -> str:
        """Return the secret of the registration. Raises `ConfigError` where it is not set."""
        return self._filled("oauth.client_secret", self.secret)

    def secrets(self) -> frozenset[str]:
        """Return what must not be shown of the headers and variables, as far as it is there."""
        named = (name for name in self.env if _SECRET.search(name))
        found = [os.environ.get(name, "") for name in named]
        for value in (*self.headers.values(), self.secret):
            found += [_found(match) or "" for match in _VARIABLE.finditer(value)]
        return frozenset(value for value in found if len(value) >= SHORTEST_SECRET)

    def _filled(self, where: str, value: str) -> str:
        def secret(match: re.Match[str]) -> str:
            found = _found(match)
            if not found:
                place, remedy = (
                    ("in the keyring", f"Run: keyring set victor {match[2]}")
                    if match[1]
                    else ("in the environment", "")
                )
                raise ConfigError(
                    f"mcp_servers.{self.name}.{where}: {match[2]} is not set {place}.", hint=remedy
                )
            return found

        return _VARIABLE.sub(secret, value)


def _confinement(name: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of the sandbox. Raises `ConfigError`."""
    sandbox, network = bool(told.get("sandbox")), told.get("network", True)
    writable = tuple(told.get("writable") or ())
    if not sandbox and (writable or network is not True):
        raise ConfigError(
            f"mcp_servers.{name}: writable and network are for a server in the sandbox.",
            hint="Set sandbox = true beside them.",
        )
    if sandbox and not told.get("command"):
        raise ConfigError(f"mcp_servers.{name}: sandbox is for a command, not for a url.")
    if isinstance(network, bool):
        kind, hosts = Network.ALL if network else Network.NONE, ()
    else:
        kind, hosts = Network.HOSTS, tuple(network)
    return {"sandbox": sandbox, "writable": writable, "network": kind, "hosts": hosts}


def _found(match: re.Match[str]) -> str | None:
    return ask_keyring(match[2]) if match[1] else os.environ.get(match[2])


def _refuse_plain(where: str, value: str) -> None:
    if value and not _VARIABLE.search(value):
        raise ConfigError(
            f"{where} holds a secret in plain text.",
            hint="Name an environment variable in its place, as in 'Bearer ${MY_TOKEN}', or an"
            " entry of the keyring: '${keyring:my-token}'.",
        )
