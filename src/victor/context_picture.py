"""What a model's window is filled with: parts that add up to the window."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from victor import tokens
from victor.calibration import Fit
from victor.messages import Message, Role, ToolSpec


@dataclass(frozen=True, slots=True)
class ContextPicture:
    """Tokens by what they go to. All but the window and what is kept for the answer is estimate."""

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
    """How the vendor's counts stand to the estimate; the figures here are calibrated by it."""

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
) -> ContextPicture:
    """Return what the window is filled with, as a request with these parts would fill it."""
    sizes = dict.fromkeys(Role, 0)
    count = 0
    for message in messages:
        sizes[message.role] += tokens.of_message(message)
        count += 1

    def real(estimate: int) -> int:
        return round(estimate * fit.factor)

    prompt, offered = real(tokens.of_text(system)), real(sum(map(tokens.of_tool, tools)))
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
    )
