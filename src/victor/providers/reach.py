"""Whether a provider answers, and takes the key: one small request for its list of models."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from victor.providers.keys import Key
from victor.providers.presets import PRESETS
from victor.providers.rate_limit_headers import rate_limits

_ADDRESSES = {
    "anthropic": "https://api.anthropic.com",
    "google": "https://generativelanguage.googleapis.com",
    "openai": "https://api.openai.com/v1",
}


@dataclass(frozen=True, slots=True)
class Reached:
    """What became of the request."""

    answers: bool
    """Whether something answered at all."""
    healthy: bool
    """Whether it would serve: it answered well, and took the key."""
    detail: str
    """For a person."""


def address_of(provider: str, environ: Mapping[str, str]) -> str:
    """Return the base URL that the provider is called at; empty where none is known."""
    if provider == "anthropic" and (own := environ.get("ANTHROPIC_BASE_URL")):
        return own
    preset = PRESETS.get(provider)
    given = preset.address(environ) if preset is not None else None
    return given or _ADDRESSES.get(provider, "")


def reach(
    provider: str,
    key: Key | None,
    environ: Mapping[str, str] | None = None,
    *,
    seconds: float = 5.0,
) -> Reached:
    """Ask the provider for its models, with the key, and wait `seconds` at most for each answer."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    address = address_of(provider, os.environ if environ is None else environ)
    parts = urlsplit(address)
    if not parts.hostname:
        return Reached(answers=False, healthy=False, detail="its address is not known")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.netloc, timeout=seconds)
    try:
        connection.request(
            "GET", f"{parts.path.rstrip('/')}{_path(provider)}", headers=_headers(provider, key)
        )
        response = connection.getresponse()
        response.read()
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return Reached(answers=False, healthy=False, detail=f"{parts.netloc}: {reason}")
    finally:
        connection.close()
    limits = rate_limits(dict(response.getheaders()))
    return _judged(response.status, parts.netloc, "; ".join(map(str, limits)))


def _judged(status: int, host: str, limits: str) -> Reached:
    if status < 300:
        detail = f"{host} answers; {limits}" if limits else f"{host} answers"
        return Reached(answers=True, healthy=True, detail=detail)
    if status in (400, 401, 403):
        return Reached(answers=True, healthy=False, detail=f"{host} refuses the key ({status})")
    return Reached(answers=True, healthy=False, detail=f"{host} answers with status {status}")


def _path(provider: str) -> str:
    return {"anthropic": "/v1/models", "google": "/v1beta/models"}.get(provider, "/models")


def _headers(provider: str, key: Key | None) -> dict[str, str]:
    accept = {"accept": "application/json"}
    if key is None:
        return accept
    match provider:
        case "anthropic":
            return {**accept, "x-api-key": key.value, "anthropic-version": "2023-06-01"}
        case "google":
            return {**accept, "x-goog-api-key": key.value}
    return {**accept, "authorization": f"Bearer {key.value}"}
