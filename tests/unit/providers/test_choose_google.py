from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from victor.protocols import Ability
from victor.providers.catalog import default_model, model_info
from victor.providers.choose import choose_provider, create_provider

pytestmark = pytest.mark.anyio

GEMINI = default_model("google")


def chosen(environ: dict[str, str], **config: Any) -> tuple[str, str, str]:
    choice = choose_provider(config, environ, probe=lambda _: None)
    return choice.provider, choice.model, choice.reason


@pytest.mark.parametrize("variable", ["GOOGLE_API_KEY", "GEMINI_API_KEY"])
def test_a_key_for_google_chooses_it_under_either_name(variable: str) -> None:
    assert chosen({variable: "k"}) == ("google", GEMINI, f"{variable} is set")


def test_anthropics_and_openais_keys_come_before_googles() -> None:
    assert chosen({"GOOGLE_API_KEY": "k", "OPENAI_API_KEY": "k"})[0] == "openai"
    assert chosen({"GOOGLE_API_KEY": "k", "ANTHROPIC_API_KEY": "k"})[0] == "anthropic"


def test_a_model_of_googles_is_asked_of_google() -> None:
    keys = {"GEMINI_API_KEY": "k", "OPENAI_API_KEY": "k"}
    assert chosen(keys, model="gemini-3.1-pro-preview")[:2] == ("google", "gemini-3.1-pro-preview")


def test_a_key_in_the_settings_is_known_for_googles_by_its_form() -> None:
    assert chosen({}, api_key=SecretStr("AIzaSyExample"))[:2] == ("google", GEMINI)


async def test_google_is_created_without_key_and_network() -> None:
    provider = create_provider("google")
    assert provider.name == "google"
    assert provider.model_info(GEMINI).known
    assert "None" in repr(provider)
    await provider.aclose()


def test_newer_models_of_googles_hold_their_answers_to_a_schema_beside_tools() -> None:
    assert Ability.STRUCTURED_OUTPUT in model_info("google", GEMINI).abilities
    assert Ability.STRUCTURED_OUTPUT not in model_info("google", "gemini-2.5-flash").abilities
