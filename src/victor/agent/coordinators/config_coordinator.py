"""Which settings hold: many sources, merged by priority, validated, each value with its origin."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from victor.errors import ConfigError, UnknownNameError
from victor.protocols import IConfigProvider

Validate: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, str]], Mapping[str, Any]]
"""Takes the merged values and the origin of each, returns all settings. Raises `ConfigError`."""

Claims: TypeAlias = tuple[tuple[str, Any], ...]
"""Who says what of one setting, the winner first."""

MASK = "••••••"
"""What is shown instead of a secret."""

_SECRET_WORDS = frozenset({"key", "password", "secret", "token"})


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a setting has its value. Secrets are masked."""

    key: str
    value: Any
    source: str
    """Where the value comes from; for a table, where its most important part does."""
    overrode: Claims = ()
    """The sources that were outranked, with what they say, the default last."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """What one source said when it was asked last."""

    provider: IConfigProvider
    values: Mapping[str, Any]


class ConfigCoordinator:
    """Merges what its sources say, the higher priority winning key by key.

    Of equal priorities the source that was given first wins. Tables are merged by their own keys,
    and lists inside them joined. Sources with a plain `read()` hold from construction on, the
    others from the first `load`.
    """

    def __init__(
        self,
        providers: Iterable[IConfigProvider] = (),
        *,
        validate: Validate | None = None,
        defaults: Mapping[str, Any] | None = None,
        timeout: float = 10.0,
    ) -> None:
        """Read what can be read at once. `timeout` is in seconds, for each source at `load`.

        Raises `ConfigError`.
        """
        self._validate = validate
        self._defaults = defaults
        self._timeout = timeout
        self._overrides: dict[str, tuple[str, Any]] = {}
        self._layers: tuple[_Layer, ...] = ()
        self._claims: Mapping[str, Claims] = {}
        self._config: Mapping[str, Any] = MappingProxyType({})
        self._adopt(tuple(_Layer(provider, _read(provider) or {}) for provider in providers))

    def get_config(self) -> Mapping[str, Any]:
        """Return the settings in force, read-only."""
        return self._config

    async def load(self, session_id: str) -> Mapping[str, Any]:
        """Ask every source again, adopt and return the result.

        Raises `ConfigError` that names the source that failed; the settings in force then stay.
        """
        layers = await self._ask(tuple(layer.provider for layer in self._layers), session_id)
        return self._adopt(layers)

    def add_provider(self, provider: IConfigProvider) -> None:
        """Add a source, below those of equal priority. Raises `ConfigError`, then without it."""
        self._adopt((*self._layers, _Layer(provider, _read(provider) or {})))

    def complete(
        self,
        *,
        validate: Validate | None = None,
        defaults: Mapping[str, Any] | None = None,
        providers: Iterable[IConfigProvider] = (),
    ) -> None:
        """Take on what was not given at construction, and further sources. Raises `ConfigError`."""
        self._validate = self._validate or validate
        self._defaults = defaults if self._defaults is None else self._defaults
        added = tuple(_Layer(provider, _read(provider) or {}) for provider in providers)
        self._adopt((*self._layers, *added))

    def set(self, key: str, value: Any, source: str) -> Mapping[str, Any]:
        """Let `value` win over every source, as the wish of `source`; return the settings.

        Raises `ConfigError` for a value that does not fit; the settings in force then stay.
        """
        before = self._overrides
        self._overrides = before | {key: (source, value)}
        try:
            return self._adopt(self._layers)
        except ConfigError:
            self._overrides = before
            raise

    def explain(self, key: str) -> Explanation:
        """Return why the setting has its value. Raises `UnknownNameError`."""
        if key not in self._config:
            raise UnknownNameError("setting", key, tuple(self._config))
        defaults = self._known_defaults()
        claims = self._claims.get(key, ())
        if key in defaults:
            claims = (*claims, ("default", defaults[key]))
        overrode = tuple((source, masked(key, value)) for source, value in claims[1:])
        return Explanation(key, masked(key, self._config[key]), claims[0][0], overrode)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know of the sources, such as that one is not trusted."""
        found = (getattr(layer.provider, "warning", "") for layer in self._layers)
        return tuple(warning for warning in found if warning)

    def _known_defaults(self) -> Mapping[str, Any]:
        if self._defaults is not None:
            return self._defaults
        return self._validate({}, {}) if self._validate else {}

    async def _ask(
        self, providers: tuple[IConfigProvider, ...], session_id: str
    ) -> tuple[_Layer, ...]:
        """Return what every source says, asked at the same time. Raises `ConfigError`."""
        said = {id(provider): _read(provider) for provider in providers}
        asked = {
            asyncio.create_task(_get(provider, session_id)): provider
            for provider in providers
            if said[id(provider)] is None
        }
        try:
            if asked:
                await asyncio.wait(asked, timeout=self._timeout)
        finally:
            for task in asked:
                # One that swallows its cancellation is left alone, and its end is of no interest.
                task.add_done_callback(_ignore)
                task.cancel()
        for task, provider in asked.items():
            said[id(provider)] = self._answer(type(provider).__name__, task)
        return tuple(_Layer(provider, said[id(provider)] or {}) for provider in providers)

    def _answer(self, name: str, task: asyncio.Task[Any]) -> Mapping[str, Any]:
        """Return what the source said. Raises `ConfigError`."""
        if not task.done():
            raise ConfigError(f"{name} did not answer within {self._timeout:g} seconds.")
        if task.cancelled():
            raise ConfigError(f"{name} was cancelled before it answered.")
        error = task.exception()
        if isinstance(error, ConfigError):
            raise error
        if error is not None:
            text = masked("", str(error))
            raise ConfigError(f"{name} failed: {type(error).__name__}: {text}") from error
        return _checked(name, task.result())

    def _adopt(self, layers: tuple[_Layer, ...]) -> Mapping[str, Any]:
        """Let `layers` and the overrides be in force, unless they are refused."""
        claims = self._merge(layers)
        values = {key: _combined(claimed) for key, claimed in claims.items()}
        merged = {**(self._defaults or {}), **values}
        if self._validate:
            origins = {key: claimed[0][0] for key, claimed in claims.items()}
            merged = dict(self._validate(merged, origins))
        self._layers = layers
        self._claims = claims
        self._config = MappingProxyType(merged)
        return self._config

    def _merge(self, layers: tuple[_Layer, ...]) -> dict[str, Claims]:
        """Return for every key who says what, the winner first."""
        claims: dict[str, Claims] = {key: (claim,) for key, claim in self._overrides.items()}
        for layer in sorted(layers, key=lambda layer: -layer.provider.priority()):
            for key, value in layer.values.items():
                claims[key] = (*claims.get(key, ()), (_origin(layer.provider, key), value))
        return claims


