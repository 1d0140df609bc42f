"""Models that the package `genai-prices` lists, where it is installed: `victor-ai[prices]`."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

from victor.protocols import LongPromptPrices, ModelInfo

_NAMED_THERE = {"xai": "x-ai"}
_PRICES = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")


def listed(provider: str, model: str, otherwise: ModelInfo) -> ModelInfo | None:
    """Return what the package lists of `model` at `provider`, without the network.

    What it does not list is taken from `otherwise`. None where it is not installed, does not list
    the model, or lists no price by the token.
    """
    if find_spec("genai_prices") is None:
        return None
    from genai_prices.data_snapshot import get_snapshot

    name = _NAMED_THERE.get(provider, provider)
    try:
        vendor, found = get_snapshot().find_provider_model(model, None, name, None)
    except LookupError:
        return None
    # The package matches a vendor by what its name looks like as well.
    if vendor.id != name:
        return None
    return _info(model, found, otherwise)


def _info(model: str, found: Any, otherwise: ModelInfo) -> ModelInfo | None:
    now = found.get_prices(datetime.now(UTC))
    sent, generated, read, written = (_base(getattr(now, kind, None)) for kind in _PRICES)
    if sent is None or generated is None:
        return None
    window = found.context_window or otherwise.context_window
    return ModelInfo(
        model,
        window,
        min(otherwise.max_output, window),
        sent,
        generated,
        read,
        written,
        long_prompt=_long(now, sent, generated),
    )


def _base(price: Any) -> float | None:
    return None if price is None else float(getattr(price, "base", price))


def _long(now: Any, sent: float, generated: float) -> LongPromptPrices | None:
    """Return the dearest tier, from where the first begins: never less than what is billed."""
    tiers = [getattr(getattr(now, kind, None), "tiers", None) or [] for kind in _PRICES]
    starts = [tier.start for each in tiers for tier in each]
    if not starts:
        return None
    dearest = [max((float(tier.price) for tier in each), default=None) for each in tiers]
    return LongPromptPrices(
        min(starts),
        sent if dearest[0] is None else dearest[0],
        generated if dearest[1] is None else dearest[1],
        _base(getattr(now, _PRICES[2], None)) if dearest[2] is None else dearest[2],
        _base(getattr(now, _PRICES[3], None)) if dearest[3] is None else dearest[3],
    )
