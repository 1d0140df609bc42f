"""The parts of a request as an explanation tells them, of a recorded one or of the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from victor import steps, tokens
from victor.explanations import Part
from victor.messages import Message, ToolSpec
from victor.protocols.selection import FIND_TOOLS


def prompt_parts(
    system: str,
    because: Iterable[Any],
    cache_read: int | None = None,
    before: int = 0,
    known: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Part, ...]:
    """Return the parts of a prompt: each [contributor, priority, tokens, characters] as noted.

    A part is `cached` where all up to its end, and the tools of `before` tokens, is less than what
    the vendor read from its cache: by estimate. `known` has the model's prices.
    """
    parts, place, size = [], 0, before
    for contributor, priority, estimate, characters in because:
        text = system[place : place + characters]
        place += characters + 2
        size += estimate
        figures = {"priority": priority, **sent_figures(estimate, size, cache_read, known)}
        parts.append(Part(contributor, begins(text), {**figures, "text": text}))
    return tuple(parts)


def message_parts(
    messages: tuple[Message, ...],
    cache_read: int | None = None,
    before: int = 0,
    known: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Part, ...]:
    """Return the messages in force, each with its tokens and what it is.

    `before` are the tokens of prompt and tools; `cached` and cost are as in `prompt_parts`.
    """
    parts: list[Part] = []
    place = before
    for block in steps.blocks(messages, tokens.of_message):
        for message in block.messages:
            size = tokens.of_message(message)
            place += size
            figures = {**sent_figures(size, place, cache_read, known), "kind": str(block.kind)}
            parts.append(Part(f"{len(parts) + 1} {message.role}", begins(said(message)), figures))
    return tuple(parts)


def tool_parts(sent: tuple[ToolSpec, ...], every: tuple[ToolSpec, ...]) -> tuple[Part, ...]:
    """Return the tools that would be sent, and then the others."""
    there = {spec.name for spec in sent}
    others = [spec for spec in every if spec.name not in there and spec.name != FIND_TOOLS]
    told = ((sent, "it is there", True), (others, "it would not be sent, being one of many", False))
    return tuple(
        Part(spec.name, why, {"effect": str(spec.effect), "offered": offered})
        for specs, why, offered in told
        for spec in specs
    )


def model_facts(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of a model, in words; nothing where nothing is."""
    if not known:
        return {}
    return {
        "window": known["window"],
        "longest answer": known["max_output"],
        "dollars for a million tokens in": known["input_price"],
        "dollars for a million tokens from the cache": known["cache_read_price"],
        "dollars for a million tokens out": known["output_price"],
        "abilities": known["abilities"],
        "known to Victor": known["known"],
    }


def sent_figures(
    size: int, until: int, cache_read: int | None, known: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what sending a part took: of `size` tokens, the last of which is the one at `until`.

    The cost is by list price, in a request; None where the price is unknown.
    """
    figures: dict[str, Any] = {"tokens": size}
    price = known.get("input_price")
    if cache_read is not None:
        figures["cached"] = until <= cache_read
        if until <= cache_read and known.get("cache_read_price") is not None:
            price = known["cache_read_price"]
    if known:
        figures["cost_usd"] = None if price is None else size * price / 1_000_000
    return figures


def said(message: Message) -> str:
    """Return what a message says, or else which tools it calls, or what those gave."""
    what = message.text or ", ".join(call.name for call in message.tool_calls)
    return what or "".join(result.content for result in message.tool_results)


def begins(text: str) -> str:
    """Return how a text begins, in one line that ends between words."""
    line = " ".join(text[:200].split())
    if len(line) <= _SHOWN:
        return line
    whole = line[: _SHOWN + 1].rpartition(" ")[0]
    return f"{whole or line[:_SHOWN]} ..."


def spec_of(form: Mapping[str, Any]) -> ToolSpec:
    """Return a tool as it was noted when it was offered."""
    return ToolSpec(form["name"], form["description"], form["parameters"])


_SHOWN = 72
