"""Which model serves: the first choice, or the first of its fallbacks that can."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from victor.endpoints import RECORDS, Admission, EndpointHealth, EndpointRecord, EndpointRecords
from victor.errors import ContextExceeded, InvalidRequest, ProviderError, VictorError
from victor.protocols import Ability, Endpoint, IProvider, ModelInfo

RETURN_AFTER_SECONDS = 30.0
"""How long an endpoint that failed is passed over before it is tried again."""

_POINTLESS = (InvalidRequest, ContextExceeded)
"""Errors that another model would meet as well: the request itself is at fault."""


@dataclass(slots=True, eq=False)
class _Choice:
    """One place of the chain; a fallback is connected when it is first needed."""

    name: str = ""
    """As the settings write it; empty for what was passed in."""
    endpoint: Endpoint | None = None
    record: EndpointRecord | None = None
    set_aside_until: float = float("-inf")
    broken: str = ""
    """Why it can never serve, such as an unknown provider."""


class ProviderCoordinator:
    """Holds the chain of endpoints: the first choice, then the fallbacks in their order."""

    def __init__(
        self,
        provider: IProvider,
        model: str,
        *,
        fallbacks: tuple[Endpoint, ...] = (),
        connect: Callable[[str], Endpoint] | None = None,
        records: EndpointRecords = RECORDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Serve by `provider` and `model`.

        `connect` turns one of the setting `fallbacks`, such as `openai:gpt-5`, into an endpoint
        when it is first needed. `records` hold how endpoints are doing, by default for all of the
        process.
        """
        self._records = records
        self._clock = clock
        self._connect = connect
        self._first = self._passed_in(Endpoint(provider, model))
        self._fallbacks = tuple(map(self._passed_in, fallbacks))
        self._wanted: tuple[str, ...] = ()
        self._tried: set[_Choice] = set()
        self._asked: _Choice | None = None
        self._overrides: Mapping[str, Mapping[str, Any]] = {}
        self._most_calls: int | None = None
        self._longest_wait = 60.0

    def configure(self, config: Mapping[str, Any]) -> None:
        """Adopt the settings on the model, its fallbacks, and how long and for whom calls wait."""
        self._most_calls = config.get("max_concurrent_calls")
        self._longest_wait = config.get("max_retry_wait", self._longest_wait)
        model = config.get("model") or self._endpoint(self._first).model
        if model != self._endpoint(self._first).model:
            self.switch(None, model)
        self._overrides = config.get("models") or {}
        wanted = tuple(config.get("fallbacks") or ())
        if wanted != self._wanted:
            self._wanted = wanted
            self._fallbacks = tuple(_Choice(name) for name in wanted)
            self._asked = None
            self._tried.clear()

    @property
    def current(self) -> Endpoint:
        """Where the next model call goes."""
        if not self._fallbacks:
            return self._endpoint(self._first)
        # Its outcome is its own, even if by then another one would be chosen.
        self._asked = self._serving()
        return self._endpoint(self._asked)

    def switch(self, provider: IProvider | None, model: str) -> Endpoint:
        """Serve by `model` of `provider` (None: the present one) from now on; return it."""
        endpoint = Endpoint(provider or self._endpoint(self._first).provider, model)
        self._first = self._passed_in(endpoint)
        self._asked = None
        self._tried.clear()
        return endpoint

    def fall_back(self, error: ProviderError) -> Endpoint | None:
        """Move to the next endpoint because of `error`, and return it.

        None where there is none left that was not tried, where another model would fail in the
        same way, or where a person has begun to read the answer.
        """
        serving, self._asked = self._asked or self._serving(), None
        if serving.record is not None:
            serving.record.note(error)
        if error.partial or isinstance(error, _POINTLESS):
            self._tried.clear()
            return None
        self._tried.add(serving)
        serving.set_aside_until = self._clock() + max(
            RETURN_AFTER_SECONDS, error.retry_after or 0.0
        )
        following = self._serving()
        if following in self._tried:
            self._tried.clear()
            return None
        return following.endpoint

    def succeeded(self) -> None:
        """Note that the current endpoint has answered."""
        serving, self._asked = self._asked or self._serving(), None
        self._tried.clear()
        serving.set_aside_until = float("-inf")
        if serving.record is not None:
            serving.record.succeeded()

    def admission(self, endpoint: Endpoint) -> Admission | None:
        """Return how calls are let in at `endpoint`; None where nothing has to be waited for."""
        provider = endpoint.provider
        most = self._most_calls or getattr(provider, "most_calls", None)
        # Rate limits are a server's, which has an address.
        if most is None and not getattr(provider, "address", ""):
            return None
        chain = (self._first, *self._fallbacks)
        record = next((one.record for one in chain if one.endpoint == endpoint), None)
        record = record or self._records.of(provider, endpoint.model)
        return Admission(record, most, self._longest_wait)

    def model_info(self, endpoint: Endpoint) -> ModelInfo:
        """Return what is known of the endpoint's model, the setting `models` first."""
        info = endpoint.provider.model_info(endpoint.model)
        if not self._overrides:
            return info
        said = self._overrides.get(f"{endpoint.provider.name}:{endpoint.model}")
        if not said:
            return info
        told = dict(said)
        if "abilities" in told:
            told["abilities"] = frozenset(map(Ability, told["abilities"]))
        # A price of one's own holds for prompts of every length.
        if "input_price" in told or "output_price" in told:
            told["long_prompt"] = None
        return replace(info, known=True, **told)

    def health(self) -> tuple[EndpointHealth, ...]:
        """Return what is known of each endpoint, the first choice first.

        A fallback that was never needed is not connected, and known by its name alone.
        """
        serving = self._serving()
        return tuple(_health(choice, serving) for choice in (self._first, *self._fallbacks))

    async def aclose(self) -> None:
        """Release the connections of the fallbacks that were connected here, and of no other."""
        for choice in self._fallbacks:
            if choice.name and choice.endpoint is not None:
                await choice.endpoint.provider.aclose()

    def _serving(self) -> _Choice:
        """Return the first of the chain that was not tried and is doing well, or was not tried."""
        if not self._fallbacks:
            return self._first
        now = self._clock()
        left: _Choice | None = None
        for choice in (self._first, *self._fallbacks):
            if choice in self._tried or not self._connected(choice):
                continue
            left = left or choice
            record = choice.record
            if choice.set_aside_until <= now and (record is None or record.admits(self)):
                return choice
        return left or self._first

    def _connected(self, choice: _Choice) -> bool:
        if choice.endpoint is not None:
            return True
        if choice.broken or self._connect is None:
            return False
        try:
            endpoint = self._connect(choice.name)
        except VictorError as failure:
            choice.broken = str(failure)
            return False
        choice.endpoint = endpoint
        choice.record = self._records.of(endpoint.provider, endpoint.model)
        return True

    def _passed_in(self, endpoint: Endpoint) -> _Choice:
        return _Choice("", endpoint, self._records.of(endpoint.provider, endpoint.model))

    @staticmethod
    def _endpoint(choice: _Choice) -> Endpoint:
        assert choice.endpoint is not None  # noqa: S101  # what serves is connected
        return choice.endpoint


def _health(choice: _Choice, serving: _Choice) -> EndpointHealth:
    if choice.endpoint is None or choice.record is None:
        provider, _, model = choice.name.partition(":")
        return EndpointHealth(provider, model, serving=False, last_error=choice.broken)
    endpoint, record = choice.endpoint, choice.record
    return EndpointHealth(
        endpoint.provider.name,
        endpoint.model,
        choice is serving,
        record.circuit,
        record.answered,
        record.failed,
        record.last_error,
        record.retry_seconds,
        record.places.taken,
        record.places.waiting + record.door.waiting,
        record.limits.known(),
    )
