"""What a model's window is filled with: parts that add up to the window."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from victor import tokens
from victor.calibration import Fit
from victor.messages import Message, Role, ToolSpec
from victor.protocols import TextCounter


class Counted(StrEnum):
    """How words were counted."""

    EXACT = "exact"
    """By the model's own vocabulary. What stands around messages and tools is estimate."""
    CALIBRATED = "calibrated"
    """By an estimate that was corrected by what the vendor reported."""
    ESTIMATED = "estimated"
    """By an estimate alone."""


@dataclass(frozen=True, slots=True)
class ContextPicture:
    """Tokens by what they go to, all but the window and what is kept for the answer as counted."""

    provider: str
    model: str
    window: int
    """Tokens of input and output together; the seven parts below are exactly these."""
    system: int
    tools: int
    user: int
    """The user's messages, and the notes that stand for what was left out."""
    assistant: int
    """The model's messages, the calls that it made included."""
    results: int
    """What tool calls gave."""
    reserve: int
    """Kept free for the answer."""
    free: int
    """Negative where it is overfull: the next turn compacts it."""
    messages: int
    """How many messages there are."""
    compacts_at: int
    """Tokens of messages from which on they are compacted."""
    fit: Fit
    """How the vendor's counts stand to ours; the figures here are calibrated by it."""
    counted: Counted = Counted.ESTIMATED
    """How words were counted."""
    error: float = tokens.MEAN_ERROR
    """How far the figures are off on average, as a share: as measured lately, else as known."""

    @property
    def used(self) -> int:
        """Tokens that a request has now."""
        return self.system + self.tools + self.user + self.assistant + self.results


def picture(
    messages: Iterable[Message],
    *,
    provider: str,
    model: str,
    system: str,
    tools: Iterable[ToolSpec],
    window: int,
    reserve: int,
    threshold: float,
    fit: Fit,
    vocabulary: TextCounter | None = None,
) -> ContextPicture:
    """Return what the window is filled with, as a request with these parts would fill it.

    `vocabulary` counts words as the model does; without it they are estimated.
    """
    text = vocabulary or tokens.of_text
    sizes = dict.fromkeys(Role, 0)
    count = 0
    for message in messages:
        sizes[message.role] += tokens.of_message(message, text)
        count += 1

    def real(estimate: int) -> int:
        return round(estimate * fit.factor)

    prompt, offered = real(text(system)), real(sum(tokens.of_tool(tool, text) for tool in tools))
    said, answered, given = (real(sizes[role]) for role in (Role.USER, Role.ASSISTANT, Role.TOOL))
    room = window - reserve - prompt - offered
    return ContextPicture(
        provider=provider,
        model=model,
        window=window,
        system=prompt,
        tools=offered,
        user=said,
        assistant=answered,
        results=given,
        reserve=reserve,
        free=room - said - answered - given,
        messages=count,
        compacts_at=max(int(room * threshold), 0),
        fit=fit,
        counted=_counted(fit, vocabulary),
        error=_error(fit, vocabulary),
    )


def _counted(fit: Fit, vocabulary: TextCounter | None) -> Counted:
    if vocabulary is not None:
        return Counted.EXACT
    return Counted.CALIBRATED if fit.calls else Counted.ESTIMATED


def _error(fit: Fit, vocabulary: TextCounter | None) -> float:
    if fit.error is not None:
        return fit.error
    return 0.0 if vocabulary is not None else tokens.MEAN_ERROR
