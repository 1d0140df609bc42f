from __future__ import annotations

import pytest

from victor.messages import Usage
from victor.protocols import Ability, LongPromptPrices, ModelInfo
from victor.providers.catalog import default_model, known_models, model_info


def test_a_listed_model_is_known_with_window_and_price() -> None:
    info = model_info("anthropic", "claude-sonnet-5-5")
    assert info.known
    assert info.context_window == 1_000_000
    assert (info.input_price, info.output_price) == (2.0, 10.0)


def test_a_dated_name_is_taken_for_the_model_that_it_dates() -> None:
    dated = model_info("anthropic", "claude-haiku-4-5-20251001")
    assert dated.known
    assert dated.name == "claude-haiku-4-5-20251001"
    assert dated.context_window == model_info("anthropic", "claude-haiku-4-5").context_window


def test_azure_serves_openais_models() -> None:
    assert model_info("azure", "gpt-4o").context_window == 128_000


@pytest.mark.parametrize("provider", ["anthropic", "openai", "groq", "a server of mine"])
def test_an_unknown_model_gets_an_honest_default_without_a_price(provider: str) -> None:
    info = model_info(provider, "never-heard-of")
    assert not info.known
    assert info.context_window == 128_000
    assert info.cost(Usage(input=1000, output=1000)) is None


def test_an_unknown_model_on_ones_own_server_is_taken_to_be_small() -> None:
    assert model_info("ollama", "qwen3:8b").context_window == 8_192


def test_a_name_is_not_looked_up_at_another_vendor() -> None:
    assert not model_info("openai", "claude-sonnet-5-5").known


@pytest.mark.parametrize("provider", ["anthropic", "openai", "deepseek", "xai"])
def test_the_default_model_is_listed_first(provider: str) -> None:
    assert known_models(provider)[0].name == default_model(provider)


def test_the_model_near_its_end_of_life_is_known_and_nobodys_default() -> None:
    assert model_info("anthropic", "claude-sonnet-4-5").known
    assert default_model("anthropic") != "claude-sonnet-4-5"


def test_nothing_is_listed_for_a_server_that_serves_what_it_likes() -> None:
    assert known_models("vllm") == ()
    assert default_model("vllm") == ""


def test_cached_tokens_cost_their_own_price_and_are_not_counted_twice() -> None:
    info = ModelInfo("m", 1000, 100, 2.0, 10.0, 0.2, 2.5)
    usage = Usage(input=1_000_000, output=100_000, cache_read=600_000, cache_write=300_000)
    assert info.cost(usage) == pytest.approx(0.1 * 2 + 0.6 * 0.2 + 0.3 * 2.5 + 0.1 * 10)


def test_without_cache_prices_cached_tokens_cost_what_others_do() -> None:
    info = ModelInfo("m", 1000, 100, 2.0, 10.0)
    assert info.cost(Usage(input=500_000, cache_read=400_000)) == pytest.approx(1.0)


def test_the_models_that_take_tools_by_the_newer_protocol_alone_are_offered() -> None:
    assert "gpt-6.2-sol" in {info.name for info in known_models("openai")}


def test_reasoning_is_paid_once_as_the_output_that_it_is_part_of() -> None:
    info = ModelInfo("m", 1000, 100, 2.0, 10.0)
    thought = Usage(input=0, output=1_000_000, reasoning=900_000)
    assert info.cost(thought) == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("provider", "model", "above", "factor"),
    [
        ("anthropic", "claude-haiku-5-5", 100_000, 5),
        ("openai", "gpt-6-sol", 272_000, 2),
        ("xai", "grok-4.5", 199_999, 2),
    ],
)
def test_a_long_prompt_costs_more_for_every_token(
    provider: str, model: str, above: int, factor: float
) -> None:
    info = model_info(provider, model)
    short, long = info.cost(Usage(input=above)), info.cost(Usage(input=above + 1))
    assert short is not None
    assert long == pytest.approx(short * factor, rel=1e-4)


def test_the_cached_part_of_a_long_prompt_has_a_price_of_its_own() -> None:
    prices = LongPromptPrices(10, 4.0, 20.0, 0.4, None)
    info = ModelInfo("m", 1000, 100, 2.0, 10.0, 0.2, long_prompt=prices)
    assert info.cost(Usage(input=1_000_000, cache_read=500_000)) == pytest.approx(2.2)


def test_the_most_that_a_call_can_cost_counts_what_is_written_to_the_cache() -> None:
    info = model_info("anthropic", "claude-sonnet-5-5")
    assert info.highest_cost(1_000_000, 100_000) == pytest.approx(2.5 + 1.0)
    assert model_info("openai", "never-heard-of").highest_cost(1, 1) is None


def test_a_server_of_ones_own_costs_nothing() -> None:
    assert model_info("ollama", "qwen3:8b").cost(Usage(input=1000, output=1000)) == 0


@pytest.mark.parametrize(
    ("provider", "model", "able", "unable"),
    [
        ("anthropic", "claude-sonnet-5-5", Ability.PDF, None),
        ("openai", "gpt-4o", Ability.IMAGES, Ability.THINKING),
        ("deepseek", "deepseek-v4-pro", Ability.THINKING, Ability.IMAGES),
        ("openai", "never-heard-of", Ability.TOOLS, Ability.IMAGES),
    ],
)
def test_what_a_model_can_do_is_known(
    provider: str, model: str, able: Ability, unable: Ability | None
) -> None:
    abilities = model_info(provider, model).abilities
    assert able in abilities
    assert unable not in abilities
