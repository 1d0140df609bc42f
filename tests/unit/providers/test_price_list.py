"""Prices of the package `genai-prices`, here and where it is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from victor.messages import Usage
from victor.protocols import ModelInfo
from victor.providers.catalog import model_info
from victor.providers.price_list import listed

DEFAULT = ModelInfo("m", 128_000, 8_192, known=False)


def tiered(base: str, start: int, price: str) -> Any:
    tier = SimpleNamespace(start=start, price=Decimal(price))
    return SimpleNamespace(base=Decimal(base), tiers=[tier])


def found(window: int | None, **prices: Any) -> Any:
    return SimpleNamespace(context_window=window, get_prices=lambda _: SimpleNamespace(**prices))


MODELS = {
    ("groq", "plain"): found(32_000, input_mtok=Decimal("0.5"), output_mtok=Decimal("1.5")),
    ("x-ai", "tiered"): found(
        None, input_mtok=tiered("2", 200_000, "4"), output_mtok=tiered("6", 200_000, "12")
    ),
    ("groq", "spoken"): found(4_000, input_mchars=Decimal(40)),
}


class Snapshot:
    def find_provider_model(self, model: str, _: None, vendor: str, __: None) -> Any:
        if (vendor, model) not in MODELS:
            raise LookupError(model)
        return SimpleNamespace(id=vendor), MODELS[vendor, model]


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put a package of the same shape in place, with three models."""
    package, snapshot = ModuleType("genai_prices"), ModuleType("genai_prices.data_snapshot")
    package.__spec__ = ModuleSpec("genai_prices", None)
    snapshot.get_snapshot = Snapshot  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "genai_prices", package)
    monkeypatch.setitem(sys.modules, "genai_prices.data_snapshot", snapshot)
    model_info.cache_clear()
    yield
    model_info.cache_clear()


@pytest.mark.usefixtures("package")
def test_a_model_that_the_catalogue_does_not_know_has_the_packages_price() -> None:
    info = model_info("groq", "plain")
    assert info.known
    assert (info.context_window, info.max_output) == (32_000, 8_192)
    assert info.cost(Usage(input=1_000_000, output=1_000_000)) == pytest.approx(2.0)


@pytest.mark.usefixtures("package")
def test_a_long_prompt_has_the_price_of_its_tier() -> None:
    info = listed("xai", "tiered", DEFAULT)
    assert info is not None
    assert info.context_window == DEFAULT.context_window
    assert info.cost(Usage(input=200_000)) == pytest.approx(0.4)
    assert info.cost(Usage(input=1_000_000)) == pytest.approx(4.0)


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("model", ["spoken", "never-heard-of"])
def test_without_a_price_by_the_token_nothing_is_made_up(model: str) -> None:
    assert listed("groq", model, DEFAULT) is None
    assert not model_info("groq", model).known


def test_the_package_itself_has_this_shape() -> None:
    pytest.importorskip("genai_prices")
    info = listed("openai", "gpt-4o", DEFAULT)
    assert info is not None
    assert info.input_price == 2.5
    assert info.context_window == 128_000
