"""Fetching what a person names of servers in a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from victor.errors import ToolError
from victor.mcp.content import shown
from victor.mcp.mentions import PromptMention, ResourceMention, arguments_of
from victor.mcp.offers import Prompt
from victor.mcp.resources import named, read
from victor.mcp.server import Server, State
from victor.messages import Image
from victor.protocols import Attachment, Mentionable, ToolEnvironment
from victor.visible import one_line

if TYPE_CHECKING:
    from mcp_types import GetPromptResult

MOST_LISTED = 200
"""So many resources of a server are offered for completion."""


def resources_of(server: Server) -> tuple[Mentionable, ...]:
    """Return its resources as a person types them."""
    return tuple(
        Mentionable(f"@{server.options.name}:{one.uri}", "", one.description or one.name)
        for one in server.offered.resources[:MOST_LISTED]
    )


def prompt_of(prompt: Prompt) -> Mentionable:
    """Return the prompt as a person types it."""
    return Mentionable(prompt.command, prompt.usage, one_line(prompt.description))


async def resource(
    mention: ResourceMention, readable: tuple[Server, ...], environment: ToolEnvironment
) -> Attachment:
    """Return what the resource holds. Raises `ToolError`."""
    server = named(readable, mention.server)
    seconds, sees = environment.timeout, environment.sees_images
    found = await read(server, mention.uri, seconds, sees_images=sees)
    return Attachment(mention.typed, found.content, found.source, images=found.images)


async def prompt(
    mention: PromptMention,
    server: Server,
    approved: Callable[[Prompt], bool],
    environment: ToolEnvironment,
) -> Attachment:
    """Return the words of a prompt that a person has approved. Raises `ToolError`."""
    name = server.options.name
    if server.state is not State.RUNNING:
        why = f": {server.failure}" if server.failure else ""
        raise ToolError(f"The MCP server {name} does not run{why}")
    offered = {one.name: one for one in server.offered.prompts}
    asked_for = offered.get(mention.prompt)
    if asked_for is None:
        known = ", ".join(one.command for one in offered.values()) or "none"
        raise ToolError(f"{name} has no prompt {mention.prompt!r}. Its prompts: {known}.")
    if not approved(asked_for):
        raise ToolError(f"{asked_for.command} is not approved. `victor mcp approve {name}` asks.")
    arguments = arguments_of(asked_for, mention.rest)
    result = await server.prompt(asked_for.name, arguments, environment.timeout)
    found = _attached(mention.typed, result, server.options.source, environment)
    return found.with_text(server.concealed(found.text))


def _attached(
    typed: str, result: GetPromptResult, source: str, environment: ToolEnvironment
) -> Attachment:
    texts: list[str] = []
    images: list[Image] = []
    for message in result.messages:
        text, pictures = shown((message.content,), sees_images=environment.sees_images)
        # In a conversation of its own it would be an answer: here it shows what one is like.
        texts.append(text if message.role == "user" else f"[An answer to go on from:]\n{text}")
        images += pictures
    return Attachment(typed, "\n\n".join(texts), source, asked=True, images=tuple(images))
