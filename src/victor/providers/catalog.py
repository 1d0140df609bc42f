"""What is known of models without the network: windows, limits, list prices, the defaults.

Prices are the vendors' list prices for standard calls in USD for a million tokens. A model that is
not listed gets a cautious window, no price, and `known=False`; on a server of the user's own it
costs nothing.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TypeAlias

from victor.protocols import Ability, LongPromptPrices, ModelInfo
from victor.providers.price_list import listed

UNKNOWN_WINDOW = 128_000
"""Of an unknown model at a vendor's: the smallest window that models of the last years have."""
UNKNOWN_OUTPUT = 8_192
LOCAL_WINDOW = 8_192
"""Of an unknown model on a server of the user's own, which cuts what is beyond, silently."""
LOCAL_OUTPUT = 4_096

_LOCAL = frozenset({"local", "ollama", "llamacpp", "lmstudio", "vllm"})
_DATED = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2})$")

_Row: TypeAlias = tuple[int, int, float, float, float | None, float | None]
"""Window, output, and the prices of input, output, cache read and cache write."""

_MILLION = 1_000_000
_GPT_WINDOW = 1_050_000

# The 4th generation has larger windows on request; what holds without asking is listed.
_ANTHROPIC: dict[str, _Row] = {
    "claude-sonnet-5-5": (_MILLION, 128_000, 2.0, 10.0, 0.10, 2.50),
    "claude-opus-5-5": (_MILLION, 128_000, 4.0, 20.0, 0.20, 5.0),
    "claude-haiku-5-5": (_MILLION, 128_000, 0.10, 0.50, 0.01, 0.125),
    "claude-fable-5-1": (_MILLION, 128_000, 10.0, 50.0, 0.25, 12.50),
    "claude-fable-5": (_MILLION, 128_000, 10.0, 50.0, 1.0, 12.50),
    "claude-opus-5": (_MILLION, 128_000, 5.0, 25.0, 0.50, 6.25),
    "claude-sonnet-5": (_MILLION, 128_000, 2.0, 10.0, 0.20, 2.50),
    "claude-opus-4-8": (200_000, 128_000, 5.0, 25.0, 0.50, 6.25),
    "claude-opus-4-7": (200_000, 128_000, 5.0, 25.0, 0.50, 6.25),
    "claude-opus-4-6": (200_000, 128_000, 5.0, 25.0, 0.50, 6.25),
    "claude-sonnet-4-6": (200_000, 64_000, 3.0, 15.0, 0.30, 3.75),
    "claude-haiku-4-5": (200_000, 64_000, 1.0, 5.0, 0.10, 1.25),
    "claude-opus-4-5": (200_000, 64_000, 5.0, 25.0, 0.50, 6.25),
    "claude-sonnet-4-5": (200_000, 64_000, 3.0, 15.0, 0.30, 3.75),
}
_OPENAI: dict[str, _Row] = {
    "gpt-6.1-terra": (_GPT_WINDOW, 128_000, 1.0, 5.0, 0.05, 1.25),
    "gpt-6-sol": (_GPT_WINDOW, 128_000, 2.0, 10.0, 0.20, 2.50),
    "gpt-6-luna": (_GPT_WINDOW, 128_000, 0.10, 0.50, 0.01, 0.125),
    "gpt-6.2-astra": (_GPT_WINDOW, 128_000, 8.0, 40.0, None, None),
    "gpt-6.2-sol": (_GPT_WINDOW, 128_000, 2.0, 10.0, None, None),
    "gpt-6.1-sol": (_GPT_WINDOW, 128_000, 2.0, 10.0, 0.10, 2.50),
    "gpt-6-astra": (_GPT_WINDOW, 128_000, 10.0, 50.0, 1.0, 12.50),
    "gpt-5.6-sol": (_GPT_WINDOW, 128_000, 4.0, 20.0, 0.40, 5.0),
    "gpt-5.6-terra": (_GPT_WINDOW, 128_000, 2.0, 12.0, 0.20, 2.50),
    "gpt-5.6-luna": (_GPT_WINDOW, 128_000, 0.20, 1.20, 0.02, 0.25),
    "gpt-5": (400_000, 128_000, 1.25, 10.0, 0.125, None),
    "gpt-5-mini": (400_000, 128_000, 0.25, 2.0, 0.025, None),
    "gpt-4.1": (1_047_576, 32_768, 2.0, 8.0, 0.50, None),
    "gpt-4.1-mini": (1_047_576, 32_768, 0.40, 1.60, 0.10, None),
    "gpt-4o": (128_000, 16_384, 2.50, 10.0, 1.25, None),
    "gpt-4o-mini": (128_000, 16_384, 0.15, 0.60, 0.075, None),
}
_DEEPSEEK: dict[str, _Row] = {
    "deepseek-v4-flash": (_MILLION, 384_000, 0.15, 0.60, 0.003, None),
    "deepseek-v4-pro": (_MILLION, 384_000, 0.66, 1.98, 0.022, None),
}
_GOOGLE: dict[str, _Row] = {
    "gemini-3.8-flash": (_MILLION, 65_536, 0.75, 3.75, 0.075, None),
    "gemini-3.5-flash": (1_048_576, 65_536, 1.50, 9.0, 0.15, None),
    "gemini-3.1-pro-preview": (1_048_576, 65_536, 2.0, 12.0, 0.20, None),
}
_XAI: dict[str, _Row] = {"grok-4.5": (500_000, 64_000, 2.0, 6.0, 0.30, None)}

