"""The system prompt: parts by contributors, in order of priority, and why each is there.

A part that fails, hangs or gives what is no text is left out and reported; without a mandatory
part there is no prompt. A contributor of a constant part is asked once, and where no part has
changed the prompt is the same object as before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, TypeAlias

from victor import tokens
from victor.agent.bounded import bounded, really_cancelled
from victor.errors import ConfigError, CoordinatorError
from victor.protocols import INoteContributor, IPromptContributor, PromptContext
from victor.protocols.prompt import BasePromptContributor, PromptPart

__all__ = ["BasePromptContributor", "PartFailure", "PromptCoordinator", "PromptPart"]

FAILURES_TO_REST = 3
REST_SECONDS = 30.0
FAILURES_KEPT = 50
_JOINT = "\n\n"


@dataclass(frozen=True, slots=True)
class PartFailure:
    """A contributor whose part was left out."""

    contributor: str
    error: str


OnFailure: TypeAlias = Callable[[str, str], None]
"""Told of a part that was left out: (contributor, error)."""


@dataclass(slots=True)
class _Entry:
    contributor: IPromptContributor
    name: str
    priority: int
    mandatory: bool
    note: INoteContributor | None = None
    """The contributor again, where it writes notes."""
    constant: str | None = None
    """The part, where it need not be asked for again."""
    failures: int = 0
    """In a row."""
    rests_until: float = 0.0


class PromptCoordinator:
    """Asks the contributors, each under a time limit, and joins what they give."""

    def __init__(
        self,
        contributors: Iterable[IPromptContributor] = (),
        *,
        time_limit: float = 2.0,
        on_failure: OnFailure | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask `contributors`, each for at most `time_limit` seconds.

        Raises `ConfigError` for one that is no contributor.
        """
        self._time_limit = time_limit
        self._on_failure = on_failure
        self._clock = clock
        self._entries: list[_Entry] = []
        self._config: Mapping[str, Any] | None = None
        self._context = PromptContext()
        self._texts: list[str] = []
        self._built: tuple[tuple[_Entry, str], ...] = ()
        self._prompt = ""
        self._failures: list[PartFailure] = []
        for contributor in contributors:
            self.add_contributor(contributor)

    @property
    def contributors(self) -> tuple[IPromptContributor, ...]:
        """Those that are asked, the highest priority first."""
        return tuple(entry.contributor for entry in self._entries)

    @property
    def failures(self) -> tuple[PartFailure, ...]:
        """The last parts that were left out, oldest first."""
        return tuple(self._failures)

    def add_contributor(self, contributor: IPromptContributor) -> None:
        """Ask `contributor` from now on. Among equal priorities the one added first comes first.

        Raises `ConfigError` for what is no contributor, or does not take its settings.
        """
        if not isinstance(contributor, IPromptContributor):
            raise ConfigError(
                f"{type(contributor).__name__} is no prompt contributor.",
                hint="It needs the methods priority() and get_contribution(context).",
            )
        priority: Any = contributor.priority()
        if not isinstance(priority, int):
            raise ConfigError(
                f"The priority of {type(contributor).__name__} must be a whole number, not"
                f" {priority!r}."
            )
        entry = _Entry(
            contributor,
            str(getattr(contributor, "name", "") or type(contributor).__name__),
            priority,
            bool(getattr(contributor, "mandatory", False)),
            contributor if isinstance(contributor, INoteContributor) else None,
        )
        if self._config is not None:
            _configure(contributor, self._config)
        self._entries = sorted([*self._entries, entry], key=lambda one: -one.priority)
        self._texts = []

    def remove_contributor(self, contributor: IPromptContributor) -> None:
        """Ask `contributor` no more; one that is not asked is no error.

        Raises `ConfigError` for a mandatory one.
        """
        for entry in self._entries:
            if entry.contributor is contributor and entry.mandatory:
                raise ConfigError(f"The part {entry.name!r} of the prompt cannot be left out.")
        self._entries = [one for one in self._entries if one.contributor is not contributor]
        self._texts = []

    def configure(self, config: Mapping[str, Any]) -> None:
        """Let every contributor adopt its settings.

        Raises the `ConfigError` of the first that refuses its own; those before it keep theirs.
        """
        for entry in self._entries:
            entry.constant = None
            _configure(entry.contributor, config)
        self._config = config

    async def build_system_prompt(self, context: PromptContext | EllipsisType = ...) -> str:
        """Return the prompt, its parts joined in order of priority.

        Without a context, or with `...`, it is the one that was built for last.
        Raises `CoordinatorError` when a mandatory part cannot be had.
        """
        if not isinstance(context, EllipsisType):
            self._context = context
        entries = self._entries  # adding one meanwhile makes another list
        texts = [
            await self._contribution(entry) if entry.constant is None else entry.constant
            for entry in entries
        ]
        if texts != self._texts or not texts:
            parts = zip(entries, map(str.strip, texts), strict=True)
            self._built = tuple((entry, text) for entry, text in parts if text)
            self._prompt = _JOINT.join(text for _, text in self._built)
            self._texts = texts
        return self._prompt

    async def note(self, context: PromptContext, paths: tuple[str, ...] = ()) -> str:
        """Return what the model should be told behind the conversation; mostly nothing.

        `paths` are files that a tool has just read or changed; none where a turn begins.
        """
        notes = [
            await self._part(entry, entry.note.get_note, context, paths)
            for entry in self._entries
            if entry.note is not None
        ]
        return _JOINT.join(note for note in map(str.strip, notes) if note)

    def renew(self) -> None:
        """Let every contributor read anew what it keeps for the session: after a compaction."""
        for entry in self._entries:
            entry.constant = None
            renew = getattr(entry.contributor, "renew", None)
            if renew is not None:
                renew()

    def explain(self) -> tuple[PromptPart, ...]:
        """Return the parts of the last prompt, in order, with who wrote them and their tokens."""
        return tuple(
            PromptPart(entry.name, entry.priority, text, tokens.of_text(text))
            for entry, text in self._built
        )

    async def _contribution(self, entry: _Entry) -> str:
        contributor = entry.contributor
        text = await self._part(entry, contributor.get_contribution, self._context)
        if getattr(contributor, "constant", False) and not entry.failures:
            entry.constant = text
        return text

    async def _part(self, entry: _Entry, ask: Callable[..., Awaitable[str]], *told: Any) -> str:
        """Return what the contributor says as it is; empty where it failed."""
        if entry.rests_until and self._clock() < entry.rests_until:
            return ""
        try:
            text: Any = await bounded(ask(*told), self._time_limit)
        except asyncio.CancelledError as failure:
            if really_cancelled():
                raise
            return self._failed(entry, failure)
        except Exception as failure:  # noqa: BLE001  # a contributor of anybody's; it is reported
            return self._failed(entry, failure)
        if not isinstance(text, str):
            wrong = type(text).__name__
            return self._failed(entry, TypeError(f"the part must be a text, not {wrong}"))
        entry.failures = 0
        entry.rests_until = 0.0
        return text

    def _failed(self, entry: _Entry, failure: BaseException) -> str:
        entry.failures += 1
        if entry.failures >= FAILURES_TO_REST and not entry.mandatory:
            entry.rests_until = self._clock() + REST_SECONDS
        error = f"{type(failure).__name__}: {failure}"
        self._failures = [*self._failures, PartFailure(entry.name, error)][-FAILURES_KEPT:]
        if self._on_failure is not None:
            self._on_failure(entry.name, error)
        if entry.mandatory:
            raise CoordinatorError(
                "prompt", f"the part {entry.name!r} failed: {error}"
            ) from failure
        return ""


def _configure(contributor: IPromptContributor, config: Mapping[str, Any]) -> None:
    configure = getattr(contributor, "configure", None)
    if configure is not None:
        configure(config)
