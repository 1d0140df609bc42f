"""How an MCP server is reached, as the setting `mcp_servers` says."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from victor.errors import ConfigError

HARMLESS = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER")
"""What every server is given of the environment."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,22}[a-z0-9])?")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
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
            if _SECRET.search(header) and not _VARIABLE.search(value):
                raise ConfigError(
                    f"mcp_servers.{name}.headers.{header} holds a secret in plain text.",
                    hint="Name an environment variable in its place, as in 'Bearer ${MY_TOKEN}'.",
                )
        args, env = tuple(told.get("args") or ()), tuple(told.get("env") or ())
        read_only = frozenset(told.get("read_only") or ())
        targets = {tool: tuple(names) for tool, names in (told.get("targets") or {}).items()}
        return cls(name, command, args, env, url, headers, read_only, targets)

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

    def sent_headers(self) -> dict[str, str]:
        """Return the headers with their secrets. Raises `ConfigError` where one is not set."""
        return {header: self._filled(header, value) for header, value in self.headers.items()}

    def _filled(self, header: str, value: str) -> str:
        def of_environment(match: re.Match[str]) -> str:
            found = os.environ.get(match[1])
            if not found:
                raise ConfigError(
                    f"mcp_servers.{self.name}.headers.{header}: {match[1]} is not set in the"
                    " environment."
                )
            return found

        return _VARIABLE.sub(of_environment, value)
