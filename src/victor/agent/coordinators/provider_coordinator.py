"""Which model serves: switching, and one fallback for when it cannot."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from victor.errors import InvalidRequest, ProviderError
from victor.protocols import Endpoint, IProvider

RETURN_AFTER_SECONDS = 30.0
"""How long the fallback serves before the first choice is tried again."""

_POINTLESS = (InvalidRequest,)
"""Errors that another model would meet as well: the request itself is at fault."""


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """What is known of one endpoint."""

    provider: str
    model: str
    serving: bool
    """Whether the next call goes there."""
    answered: int = 0
    """Calls answered."""
    failed: int = 0
    last_error: str = ""


@dataclass(slots=True)
class _Known:
    endpoint: Endpoint
    answered: int = 0
    failed: int = 0
    last_error: str = ""


class ProviderCoordinator:
    """Holds the first choice and, where one is set, the fallback."""

    def __init__(
        self,
        provider: IProvider,
        model: str,
        *,
        fallback: Endpoint | None = None,
        connect: Callable[[str], Endpoint] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Serve by `provider` and `model`.

        `connect` turns the setting `fallback`, such as `openai:gpt-5`, into an endpoint when it is
        first needed.
        """
        self._first = _Known(Endpoint(provider, model))
        self._fallback = _Known(fallback) if fallback else None
        self._connect = connect
        self._wanted_fallback = ""
        self._clock = clock
        self._fell_back_at: float | None = None

    def configure(self, config: Mapping[str, Any]) -> None:
        """Adopt the settings `model` and `fallback`."""
        model = config.get("model") or self._first.endpoint.model
        if model != self._first.endpoint.model:
            self.switch(None, model)
        wanted = config.get("fallback") or ""
        if wanted != self._wanted_fallback:
            self._wanted_fallback = wanted
            self._fallback = None
            self._fell_back_at = None

    @property
    def current(self) -> Endpoint:
        """Where the next model call goes."""
        return self._serving().endpoint

    def switch(self, provider: IProvider | None, model: str) -> Endpoint:
        """Serve by `model` of `provider` (None: the present one) from now on; return it."""
        chosen = provider or self._first.endpoint.provider
        self._first = _Known(Endpoint(chosen, model))
        self._fell_back_at = None
        return self._first.endpoint

    def fall_back(self, error: ProviderError) -> Endpoint | None:
        """Move to the fallback because of `error`, and return it.

        None where there is none, where it is the one that failed, or where another model would
        fail in the same way.
        """
        serving = self._serving()
        serving.failed += 1
        serving.last_error = str(error)
        if isinstance(error, _POINTLESS) or serving is not self._first:
            return None
        fallback = self._find_fallback()
        if fallback is None:
            return None
        self._fell_back_at = self._clock()
        return fallback.endpoint

    def succeeded(self) -> None:
        """Note that the current endpoint has answered."""
        self._serving().answered += 1

    def endpoint_health(self) -> tuple[EndpointHealth, ...]:
        """Return what is known of each endpoint, the first choice first."""
        serving = self._serving()
        known = [self._first] + ([self._fallback] if self._fallback else [])
        return tuple(
            EndpointHealth(
                one.endpoint.provider.name,
                one.endpoint.model,
                one is serving,
                one.answered,
                one.failed,
                one.last_error,
            )
            for one in known
        )

    async def aclose(self) -> None:
        """Release the connections of the fallback that was connected here, and of no other."""
        if self._fallback is not None and self._wanted_fallback:
            await self._fallback.endpoint.provider.aclose()

    def _serving(self) -> _Known:
        if self._fell_back_at is None or self._fallback is None:
            return self._first
        if self._clock() - self._fell_back_at >= RETURN_AFTER_SECONDS:
            self._fell_back_at = None
            return self._first
        return self._fallback

    def _find_fallback(self) -> _Known | None:
        if self._fallback is None and self._wanted_fallback and self._connect is not None:
            self._fallback = _Known(self._connect(self._wanted_fallback))
        return self._fallback
