"""The picture of the window, the receipt of a compaction, and explanations, as lines of text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from victor.context_picture import Counted
from victor.visible import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from victor.context_picture import ContextPicture
    from victor.events import ContextCompacted
    from victor.explanations import Explanation, Part

WIDTH = 60
"""Characters of the bar."""

LEFT_OUT_SHOWN = 10

_DROPPED = ("left out: ", "shortened: ")
_OF_COMPACTION = ("strategy", "reason", "kept", "time")
"""What each thing that was dropped shares with the compaction that it stands under."""

_PARTS = (
    ("system", "system prompt", "#", "blue"),
    ("tools", "tools", "%", "cyan"),
    ("user", "user messages", "u", "green"),
    ("assistant", "model messages", "a", "magenta"),
    ("results", "tool results", "r", "yellow"),
    ("reserve", "kept for the answer", "=", "dim"),
    ("free", "free", ".", "dim"),
)
"""Each part of the picture: its field, its name, its sign in the bar, and its colour."""


def show_picture(console: Console, shown: ContextPicture) -> None:
    """Print the window as a bar, and under it what each part takes."""
    from rich.text import Text

    from victor.transcript.words import counted as number_of

    bar = Text("[")
    for count, (_, _, sign, colour) in zip(shares(shown), _PARTS, strict=True):
        bar.append(sign * count, style=colour)
    bar.append("]")
    console.print(bar)
    for name, title, sign, colour in _PARTS:
        size = getattr(shown, name)
        line = Text(f"  {sign} ", style=colour)
        line.append(f"{title:<20} {size:>12,}  {size / shown.window:>6.1%}", style="")
        console.print(line)
    console.print(f"    {'window':<20} {shown.window:>12,}  {shown.provider}:{shown.model}")
    console.print(
        f"{number_of(shown.messages, 'message')}, compacted from {shown.compacts_at:,} tokens on"
        f"{': more than fits, so the next turn begins with that' if shown.free < 0 else ''}.",
        style="dim",
    )
    console.print(accuracy(shown), style="dim")


def accuracy(shown: ContextPicture) -> str:
    """Return how far the figures can be trusted."""
    fit = shown.fit
    calls = "1 call" if fit.calls == 1 else f"{fit.calls} calls"
    lately = f"calibrated by {calls} (x {fit.factor:.2f}); off by {shown.error:.0%} lately"
    match shown.counted:
        case Counted.EXACT if fit.calls:
            return f"Words are exact, by the model's own vocabulary; the rest is {lately}."
        case Counted.EXACT:
            return "Words are exact, by the model's own vocabulary; what stands around them is not."
        case Counted.CALIBRATED:
            return f"An estimate, {lately}."
        case _:
            return "An estimate: 13 % off on average, up to 38 % for 95 of 100 texts."


def shares(shown: ContextPicture) -> tuple[int, ...]:
    """Return the characters of the bar that each part has: `WIDTH` together.

    What is there has at least one, as far as the largest part can spare it.
    """
    sizes = [max(getattr(shown, name), 0) for name, *_ in _PARTS]
    total = sum(sizes) or 1
    counts = [max(size * WIDTH // total, 1 if size else 0) for size in sizes]
    counts[counts.index(max(counts))] += WIDTH - sum(counts)
    return tuple(counts)


def receipt(done: ContextCompacted) -> str:
    """Return a compaction in one line: before, after, what, why, cost, and where the rest is."""
    saved = f"{done.tokens_before:,} → {done.tokens_after:,} tokens ({done.strategy})"
    parts = [f"The context was compacted, {saved}: {done.reason}"]
    if done.what:
        parts.append(", ".join(done.what))
    if done.summary_tokens:
        cost = "price unknown" if done.cost is None else f"{done.cost:.4f} USD"
        parts.append(f"the summary took {done.summary_tokens:,} tokens, {cost}")
    if done.kept:
        parts.append(f"kept in {done.kept}")
    return "; ".join(parts) + "."


def show_explanation(console: Console, found: Explanation) -> None:
    """Print the facts, then each part with its figures and its reason, then what is unknown.

    Settings that have their default are counted, not listed; so are tools that are not offered,
    but for the best `LEFT_OUT_SHOWN`.
    """
    from rich.padding import Padding
    from rich.text import Text

    console.print(Text(f"{found.topic} of {found.of}", style="bold"))
    for name, value in found.facts.items():
        console.print(
            Padding(Text(f"{name}: {one_line(_value(value), 300)}"), (0, 0, 0, 2), expand=False)
        )
    told = [part for part in found.parts if part.why != "default"]
    left_out = [part for part in told if part.figures.get("offered") is False][LEFT_OUT_SHOWN:]
    dropped = [part for part in told if part.name.startswith(_DROPPED)][LEFT_OUT_SHOWN:]
    hidden = set(map(id, (*left_out, *dropped)))
    for part in (part for part in told if id(part) not in hidden):
        console.print(Padding(_heading(part), (0, 0, 0, 2), expand=False))
        if part.why:
            console.print(
                Padding(Text(one_line(part.why, 300), style="dim"), (0, 0, 0, 6), expand=False)
            )
    if left_out:
        console.print(
            f"  {len(left_out)} more are not offered; `victor explain tools --json` has each."
        )
    if dropped:
        console.print(
            f"  {len(dropped)} more were left out; `victor explain context --json` has each."
        )
    if len(told) < len(found.parts):
        console.print(f"  {len(found.parts) - len(told)} more have their default.")
    for sentence in found.unknown:
        console.print(Padding(Text(sentence, style="yellow"), (0, 0, 0, 2), expand=False))


def _heading(part: Part) -> Text:
    from rich.text import Text

    line = Text(one_line(part.name, 60))
    above = _OF_COMPACTION if part.name.startswith(_DROPPED) else ()
    figures = _figures(part.figures, above)
    if figures:
        line.append(f"  {one_line(figures, 800)}", style="cyan")
    return line


def _figures(figures: Mapping[str, Any], above: tuple[str, ...]) -> str:
    """Return the figures in a line, but for those that stand `above`; long texts are for JSON."""
    told = ((name, value) for name, value in figures.items() if name not in ("text", *above))
    return ", ".join(
        f"{name} {_value(value)}" for name, value in told if value not in (None, (), "")
    )


def _value(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            told = f"{value:,.6g}"
            return f"{value:.9f}".rstrip("0") if "e-" in told else told
        case None:
            return "unknown"
        case str():
            return value
    from victor.cli.json_lines import plain

    return json.dumps(plain(value), ensure_ascii=False)
