"""The settings that are tables."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, with_config

# pydantic refuses the one of `typing` on the oldest Python that is supported.
from typing_extensions import TypedDict


@with_config(extra="forbid")
class Permissions(TypedDict, total=False):
    """Rules on tool calls, such as `read`, `shell(git status *)` or `write(docs/**)`."""

    allow: tuple[str, ...]
    """Calls that run without asking."""
    ask: tuple[str, ...]
    """Calls that a person is asked about."""
    deny: tuple[str, ...]
    """Calls that never run. They win over `ask`, which wins over `allow`."""


@with_config(extra="forbid")
class McpSignIn(TypedDict, total=False):
    """What a server that asks for a sign-in must be told, where it does not take anybody."""

    client_id: str
    """What Victor is registered as there."""
    client_secret: str
    """`${NAME}` or `${keyring:NAME}`, where the registration has a secret."""
    port: Annotated[int, Field(ge=1, le=65_535)]
    """The port of `http://127.0.0.1:PORT/callback` that is registered there."""


@with_config(extra="forbid")
class McpServer(TypedDict, total=False):
    """A server of tools: a program that is started, or an address."""

    command: str
    args: tuple[str, ...]
    env: tuple[str, ...]
    """Names of environment variables that the program is given beside the harmless ones."""
    url: Annotated[str, Field(pattern=r"^https?://")]
    headers: dict[str, str]
    """`${NAME}` in a value is taken from the environment, `${keyring:NAME}` from the system's
    keyring; a secret has to be."""
    oauth: McpSignIn
    sandbox: bool
    """Whether a program runs in the sandbox, where it changes nothing but `writable`."""
    writable: tuple[str, ...]
    """Folders that it may change there, `~` for your home, relative to the workspace."""
    network: bool | tuple[str, ...]
    """Whom it may talk to there: everybody where true, the default, or hosts by name."""
    read_only: tuple[str, ...]
    """Tools that change nothing, by your word; a server's own is not taken."""
    targets: dict[str, tuple[str, ...]]
    """By tool, the arguments that say whom or what a call is aimed at."""


@with_config(extra="forbid")
class ModelFacts(TypedDict, total=False):
    """What is known of a model. What is left out is taken from the catalogue."""

    context_window: Annotated[int, Field(ge=1_000)]
    max_output: Annotated[int, Field(ge=1)]
    input_price: Annotated[float, Field(ge=0)]
    output_price: Annotated[float, Field(ge=0)]
    cache_read_price: Annotated[float, Field(ge=0)]
    cache_write_price: Annotated[float, Field(ge=0)]
    abilities: tuple[Literal["tools", "images", "pdf", "thinking", "structured_output"], ...]
