"""`victor providers`, and what `victor models` knows of each model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from victor.testing.loopback import OpenAILoopback

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Command

KEY = "sk-0123456789abcdefghij"


def rows(victor: Command, *arguments: str) -> dict[str, Any]:
    ended = victor(*arguments, "--json")
    assert ended.code == 0
    return {row["provider"]: row for row in json.loads(ended.out)}


def test_the_source_of_a_key_is_shown_and_never_the_key(
    victor: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    shown = victor("providers")
    assert "* groq        key from GROQ_API_KEY" in shown.out
    assert "no key: set ANTHROPIC_API_KEY" in shown.out
    found = rows(victor, "providers")
    assert found["groq"]["configured"] is True
    assert found["groq"]["key"] == "GROQ_API_KEY"
    assert found["groq"]["reachable"] is None
    assert found["anthropic"]["configured"] is False
    assert found["ollama"]["key"] == ""
    assert KEY not in shown.out + json.dumps(found)


def test_a_key_of_the_settings_belongs_to_the_provider_of_the_settings(
    victor: Command, home_of_its_own: Path
) -> None:
    (home_of_its_own / "config.toml").write_text(f'provider = "mistral"\napi_key = "{KEY}"\n')
    found = rows(victor, "providers")
    assert found["mistral"]["key"] == "the setting api_key"
    assert found["openai"]["configured"] is False


@pytest.mark.slow
def test_a_check_tells_who_answers(victor: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAILoopback() as server:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
        found = rows(victor, "providers", "--check")
        shown = victor("providers", "--check").out
    assert (found["openai"]["reachable"], found["openai"]["healthy"]) == (True, True)
    assert (found["ollama"]["reachable"], found["ollama"]["healthy"]) == (False, False)
    assert found["anthropic"]["reachable"] is None
    assert "answers" in shown
    assert "  ollama" in shown


def test_models_have_figures_and_can_be_filtered(victor: Command) -> None:
    listed = json.loads(victor("models", "--filter", "Anthropic", "--json").out)
    assert {row["provider"] for row in listed} == {"anthropic"}
    assert all(row["context_window"] > 100_000 for row in listed)
    assert all(row["input_price"] > 0 and row["max_output"] > 0 for row in listed)
    assert all("structured_output" in row["abilities"] for row in listed)
    both = victor("models", "--filter", "openai", "--filter", "structured").out
    assert "gpt-6.1-terra" in both
    assert "claude" not in both
    assert "No known model fits" in victor("models", "--filter", "no-such-model").err


@pytest.mark.parametrize("variable", ["GEMINI_API_KEY", "GOOGLE_API_KEY"])
def test_google_is_ready_with_either_of_its_keys(
    victor: Command, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    assert "set GOOGLE_API_KEY or GEMINI_API_KEY" in victor("models", "--filter", "google").out
    monkeypatch.setenv(variable, KEY)
    listed = json.loads(victor("models", "--filter", "google", "--json").out)
    assert all(row["ready"] for row in listed)
    assert rows(victor, "providers")["google"]["key"] == variable
