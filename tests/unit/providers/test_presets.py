from __future__ import annotations

import pytest

from victor.errors import UnknownNameError
from victor.providers.presets import PRESETS, ollama_address, preset_for


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:5000", "http://127.0.0.1:5000"),
        (":5000", "http://127.0.0.1:5000"),
        ("box", "http://box:11434"),
        ("https://box.example/", "https://box.example:443"),
        ("http://box:80", "http://box:80"),
    ],
)
def test_ollama_host_is_read_as_ollama_reads_it(host: str, address: str) -> None:
    assert ollama_address(host) == address


def test_ollamas_address_follows_the_environment() -> None:
    preset = preset_for("ollama")
    assert preset.address({}) == "http://127.0.0.1:11434/v1"
    assert preset.address({"OLLAMA_HOST": "box:1"}) == "http://box:1/v1"


def test_a_given_address_wins_over_the_environments() -> None:
    preset = preset_for("ollama", "http://mine:1/v1")
    assert preset.address({"OLLAMA_HOST": "box:1"}) == "http://mine:1/v1"


def test_azure_is_reached_below_the_resources_address() -> None:
    environ = {"AZURE_OPENAI_ENDPOINT": "https://res.openai.azure.com/"}
    assert preset_for("azure").address(environ) == "https://res.openai.azure.com/openai/v1"


@pytest.mark.parametrize("name", ["ollama", "vllm", "llamacpp", "lmstudio"])
def test_servers_on_this_machine_need_no_key(name: str) -> None:
    assert not PRESETS[name].needs_key({})


@pytest.mark.parametrize("name", ["openai", "groq", "openrouter", "deepseek"])
def test_servers_elsewhere_need_a_key(name: str) -> None:
    assert PRESETS[name].needs_key({})
    assert PRESETS[name].key_variable


def test_an_ollama_elsewhere_may_need_a_key() -> None:
    assert preset_for("ollama").needs_key({"OLLAMA_HOST": "https://box.example"})


def test_somebody_elses_server_under_openais_name_gets_what_all_servers_know() -> None:
    assert preset_for("openai").max_tokens_key == "max_completion_tokens"
    assert preset_for("openai", "https://eu.api.openai.com/v1").effort_with_tools
    foreign = preset_for("openai", "http://127.0.0.1:8000/v1")
    assert foreign.max_tokens_key == "max_tokens"
    assert not foreign.effort_with_tools


def test_a_host_that_only_looks_like_openais_is_not_taken_for_it() -> None:
    assert not preset_for("openai", "https://api.openai.com.evil.example/v1").effort_with_tools


def test_a_name_without_a_preset_needs_an_address() -> None:
    assert preset_for("mine", "http://box:1/v1").address({}) == "http://box:1/v1"
    with pytest.raises(UnknownNameError, match="base_url"):
        preset_for("mine")