_VENDORS = {
    "anthropic": _ANTHROPIC,
    "openai": _OPENAI,
    "google": _GOOGLE,
    "deepseek": _DEEPSEEK,
    "xai": _XAI,
}
_SAME_MODELS = {"azure": "openai"}

_LONG_PROMPTS = (
    (re.compile(r"claude-haiku-5-5$"), 100_000, 5.0, 5.0),
    (re.compile(r"gpt-(5\.6|6)"), 272_000, 2.0, 1.5),
    (re.compile(r"grok-4\.5$"), 199_999, 2.0, 2.0),
    (re.compile(r"gemini-3\.1-pro"), 200_000, 2.0, 1.5),
)
"""Models that charge every token of a call more when its prompt is longer than so many tokens: by
which factor those that are sent, cached or not, and by which those that are generated."""

_SEES = (Ability.TOOLS, Ability.IMAGES, Ability.PDF)
_ABILITIES = (
    (re.compile(r"claude-|gemini-|gpt-[5-9]"), frozenset({*_SEES, Ability.THINKING})),
    (re.compile(r"gpt-4"), frozenset(_SEES)),
    (re.compile(r"grok-"), frozenset({Ability.TOOLS, Ability.IMAGES, Ability.THINKING})),
    (re.compile(r"deepseek-v4"), frozenset({Ability.TOOLS, Ability.THINKING})),
)
"""What the listed models can do, by the first that their name begins with."""

_HELD = {
    "anthropic": re.compile(r"claude-[a-z]+-(4-[5-9]|[5-9])"),
    "openai": re.compile(r"gpt-(4o|4\.1|[5-9])|o[134]\b"),
    "google": re.compile(r"gemini-[3-9]"),
}
"""Models whose answers the vendor holds to a JSON schema, with tools or without."""
_HELD_ALONE = frozenset({"ollama", "llamacpp", "lmstudio", "vllm"})
"""Servers that hold every model to a schema, but take no tools beside it, or ignore it then."""

_DEFAULTS = {
    "anthropic": "claude-sonnet-5-5",
    # The strongest of those that take tools over either of the vendor's protocols.
    "openai": "gpt-6.1-terra",
    "google": "gemini-3.8-flash",
    "deepseek": "deepseek-v4-flash",
    "xai": "grok-4.5",
    "openrouter": "anthropic/claude-sonnet-5.5",
}


@lru_cache(maxsize=256)
def model_info(provider: str, model: str) -> ModelInfo:
    """Return what is known of `model` at `provider`, or the honest default with `known=False`.

    A dated name, such as `claude-haiku-4-5-20251001`, is taken for the model that it dates.
    """
    rows = _VENDORS.get(_SAME_MODELS.get(provider, provider), {})
    row = rows.get(model) or rows.get(_DATED.sub("", model))
    if row is not None:
        info = _info(model, row)
    elif provider in _LOCAL:
        info = ModelInfo(model, LOCAL_WINDOW, LOCAL_OUTPUT, 0.0, 0.0, known=False)
    else:
        info = ModelInfo(model, UNKNOWN_WINDOW, UNKNOWN_OUTPUT, known=False)
        info = listed(provider, model, info) or info
    return replace(info, abilities=info.abilities | _held_to_forms(provider, model))


def known_models(provider: str) -> tuple[ModelInfo, ...]:
    """Return the listed models of `provider`, its default first.

    Empty where none are listed. `model_info` knows the others as well.
    """
    rows = _VENDORS.get(provider, {})
    return tuple(_info(name, row) for name, row in rows.items())


def default_model(provider: str) -> str:
    """Return the model taken where none is named; empty where there is no sensible one."""
    return _DEFAULTS.get(provider, "")


def _held_to_forms(provider: str, model: str) -> frozenset[Ability]:
    """Return whether the vendor holds the model's answer to a JSON schema."""
    if provider in _HELD_ALONE:
        return frozenset({Ability.STRUCTURED_WITHOUT_TOOLS})
    held = _HELD.get(_SAME_MODELS.get(provider, provider))
    return frozenset({Ability.STRUCTURED_OUTPUT} if held and held.match(model) else ())


def _info(model: str, row: _Row) -> ModelInfo:
    window, output, sent, generated, read, written = row
    able = next((able for name, able in _ABILITIES if name.match(model)), None)
    info = ModelInfo(model, window, output, sent, generated, read, written)
    for name, above, dearer_in, dearer_out in _LONG_PROMPTS:
        if name.match(model):
            long = LongPromptPrices(
                above,
                sent * dearer_in,
                generated * dearer_out,
                None if read is None else read * dearer_in,
                None if written is None else written * dearer_in,
            )
            info = replace(info, long_prompt=long)
    return info if able is None else replace(info, abilities=able)
