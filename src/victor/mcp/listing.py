"""Asking a server for all that it offers, page by page, with bounds on how much is taken."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from victor.mcp.definition import Definition
from victor.mcp.faults import described
from victor.mcp.offers import Argument, Offer, Prompt, Reading, Resource, Template

if TYPE_CHECKING:
    from mcp import Client

MOST_TOOLS = 500
MOST_PROMPTS = 200
MOST_RESOURCES = 5_000
MOST_TEMPLATES = 100
MOST_PAGES = 50

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Offered:
    """What a server offers."""

    tools: tuple[Definition, ...] = ()
    resources: tuple[Resource, ...] = ()
    reading: Reading | None = None
    """None where it has no resources."""
    prompts: tuple[Prompt, ...] = ()
    left_out: int = 0
    """What could not be offered, being malformed, too long or too many."""
    faults: tuple[str, ...] = ()
    """Why something cannot be listed at all, a line each."""

    @property
    def offers(self) -> tuple[Offer, ...]:
        """All that a person approves."""
        reading = () if self.reading is None else (self.reading,)
        return (*self.tools, *reading, *self.prompts)


@dataclass(slots=True)
class _Sieve:
    """Keeps what is whole and new, up to a number, and counts the rest."""

    left_out: int = 0
    faults: list[str] = field(default_factory=list)

    async def keep(self, found: AsyncIterator[tuple[str, _T | None]], most: int) -> tuple[_T, ...]:
        kept: dict[str, _T] = {}
        async for key, one in found:
            if one is None or key in kept or len(kept) == most:
                self.left_out += 1
            else:
                kept[key] = one
        return tuple(kept.values())

    async def try_to_keep(
        self, what: str, found: AsyncIterator[tuple[str, _T | None]], most: int
    ) -> tuple[_T, ...]:
        """Keep what can be: that these cannot be listed says nothing against the tools."""
        from mcp import MCPError
        from mcp_types import METHOD_NOT_FOUND

        try:
            return await self.keep(found, most)
        except (MCPError, ValidationError) as error:
            if getattr(error, "code", None) != METHOD_NOT_FOUND:
                self.faults.append(f"its {what} cannot be listed: {described(error)}")
            return ()


async def listed(client: Client, server: str) -> Offered:
    """Return what the server offers. Raises what the SDK does where the tools cannot be listed."""
    sieve = _Sieve()
    can = client.server_capabilities
    tools = await sieve.keep(_tools(client, server), MOST_TOOLS)
    resources: tuple[Resource, ...] = ()
    templates: tuple[Template, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    if can.resources is not None:
        resources = await sieve.try_to_keep("resources", _resources(client), MOST_RESOURCES)
        templates = await sieve.try_to_keep("templates", _templates(client), MOST_TEMPLATES)
    if can.prompts is not None:
        prompts = await sieve.try_to_keep("prompts", _prompts(client, server), MOST_PROMPTS)
    reading = Reading(server, templates) if resources or templates else None
    return Offered(tools, resources, reading, prompts, sieve.left_out, tuple(sieve.faults))


async def _pages(fetch: Callable[..., Awaitable[Any]], items: str) -> AsyncIterator[Any]:
    cursor = None
    for _ in range(MOST_PAGES):
        page = await fetch(cursor=cursor)
        for one in getattr(page, items):
            yield one
        cursor = page.next_cursor
        if not cursor:
            return


async def _tools(client: Client, server: str) -> AsyncIterator[tuple[str, Definition | None]]:
    from mcp import MCPError
    from mcp_types import METHOD_NOT_FOUND

    try:
        async for one in _pages(client.list_tools, "tools"):
            told = one.description or ""
            yield one.name, Definition.of(server, one.name, told, one.input_schema)
    except MCPError as error:
        # Who has resources or prompts only need not know of tools.
        if error.code != METHOD_NOT_FOUND or client.server_capabilities.tools is not None:
            raise


async def _resources(client: Client) -> AsyncIterator[tuple[str, Resource | None]]:
    async for one in _pages(client.list_resources, "resources"):
        name = one.title or one.name
        yield one.uri, Resource.of(one.uri, name, one.description, one.mime_type, one.size)


async def _templates(client: Client) -> AsyncIterator[tuple[str, Template | None]]:
    async for one in _pages(client.list_resource_templates, "resource_templates"):
        uri, name = one.uri_template, one.title or one.name
        yield uri, Template.of(uri, name, one.description)


async def _prompts(client: Client, server: str) -> AsyncIterator[tuple[str, Prompt | None]]:
    async for one in _pages(client.list_prompts, "prompts"):
        takes = (
            Argument(a.name, a.description or "", required=bool(a.required))
            for a in one.arguments or ()
        )
        yield one.name, Prompt.of(server, one.name, one.description or one.title, takes)
