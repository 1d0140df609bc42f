"""The running turn, and the limits it obeys."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from victor.agent.structured_output import OutputCheck
from victor.budget import NOTHING, Amounts, Budget
from victor.events import ContextCompacted
from victor.messages import Message, Usage
from victor.protocols import Attachment, CallReview, PromptContext


@dataclass(slots=True)
class Turn:
    """What is known of the running turn."""

    session_id: str
    id: str
    text: str
    """The user's words."""
    facts: PromptContext
    """What the prompt's contributors are told."""
    output: OutputCheck | None = None
    """What its answer must be; None for words."""
    messages: list[Message] = field(default_factory=list)
    """Those that the turn has added to the context so far."""
    heard: bool = True
    """Whether the text is the user's own; a workflow puts outputs of its steps into it."""
    note: str = ""
    """What the model is told behind the user's words."""
    attached: tuple[Attachment, ...] = ()
    """What the user has named so that it goes along, behind that."""
    usage: Usage = Usage()  # noqa: RUF009  # a frozen value
    cost: float | None = 0.0
    """US dollars of its model calls by list price; None once one of them was unpriced."""
    model_calls: int = 0
    tool_calls: int = 0
    """Those that were allowed to run."""
    failed: Amounts = NOTHING
    """What tries of model calls took that were no answer; tokens by estimate."""
    shown: list[str] = field(default_factory=list)
    """What a person has read of the reply that is on its way."""
    budget: Budget | None = None
    """What it may spend; None where nothing limits it."""
    step: int = 0
    """Counted from 1."""
    reviews: tuple[CallReview, ...] = ()
    """What is known of the step's tool calls."""
    compaction: ContextCompacted | None = None
    """What was done to the context before the last model call, if something was."""
    decided: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """Whether calls may run, and why, by id."""
    noted: Mapping[str, Any] = field(default_factory=dict)
    """What the last answered request had that the one before had not, for the record."""
    number: int = 0
    """Its number in the session, counted from 1; 0 where it is none of its turns."""
    result_kind: str = "result"
    """The kind of record that its tool results are kept as."""
    started: float = field(default_factory=time.monotonic)

    def count(self, usage: Usage, cost: float | None) -> None:
        """Count one model call that was answered."""
        self.usage = self.usage + usage
        self.model_calls += 1
        self.cost = None if cost is None or self.cost is None else self.cost + cost

    def figures(self) -> dict[str, Any]:
        """Return what it took up to now, for the record."""
        usage = self.usage
        failed = self.failed
        return {
            "input_tokens": usage.input,
            "output_tokens": usage.output,
            "cache_read_tokens": usage.cache_read,
            "cost_usd": self.cost,
            "model_calls": self.model_calls,
            "tool_calls": self.tool_calls,
            "seconds": round(time.monotonic() - self.started, 3),
            "steps": self.step,
            "failed_tokens": failed.tokens,
            "failed_cost_usd": failed.usd,
            "failed_model_calls": failed.model_calls,
        }


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings that the loop itself obeys."""

    max_tool_iterations: int = 50
    max_output_tokens: int | None = None
    temperature: float | None = None
    model_call_timeout: float = 600.0
    """Seconds that one model call may take in all."""
    tool_calling_timeout: float = 120.0
    """Seconds that one tool call may take."""
    summary_model: str | None = None
    """The model that summarizes; None is the one that serves."""
    context_window: int | None = None
    """Tokens; overrides what is known of the model."""
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What the settings know better of models, by `provider:model`."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Limits:
        """Return the limits among the settings."""
        return cls(**{name: config[name] for name in cls.__slots__ if name in config})
