"""The settings that are tables."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

# pydantic refuses the one of `typing` on the oldest Python that is supported.
from typing_extensions import TypedDict


class Permissions(TypedDict, total=False):
    """Rules on tool calls, such as `read`, `shell(git status *)` or `write(docs/**)`."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]  # read by pydantic

    allow: tuple[str, ...]
    """Calls that run without asking."""
    ask: tuple[str, ...]
    """Calls that a person is asked about."""
    deny: tuple[str, ...]
    """Calls that never run. They win over `ask`, which wins over `allow`."""


class McpServer(TypedDict, total=False):
    """A server of tools: a program that is started, or an address."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]  # read by pydantic

    command: str
    args: tuple[str, ...]
    env: tuple[str, ...]
    """Names of environment variables that the program is given beside the harmless ones."""
    url: Annotated[str, Field(pattern=r"^https?://")]
    headers: dict[str, str]
    """`${NAME}` in a value is taken from the environment; a secret has to be."""
    read_only: tuple[str, ...]
    """Tools that change nothing, by your word; a server's own is not taken."""
    targets: dict[str, tuple[str, ...]]
    """By tool, the arguments that say whom or what a call is aimed at."""


class ModelFacts(TypedDict, total=False):
    """What is known of a model. What is left out is taken from the catalogue."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]  # read by pydantic

    context_window: Annotated[int, Field(ge=1_000)]
    max_output: Annotated[int, Field(ge=1)]
    input_price: Annotated[float, Field(ge=0)]
    output_price: Annotated[float, Field(ge=0)]
    cache_read_price: Annotated[float, Field(ge=0)]
    cache_write_price: Annotated[float, Field(ge=0)]
    abilities: tuple[Literal["tools", "images", "pdf", "thinking", "structured_output"], ...]
