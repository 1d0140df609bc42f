"""What a server offers beside tools: resources to read, and prompts that a person may start."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Protocol

from victor.visible import one_line, visible

LONGEST_URI = 2_000
LONGEST_DESCRIPTION = 4_000
MOST_ARGUMENTS = 20


class Offer(Protocol):
    """Something that a person approves as it is."""

    @property
    def server(self) -> str:
        """The server's name."""
        ...

    @property
    def key(self) -> str:
        """What it is known by among the offers of its server."""
        ...

    @property
    def text(self) -> str:
        """All of it, for a person to read, with nothing hidden in it."""
        ...

    @property
    def digest(self) -> str:
        """A hash that no other offer has."""
        ...


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that can be read, in the words of its server."""

    uri: str
    name: str
    description: str = ""
    media_type: str = ""
    size: int | None = None
    """In bytes, where the server says it."""

    @classmethod
    def of(
        cls, uri: str, name: str, description: str | None, media_type: str | None, size: int | None
    ) -> Resource | None:
        """Return the resource; None where its address is too long, or has something hidden."""
        if not _plain(uri):
            return None
        said = one_line(description or "", 300)
        return cls(uri, one_line(name, 100), said, one_line(media_type or "", 60), size)


@dataclass(frozen=True, slots=True)
class Template:
    """A pattern of addresses, such as `issue://{number}`, in the words of its server."""

    uri: str
    name: str
    description: str = ""

    @classmethod
    def of(cls, uri: str, name: str, description: str | None) -> Template | None:
        """Return the template; None where it is too long, or has something hidden."""
        if not _plain(uri):
            return None
        return cls(uri, one_line(name, 100), one_line(description or "", 300))


@dataclass(frozen=True)
class Reading:
    """That what a server lists may be read. What it lists changes freely: no model is told of it
    but as foreign words, in the result of a tool."""

    server: str
    templates: tuple[Template, ...] = ()
    key = "/resources"

    @cached_property
    def text(self) -> str:
        """What a person agrees to."""
        lines = ["Resources: what it lists may be listed and read without asking."]
        if self.templates:
            lines.append("Addresses of these forms are asked for one by one:")
        lines += [f"  {one.uri}  {one.name}: {one.description}" for one in self.templates]
        return "\n".join(lines)

    @cached_property
    def digest(self) -> str:
        """A hash of the templates."""
        return _hash(self.key, *(part for one in self.templates for part in _parts(one)))


@dataclass(frozen=True, slots=True)
class Argument:
    """What a prompt can be told."""

    name: str
    description: str = ""
    required: bool = False


@dataclass(frozen=True)
class Prompt:
    """A request that a server has the words of, for a person to start."""

    server: str
    name: str
    """As the server spells it."""
    description: str = ""
    arguments: tuple[Argument, ...] = ()

    @classmethod
    def of(
        cls, server: str, name: str, description: str | None, arguments: Iterable[Argument]
    ) -> Prompt | None:
        """Return the prompt; None for one that is too long or cannot be typed."""
        said, takes = description or "", tuple(arguments)
        if not typable(name) or len(said) > LONGEST_DESCRIPTION or len(takes) > MOST_ARGUMENTS:
            return None
        if not all(typable(one.name) for one in takes):
            return None
        plain = (Argument(a.name, one_line(a.description, 300), a.required) for a in takes)
        return cls(server, name, visible(said), tuple(plain))

    @property
    def key(self) -> str:
        """What it is approved under."""
        return f"/prompt:{self.name}"

    @property
    def command(self) -> str:
        """What a person types."""
        return f"/{self.server}:{self.name}"

    @property
    def usage(self) -> str:
        """Its arguments, in brackets where they may be left out."""
        return " ".join(one.name if one.required else f"[{one.name}]" for one in self.arguments)

    @cached_property
    def text(self) -> str:
        """All that a person is told of it."""
        lines = [f"Prompt {self.command} {self.usage}".rstrip(), self.description]
        lines += [f"  {one.name}: {one.description}" for one in self.arguments if one.description]
        return "\n".join(line for line in lines if line)

    @cached_property
    def digest(self) -> str:
        """A hash of its name, its description and its arguments."""
        takes = (part for one in self.arguments for part in _parts(one))
        return _hash(self.key, self.description, *takes)


def typable(name: str) -> bool:
    """Return whether a name is one word of signs that can be seen, without a slash."""
    return 0 < len(name) <= 100 and name.isprintable() and not set(name) & set(" /=\"'\\")


def _plain(uri: str) -> bool:
    return 0 < len(uri) <= LONGEST_URI and visible(uri) == uri and not set(uri) & set(" \n\t")


def _parts(one: Template | Argument) -> tuple[str, ...]:
    if isinstance(one, Template):
        return one.uri, one.name, one.description
    return one.name, one.description, str(one.required)


def _hash(*parts: str) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()
