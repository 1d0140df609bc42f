"""What a person names of servers in a message: `@server:address`, or `/server:prompt words`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass

from victor.errors import ToolError
from victor.mcp.offers import Prompt

_RESOURCE = re.compile(r"(?<![^\s(\[])@([a-z0-9-]+):(\S+)")
_PROMPT = re.compile(r"\s*/([a-z0-9-]+):(\S+)(.*)", re.DOTALL)
_BEHIND = ".,;:!?)]}'\""
"""Signs that end a sentence rather than an address."""


@dataclass(frozen=True, slots=True)
class ResourceMention:
    """A resource that goes along."""

    server: str
    uri: str

    @property
    def typed(self) -> str:
        """What a person types for it."""
        return f"@{self.server}:{self.uri}"


@dataclass(frozen=True, slots=True)
class PromptMention:
    """A prompt that is started."""

    server: str
    prompt: str
    rest: str
    """What is typed behind it."""

    @property
    def typed(self) -> str:
        """What a person types for it, without arguments."""
        return f"/{self.server}:{self.prompt}"


def mentions(words: str, servers: Collection[str]) -> tuple[ResourceMention | PromptMention, ...]:
    """Return what the words name of these servers, each once; a prompt only at their beginning."""
    started = _PROMPT.fullmatch(words)
    if started is not None and started[1] in servers:
        return (PromptMention(started[1], started[2], started[3].strip()),)
    found = (
        ResourceMention(match[1], match[2].rstrip(_BEHIND))
        for match in _RESOURCE.finditer(words)
        if match[1] in servers and match[2].rstrip(_BEHIND)
    )
    return tuple(dict.fromkeys(found))


def arguments_of(prompt: Prompt, typed: str) -> dict[str, str]:
    """Return the prompt's arguments as typed behind it.

    They are taken in order, with quotes around those of several words, or as `name=words`. The last
    one takes all that is left. Raises `ToolError`, with how it is used.
    """
    try:
        words = shlex.split(typed)
    except ValueError:
        words = typed.split()  # An apostrophe, and no quote.
    names = [one.name for one in prompt.arguments]
    found: dict[str, str] = {}
    plain: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name in names and name not in found:
            found[name] = value
        else:
            plain.append(word)
    open_names = [name for name in names if name not in found]
    if plain and not open_names:
        raise ToolError(f"{plain[0]!r} is too much. {_usage(prompt)}")
    for position, name in enumerate(open_names[: len(plain)]):
        last = position == len(open_names) - 1
        found[name] = " ".join(plain[position:]) if last else plain[position]
    missing = [one.name for one in prompt.arguments if one.required and one.name not in found]
    if missing:
        raise ToolError(f"{prompt.command} needs {', '.join(missing)}. {_usage(prompt)}")
    return found


def _usage(prompt: Prompt) -> str:
    return f"It is used as: {prompt.command} {prompt.usage}".rstrip()
