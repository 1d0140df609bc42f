"""Where a provider's key comes from: the settings, the environment, or the system's keyring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from victor.config.keyring import ask_keyring
from victor.providers.presets import PRESETS

Keyring: TypeAlias = Callable[[str], str | None]
"""Returns the key that is kept for a provider, or None."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key, and where it was found."""

    value: str = field(repr=False)
    source: str
    """For a person, such as `OPENAI_API_KEY`. Never the key."""


def key_variables(provider: str) -> tuple[str, ...]:
    """Return the environment variables that hold the provider's key; the first one counts."""
    match provider:
        case "anthropic":
            return ("ANTHROPIC_API_KEY",)
        case "google":
            return ("GOOGLE_API_KEY", "GEMINI_API_KEY")
    preset = PRESETS.get(provider)
    return (preset.key_variable,) if preset is not None and preset.key_variable else ()


def find_key(
    provider: str,
    environ: Mapping[str, str],
    *,
    setting: object = None,
    keyring: Keyring | None = None,
) -> Key | None:
    """Return the provider's key: `setting`, if there is one, else by environment, else by keyring.

    `setting` is the setting `api_key`, where it belongs to this provider.
    """
    if setting:
        return Key(_revealed(setting), "the setting api_key")
    for variable in key_variables(provider):
        if value := environ.get(variable):
            return Key(value, variable)
    value = (keyring or ask_keyring)(provider)
    return Key(value, "the keyring") if value else None


def _revealed(setting: object) -> str:
    reveal = getattr(setting, "get_secret_value", None)
    return str(reveal() if callable(reveal) else setting)
