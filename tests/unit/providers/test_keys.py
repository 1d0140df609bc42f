from __future__ import annotations

import sys
from types import ModuleType

import pytest
from pydantic import SecretStr

from victor.config.keyring import ask_keyring
from victor.providers.choose import choose_provider, create_provider
from victor.providers.keys import Key, find_key, key_variables
from victor.providers.reach import address_of, reach
from victor.testing.loopback import AnthropicLoopback, OpenAILoopback


class LockedKeyring(Exception):
    pass


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the system's keyring holds, by provider."""
    keys: dict[str, str] = {}

    def get_password(service: str, name: str) -> str | None:
        assert service == "victor"
        if keys.get(name) == "locked":
            raise LockedKeyring
        return keys.get(name)

    package, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    package.get_password = get_password  # type: ignore[attr-defined]
    errors.KeyringError = LockedKeyring  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", package)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    return keys


def test_a_setting_wins_over_the_environment_and_that_over_the_keyring() -> None:
    def keyring(provider: str) -> str:
        return f"kept-{provider}"

    environ = {"OPENAI_API_KEY": "from-environment"}
    found = find_key("openai", environ, setting=SecretStr("from-settings"), keyring=keyring)
    assert found == Key("from-settings", "the setting api_key")
    assert find_key("openai", environ, keyring=keyring) == Key("from-environment", "OPENAI_API_KEY")
    assert find_key("openai", {}, keyring=keyring) == Key("kept-openai", "the keyring")
    assert find_key("openai", {}, keyring=lambda _: None) is None
    assert find_key("google", {"GEMINI_API_KEY": "k"}) == Key("k", "GEMINI_API_KEY")


def test_a_key_never_shows_itself() -> None:
    assert "hush" not in repr(Key("hush", "OPENAI_API_KEY"))


def test_the_keyring_is_asked_and_a_locked_one_has_nothing(kept: dict[str, str]) -> None:
    kept.update(openai="its-key", groq="locked")
    assert ask_keyring("openai") == "its-key"
    assert ask_keyring("groq") is None
    assert ask_keyring("mistral") is None


def test_without_the_package_there_is_no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert ask_keyring("openai") is None


def test_a_key_in_the_keyring_chooses_its_vendor(kept: dict[str, str]) -> None:
    kept["openai"] = "its-key"
    choice = choose_provider({}, {}, probe=lambda _: None)
    assert (choice.provider, choice.reason) == ("openai", "its key is in the keyring")
    other = choose_provider({"model": "claude-sonnet-5-5"}, {}, probe=lambda _: None)
    assert other.provider == "anthropic"
    own = choose_provider({"model": "qwen3:8b"}, {}, probe=lambda _: ("qwen3:8b",))
    assert own.provider == "ollama"


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_provider_calls_with_the_key_of_the_keyring(
    kept: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from victor.messages import Request, user

    kept["openai"] = "its-key"
    async with OpenAILoopback(["Hi"]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        provider = create_provider("openai")
        assert [delta async for delta in provider.stream(Request("gpt-4.1", (user("Hello"),)))]
        await provider.aclose()
    assert server.headers[0]["authorization"] == "Bearer its-key"


@pytest.mark.parametrize("provider", ["unknown", "local"])
def test_what_is_no_vendor_has_no_variable_and_no_address(provider: str) -> None:
    assert key_variables(provider) == ()
    assert address_of(provider, {}) == ""
    assert not reach(provider, None, {}).answers


def test_an_address_may_come_from_the_environment() -> None:
    assert address_of("anthropic", {}) == "https://api.anthropic.com"
    assert address_of("anthropic", {"ANTHROPIC_BASE_URL": "http://h"}) == "http://h"
    assert address_of("openai", {}) == "https://api.openai.com/v1"
    assert address_of("google", {}).startswith("https://generativelanguage")


@pytest.mark.slow
def test_a_server_that_lists_its_models_is_healthy() -> None:
    with OpenAILoopback() as server:
        found = reach("openai", Key("k", "x"), {"OPENAI_BASE_URL": server.url})
    assert (found.answers, found.healthy) == (True, True)
    assert "127.0.0.1" in found.detail


@pytest.mark.slow
def test_one_that_answers_with_an_error_is_reachable_and_not_healthy() -> None:
    with AnthropicLoopback() as server:
        found = reach("anthropic", Key("k", "x"), {"ANTHROPIC_BASE_URL": server.url})
    assert (found.answers, found.healthy) == (True, False)


@pytest.mark.slow
def test_where_nothing_listens_the_reason_is_told() -> None:
    with OpenAILoopback() as server:
        url = server.url
    found = reach("openai", None, {"OPENAI_BASE_URL": url})
    assert (found.answers, found.healthy) == (False, False)
    assert "refused" in found.detail.lower()