def _read(provider: IConfigProvider) -> Mapping[str, Any] | None:
    """Return what the source says if it can be read at once, else None. Raises `ConfigError`."""
    read = getattr(provider, "read", None)
    return _checked(type(provider).__name__, read()) if callable(read) else None


async def _get(provider: IConfigProvider, session_id: str) -> Any:
    return await provider.get_config(session_id)


def _ignore(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


def _checked(name: str, values: Any) -> Mapping[str, Any]:
    if isinstance(values, Mapping) and all(isinstance(key, str) for key in values):
        return values
    raise ConfigError(f"{name} returned {type(values).__name__}, but a dictionary is expected.")


def _origin(provider: IConfigProvider, key: str) -> str:
    origin = getattr(provider, "origin", None)
    return str(origin(key)) if callable(origin) else type(provider).__name__


def _combined(claims: Claims) -> Any:
    """Return the winner's value; a table with what the others add to it."""
    combined = claims[0][1]
    for _, value in claims[1:]:
        if not (isinstance(combined, Mapping) and isinstance(value, Mapping)):
            break
        combined = {**value, **combined} | {
            key: _joined(combined[key], value[key]) for key in combined if key in value
        }
    return combined


def _joined(high: Any, low: Any) -> Any:
    if isinstance(high, list | tuple) and isinstance(low, list | tuple):
        return (*high, *(entry for entry in low if entry not in high))
    return high


def masked(key: str, value: Any) -> Any:
    """Return the value of a setting as it may be shown: no secret, no password in an address."""
    if value is not None and _SECRET_WORDS.intersection(key.split("_")):
        return MASK
    if isinstance(value, str):
        return re.sub(r"(?<=://)[^/@\s]+@", f"{MASK}@", value)
    return value
