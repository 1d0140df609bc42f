"""The port to what writes the system prompt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


class PromptContext(Mapping[str, Any]):
    """What a contributor may know: the session's facts and what the caller passed.

    Facts: `session_id`, `workspace`, `provider`, `model`, `mode`, `task` (the user's message).
    The caller's own keys come from `orchestrator.prompt_context` and
    `chat(..., prompt_context={...})` and win over facts of the same name.
    """

    __slots__ = ("_facts",)

    def __init__(self, facts: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        self._facts = {**(facts or {}), **more}

    def __getitem__(self, key: str) -> Any:
        return self._facts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def __repr__(self) -> str:
        return f"PromptContext({self._facts!r})"


@runtime_checkable
class IPromptContributor(Protocol):
    """Writes one part of the system prompt. The higher `priority()` comes first."""

    @abstractmethod
    def priority(self) -> int:
        """Return the rank of this part. Built-in parts stand between 10 and 1000."""
        ...

    @abstractmethod
    async def get_contribution(self, context: PromptContext) -> str:
        """Return the part's text, or an empty string to add nothing."""
        ...


@runtime_checkable
class INoteContributor(Protocol):
    """A contributor that also has something to say of what changes during a session.

    The prompt in front stays the same bytes, so that a vendor's cache holds; a note goes behind,
    at the end of a user's message or of a tool's result.
    """

    async def get_note(self, context: PromptContext, paths: tuple[str, ...]) -> str:
        """Return what the model should be told now and was not told yet; mostly nothing.

        `paths` are files that a tool has just read or changed, relative to the workspace with `/`;
        none where a turn begins.
        """
        ...


class BasePromptContributor(ABC):
    """Base of prompt contributors: `get_contribution` is all that one must write."""

    mandatory: bool = False
    """Whether the prompt must not be sent without this part."""

    constant: bool = False
    """Whether only `configure` and `renew` change the text: then it is asked for once."""

    @property
    def name(self) -> str:
        """What reports call this part."""
        return type(self).__name__

    def priority(self) -> int:
        """Return the rank of this part; the higher comes first."""
        return 50

    @abstractmethod
    async def get_contribution(self, context: PromptContext) -> str:
        """Return the part's text, or an empty string to add nothing."""

    def configure(self, config: Mapping[str, Any]) -> None:  # noqa: B027  # most have no settings
        """Adopt the settings that concern it. Raises `ConfigError` and then keeps the old ones."""

    def renew(self) -> None:  # noqa: B027  # most keep nothing
        """Read anew what is kept for a session, and tell notes again: after a compaction."""


@dataclass(frozen=True, slots=True)
class PromptPart:
    """One part of a system prompt, with the reason why it is there."""

    contributor: str
    priority: int
    text: str
    tokens: int
    """Estimate."""
