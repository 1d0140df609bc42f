"""The port to what a person names in a message so that it goes along, such as `@docs:guide://a`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from victor.messages import Image
from victor.protocols.tool import ToolEnvironment


@dataclass(frozen=True, slots=True)
class Attachment:
    """Foreign words that go with a person's message because the person named them."""

    name: str
    """As it was typed."""
    text: str
    source: str
    """Where they come from, such as `the MCP server docs`."""
    asked: bool = False
    """Whether they say what the person wants done, as a prompt does; else they are material."""
    images: tuple[Image, ...] = ()

    def with_text(self, text: str) -> Attachment:
        """Return the attachment with another text in its place."""
        return replace(self, text=text)


@dataclass(frozen=True, slots=True)
class Mentionable:
    """Something that a person can name."""

    name: str
    """What to type."""
    usage: str = ""
    """What to type behind it, in brackets where it may be left out."""
    summary: str = ""


@runtime_checkable
class IAttachments(Protocol):
    """A source of tools whose words can be named in messages as well."""

    def mentions(self, words: str) -> bool:
        """Return whether a person's words name something of it. Asks nobody."""
        ...

    def mentionable(self) -> tuple[Mentionable, ...]:
        """Return what can be named now."""
        ...

    async def attach(self, words: str, environment: ToolEnvironment) -> tuple[Attachment, ...]:
        """Return what the words name, in order. Raises `ToolError` where one cannot be had."""
        ...
