"""Secrets that the system's keyring holds."""

from __future__ import annotations

from importlib import import_module
from typing import Any

SERVICE = "victor"
"""What they are kept under; the user name is the provider's, or what the settings say."""


def ask_keyring(name: str) -> str | None:
    """Return the secret that the system's keyring holds under `name`, such as a provider's.

    None without the package `keyring` (the extra of that name), without a keyring, or where it is
    locked. `keyring set victor openai` puts one in.
    """
    try:
        keyring: Any = import_module("keyring")
        errors: Any = import_module("keyring.errors")
    except ModuleNotFoundError:
        return None
    try:
        value = keyring.get_password(SERVICE, name)
    except errors.KeyringError:
        return None
    return value or None
