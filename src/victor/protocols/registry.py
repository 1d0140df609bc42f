"""Names that an application gives to its own parts, so that settings can ask for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Generic, TypeVar

from victor.errors import ConfigError, UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """Factories by name. A name that is registered again gets the new factory."""

    def __init__(self, kind: str, port: type, *, hint: str) -> None:
        """Keep factories of what fits `port`.

        Errors call it `kind`, a noun; `hint` says how to register one.
        """
        self._kind = kind
        self._port = port
        self._hint = hint
        self._factories: dict[str, Callable[[], T]] = {}

    def register(self, name: str, factory: Callable[[], T]) -> None:
        """Let settings ask for `name`. `factory` is a class or a function without parameters.

        Raises `ConfigError` for an empty name, or for something that cannot be called.
        """
        if not isinstance(name, str) or not name.strip():
            raise ConfigError(f"The name of a {self._kind} must be a text, not {name!r}.")
        if not callable(factory):
            raise ConfigError(
                f"{self._kind.capitalize()} {name!r} is {type(factory).__name__}, not a class or"
                " function that makes one.",
                hint="Register the class itself, or `lambda: instance`.",
            )
        self._factories[name] = factory

    def unregister(self, name: str) -> None:
        """Forget a name; one that is not registered is no error."""
        self._factories.pop(name, None)

    def make(self, name: str, known: Mapping[str, Callable[[], T]], *, without: str) -> T | None:
        """Make what `name` stands for: as registered, else as in `known`.

        None for the name `without`, where nothing has it. Raises `UnknownNameError`, or
        `ConfigError` when what is made does not fit.
        """
        factory = self._factories.get(name) or known.get(name)
        if factory is None:
            if name == without:
                return None
            names = tuple(dict.fromkeys((without, *known, *self._factories)))
            raise UnknownNameError(self._kind, str(name), names, hint=self._hint)
        one = factory()
        if not isinstance(one, self._port):
            raise ConfigError(
                f"What is registered as {self._kind} {name!r} made a {type(one).__name__}, which is"
                " none.",
                hint=f"It must fit victor.protocols.{self._port.__name__}.",
            )
        return one

    @property
    def factories(self) -> Mapping[str, Callable[[], T]]:
        """What is registered now, read-only."""
        return MappingProxyType(self._factories)
