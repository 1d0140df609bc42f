"""All servers: started together, their offers approved by a person, and handed over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from victor.config.files import data_folder
from victor.errors import ConfigError
from victor.mcp import attachments
from victor.mcp.approvals import Approvals
from victor.mcp.definition import Definition, offered_name
from victor.mcp.mentions import PromptMention, mentions
from victor.mcp.offers import Offer, Prompt
from victor.mcp.options import ServerOptions
from victor.mcp.resources import ListResources, ReadResource
from victor.mcp.server import Server, State
from victor.mcp.sign_ins import SignIns
from victor.mcp.tool import McpTool
from victor.messages import ToolCall
from victor.protocols import (
    Approval,
    Attachment,
    IApprover,
    IRememberingApprover,
    ISandbox,
    ITool,
    Mentionable,
    NoSandbox,
    ToolEnvironment,
)
from victor.visible import one_line

SIGN_INS = "mcp-sign-ins"
"""The folder of sign-ins, in that of the user's data."""

Tell = Callable[[str, str], None]
"""Lets a person know of a server, by its name, what is the matter with it."""


class McpServers:
    """A source of tools: those of servers that run, as far as a person has approved them."""

    def __init__(
        self,
        servers: tuple[Server, ...],
        approvals: Approvals,
        *,
        approver: IApprover | None = None,
        tell: Tell = lambda _server, _text: None,
        wait: float = 5.0,
    ) -> None:
        """Without `approver`, only what is approved already is offered. The first turn waits
        `wait` seconds at most for servers to start; who is later joins a later turn."""
        self.servers = servers
        self._by_name = {server.options.name: server for server in servers}
        self._approvals = approvals
        self._approver = approver
        self._tell = tell
        self._wait = wait
        self._names: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()
        self._tools: dict[str, ITool] = {}
        self._refused: set[tuple[str, str]] = set()
        self._told: dict[str, str] = {}
        self._started = False

    async def join(self) -> tuple[ITool, ...]:
        """Return the tools that can be offered from now on, in an order that holds."""
        if not self._started:
            self._started = True
            for server in self.servers:
                server.start()
            await self.settle(self._wait)
        for server in self.servers:
            await self._adopt(server)
        return tuple(self._tools.values())

    async def settle(self, seconds: float) -> None:
        """Wait until every server runs or has failed, at most so long."""
        waiting = [asyncio.ensure_future(server.settled()) for server in self.servers]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=seconds)
            for one in late:
                one.cancel()

    def unapproved(self, server: Server) -> tuple[Offer, ...]:
        """Return what a person has not approved, or not as it is now. Raises `ConfigError`."""
        approved, options = self._approvals.approved, server.options
        return tuple(one for one in server.offered.offers if not approved(options, one))

    def readable(self) -> tuple[Server, ...]:
        """Return the servers with resources that a person has agreed to be read.

        Raises `ConfigError`.
        """
        return tuple(
            server
            for server in self.servers
            if server.offered.reading is not None
            and self._approvals.approved(server.options, server.offered.reading)
        )

    def mentions(self, words: str) -> bool:
        """Return whether a person's words name a resource or a prompt of a server."""
        return bool(mentions(words, self._by_name))

    def mentionable(self) -> tuple[Mentionable, ...]:
        """Return the approved prompts and resources, as a person types them."""
        readable = self.readable()
        prompts = tuple(
            attachments.prompt_of(one)
            for server in self.servers
            for one in server.offered.prompts
            if self._approvals.approved(server.options, one)
        )
        found = (one for server in readable for one in attachments.resources_of(server))
        return (*prompts, *found)

    async def attach(self, words: str, environment: ToolEnvironment) -> tuple[Attachment, ...]:
        """Return the resources that the words name, or the prompt. Raises `ToolError`.

        A server that still starts is waited for, since the person wants it.
        """
        found: list[Attachment] = []
        for mention in mentions(words, self._by_name):
            server = self._by_name[mention.server]
            if server.state is State.STARTING:
                await server.settled()
                await self._adopt(server)
            if isinstance(mention, PromptMention):
                approved = partial(self._approves, server)
                found.append(await attachments.prompt(mention, server, approved, environment))
            else:
                readable = self.readable()
                found.append(await attachments.resource(mention, readable, environment))
        return tuple(found)

    def question(self, server: Server, offers: tuple[Offer, ...]) -> str:
        """Return what a person is asked: every word that the model would be told."""
        options = server.options
        place = one_line(options.place)
        lines = [f"Use what the MCP server {options.name} ({place}) offers?"]
        for one in offers:
            changed = self._approvals.difference(options, one)
            lines += ["", f"CHANGED since you approved it:\n{changed}" if changed else one.text]
        return "\n".join(lines)

    def approve(self, server: Server, offers: tuple[Offer, ...], *, keep: bool = True) -> None:
        """Approve the offers. Raises `ConfigError` where that cannot be kept."""
        self._approvals.approve(server.options, offers, keep=keep)

    async def aclose(self) -> None:
        """End all of them."""
        await asyncio.gather(*(server.aclose() for server in self.servers))

    async def _adopt(self, server: Server) -> None:
        """Take in what a server offers, what is new after asking."""
        name = server.options.name
        if server.state is not State.RUNNING:
            self._tell_once(name, server.failure or "it has not answered yet; it may join later")
            return
        try:
            asked = tuple(one for one in self.unapproved(server) if not self._was_refused(one))
            if asked:
                await self._ask(server, asked)
            offered = [
                one for one in server.definitions if self._approvals.approved(server.options, one)
            ]
            readable = self.readable()
        except ConfigError as error:
            self._tell_once(name, str(error))
            return
        for one in offered:
            known = self._name(one)
            tool = self._tools.get(known)
            if not isinstance(tool, McpTool) or tool.definition != one:
                self._tools[known] = McpTool(server, one, known)
        if readable and ReadResource.spec.name not in self._tools:
            for tool in (ListResources(self.readable), ReadResource(self.readable)):
                self._tools[tool.spec.name] = tool
        if server.offered.faults:
            self._tell_once(name, server.concealed("; ".join(server.offered.faults)))

    async def _ask(self, server: Server, asked: tuple[Offer, ...]) -> None:
        name = server.options.name
        if self._approver is None:
            said = f"{len(asked)} of its offers are not approved, so they are not used"
            self._tell_once(name, f"{said}. `victor mcp approve {name}` shows them, and asks")
            return
        call = ToolCall(f"mcp_{name}", f"mcp__{name}", {})
        answer = await self._approver.approve(call, self.question(server, asked))
        if answer is Approval.REFUSED or not answer:
            self._refused |= {(name, one.digest) for one in asked}
            return
        # What answers without a person looking must not decide for the sessions to come.
        person = isinstance(self._approver, IRememberingApprover)
        self.approve(server, asked, keep=person)

    def _approves(self, server: Server, prompt: Prompt) -> bool:
        return self._approvals.approved(server.options, prompt)

    def _was_refused(self, offer: Offer) -> bool:
        return (offer.server, offer.digest) in self._refused

    def _name(self, definition: Definition) -> str:
        key = (definition.server, definition.name)
        if key not in self._names:
            self._names[key] = offered_name(*key, self._taken)
        return self._names[key]

    def _tell_once(self, server: str, text: str) -> None:
        if self._told.get(server) != text:
            self._told[server] = text
            self._tell(server, text)


