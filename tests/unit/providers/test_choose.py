from __future__ import annotations

from typing import Any

import pytest

from victor.errors import ConfigError, ProviderUnavailable, UnknownNameError
from victor.protocols import IProvider
from victor.providers.choose import (
    PROVIDER_NAMES,
    ask_for_models,
    choose_provider,
    create_provider,
    parse_endpoint,
)
from victor.testing.loopback import OpenAILoopback


class Servers:
    """A prober that knows which addresses answer, and notes which were asked."""

    def __init__(self, **served: tuple[str, ...]) -> None:
        self._served = {address.replace("_", "."): names for address, names in served.items()}
        self.asked: list[str] = []

    def __call__(self, url: str) -> tuple[str, ...] | None:
        self.asked.append(url)
        return next((names for key, names in self._served.items() if key in url), None)


NOTHING_RUNS = Servers()
BOTH_KEYS = {"ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "b"}


def choose(
    environ: dict[str, str] | None = None, servers: Servers = NOTHING_RUNS, **config: Any
) -> tuple[str, str]:
    choice = choose_provider(config, environ or {}, probe=servers)
    return choice.provider, choice.model


def test_an_endpoint_is_provider_and_model() -> None:
    assert parse_endpoint("anthropic:claude-opus-5-5") == ("anthropic", "claude-opus-5-5")
    assert parse_endpoint("ollama:qwen3:8b") == ("ollama", "qwen3:8b")
    assert parse_endpoint(" openai ") == ("openai", "")


def test_an_unknown_provider_is_named_with_its_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'anthropic'"):
        parse_endpoint("antropic:claude")
    with pytest.raises(UnknownNameError):
        choose(provider="nobody")


def test_what_the_settings_say_wins_over_every_key() -> None:
    assert choose(BOTH_KEYS, provider="openai") == ("openai", "gpt-6.1-terra")
    assert choose(BOTH_KEYS, provider="groq", model="m") == ("groq", "m")
    assert choose(BOTH_KEYS, provider="local") == ("local", "")
    assert choose(BOTH_KEYS, provider="ollama:qwen3:8b") == ("ollama", "qwen3:8b")
    assert choose(BOTH_KEYS, model="ollama:qwen3:8b") == ("ollama", "qwen3:8b")


def test_the_setting_model_wins_over_the_endpoints_model() -> None:
    assert choose(provider="openai:gpt-4o", model="gpt-5") == ("openai", "gpt-5")


def test_keys_are_tried_in_order() -> None:
    assert choose(BOTH_KEYS) == ("anthropic", "claude-sonnet-5-5")
    assert choose({"OPENAI_API_KEY": "b"}) == ("openai", "gpt-6.1-terra")


def test_the_reason_names_the_variable_and_never_the_key() -> None:
    choice = choose_provider({}, {"OPENAI_API_KEY": "sk-secret"}, probe=NOTHING_RUNS)
    assert choice.reason == "OPENAI_API_KEY is set"
    assert "sk-secret" not in repr(choice)


def test_with_a_key_no_server_is_asked() -> None:
    servers = Servers()
    choose(BOTH_KEYS, servers)
    assert servers.asked == []


def test_a_models_name_decides_between_the_keys() -> None:
    assert choose(BOTH_KEYS, model="gpt-4o") == ("openai", "gpt-4o")
    assert choose(BOTH_KEYS, model="claude-opus-5") == ("anthropic", "claude-opus-5")


def test_a_vendors_model_without_its_key_still_goes_to_the_vendor() -> None:
    assert choose(model="claude-opus-5") == ("anthropic", "claude-opus-5")


def test_an_open_model_is_not_sent_to_a_vendor_that_does_not_have_it() -> None:
    servers = Servers(**{"11434": ("gpt-oss:20b", "qwen3:latest")})
    assert choose(BOTH_KEYS, servers, model="qwen3") == ("ollama", "qwen3:latest")
    assert choose(BOTH_KEYS, servers, model="gpt-oss:20b") == ("ollama", "gpt-oss:20b")
    assert choose(BOTH_KEYS, servers, model="mine") == ("local", "mine")


def test_a_key_in_the_settings_tells_its_vendor() -> None:
    class Secret:
        def get_secret_value(self) -> str:
            return "sk-ant-xyz"

    assert choose(api_key=Secret())[0] == "anthropic"
    assert choose(api_key="sk-xyz")[0] == "openai"


def test_a_running_ollama_serves_with_the_model_best_at_tools() -> None:
    served = ("nomic-embed-text:latest", "phi4:latest", "qwen2.5-coder:7b")
    servers = Servers(**{"11434": served})
    choice = choose_provider({}, {}, probe=servers)
    assert (choice.provider, choice.model) == ("ollama", "qwen2.5-coder:7b")
    assert choice.base_url is None
    assert servers.asked == ["http://127.0.0.1:11434/api/tags"]


def test_an_ollama_elsewhere_is_found_by_its_variable() -> None:
    environ = {"OLLAMA_HOST": "box:5000"}
    choice = choose_provider({}, environ, probe=Servers(box=("phi4",)))
    assert (choice.model, choice.base_url) == ("phi4", "http://box:5000/v1")


def test_an_ollama_that_cannot_chat_is_passed_over() -> None:
    choice = choose_provider({}, {}, probe=Servers(**{"11434": ("bge-m3",)}))
    assert choice.provider == "local"
    assert "has a model" in choice.reason


def test_without_anything_the_embedded_model_serves_and_the_reason_says_why() -> None:
    choice = choose_provider({}, {}, probe=NOTHING_RUNS)
    assert (choice.provider, choice.model) == ("local", "")
    assert "no Ollama runs at http://127.0.0.1:11434" in choice.reason


def test_a_base_url_alone_is_a_server_that_speaks_openais_protocol() -> None:
    servers = Servers(box=("some-model",))
    choice = choose_provider({"base_url": "http://box:1/v1/"}, BOTH_KEYS, probe=servers)
    assert (choice.provider, choice.model) == ("openai", "some-model")
    assert choice.base_url == "http://box:1/v1/"
    assert servers.asked == ["http://box:1/v1/models"]


def test_a_base_url_with_a_model_is_not_asked() -> None:
    servers = Servers()
    assert choose({}, servers, base_url="http://box:1", model="claude-x")[0] == "anthropic"
    assert choose({}, servers, base_url="http://box:1", model="m") == ("openai", "m")
    assert servers.asked == []


def test_a_named_server_is_asked_for_its_model() -> None:
    assert choose({}, Servers(**{"8080": ("a.gguf",)}), provider="llamacpp")[1] == "a.gguf"


def test_a_named_server_that_does_not_answer_is_an_error_with_a_remedy() -> None:
    with pytest.raises(ProviderUnavailable, match="ollama serve"):
        choose(provider="ollama")


def test_a_named_server_without_a_usable_model_says_how_to_get_one() -> None:
    with pytest.raises(ConfigError, match="ollama pull"):
        choose({}, Servers(**{"11434": ()}), provider="ollama")


def test_a_provider_without_a_default_asks_for_a_model() -> None:
    with pytest.raises(ConfigError, match="together:MODEL"):
        choose(provider="together")


@pytest.mark.parametrize("name", PROVIDER_NAMES)
def test_every_provider_is_created_without_key_and_network(name: str) -> None:
    provider = create_provider(name)
    assert isinstance(provider, IProvider)
    assert provider.name == name


def test_a_server_of_ones_own_is_created_by_its_address() -> None:
    assert create_provider("mine", base_url="http://box:1/v1").name == "mine"
    with pytest.raises(UnknownNameError):
        create_provider("mine")


def test_a_server_is_asked_for_its_models() -> None:
    with OpenAILoopback() as server:
        assert ask_for_models(f"{server.url}/models") == ("loopback-model",)
        assert ask_for_models(f"{server.url}/elsewhere") is None
        closed = f"{server.url}/models"
    assert ask_for_models(closed) is None