def servers_of(
    config: Mapping[str, Any],
    folder: Path,
    data: Path | None = None,
    *,
    approver: IApprover | None = None,
    tell: Tell = lambda _server, _text: None,
    sandbox: ISandbox | None = None,
) -> McpServers | None:
    """Return the servers of the setting `mcp_servers`; None where there are none.

    `folder` is where programs start in; approvals and logs are kept below `data`, by default the
    user's data folder. `sandbox` is what those run in that are to be confined. Raises
    `ConfigError` for a server that cannot be, and without the extra `mcp`.
    """
    told = config.get("mcp_servers") or {}
    if not told:
        return None
    if find_spec("mcp") is None:
        raise ConfigError(
            "mcp_servers is set, but the package for it is not installed.",
            hint='Run: pip install "victor-ai[mcp]"',
        )
    options = [ServerOptions.of(name, server) for name, server in told.items()]
    data, sandbox = data or data_folder(), sandbox or NoSandbox()
    if config.get("approve") == "never":
        approver = None
    logs, sign_ins = data / "mcp-logs", SignIns(data / SIGN_INS)
    return McpServers(
        tuple(Server(one, folder, logs, sign_ins.of(one), sandbox) for one in options),
        Approvals(data / "mcp.json"),
        approver=approver,
        tell=tell,
        wait=config.get("mcp_wait", 5.0),
    )
