"""Parts that other packages bring, found by their entry points.

A package declares what it brings:

    [project.entry-points."victor.tools"]
    weather = "acme_weather:WeatherTool"

Nothing is looked for at import, and nothing is loaded before it is asked for. A plugin that cannot
be loaded is skipped and reported; the others, and Victor itself, go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeAlias

from victor.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Group(StrEnum):
    """What a package may bring: the names of the entry-point groups."""

    COMPACTION_STRATEGIES = "victor.compaction_strategies"
    """A class or factory of an `ICompactionStrategy`, by the name that settings ask for."""

    TOOLS = "victor.tools"
    """An `ITool`, a class or factory of one, or a collection of them."""

    PROVIDERS = "victor.providers"
    """A class or factory of an `IProvider`, by the name that settings ask for."""

    PROMPT_CONTRIBUTORS = "victor.prompt_contributors"
    """A class or factory of an `IPromptContributor`."""

    OBSERVERS = "victor.observers"
    """A class or factory of an `IObserver`."""


@dataclass(frozen=True, slots=True)
class PluginFailure:
    """A plugin that was skipped."""

    group: str
    name: str
    source: str
    """The package that declares it, and where in it."""
    error: str


Report: TypeAlias = Callable[[PluginFailure], None]
"""Told of each plugin that is skipped."""

Build: TypeAlias = Callable[[Any], Any]
"""Makes of what an entry point names what is wanted; what it raises counts as the plugin's."""

Find: TypeAlias = "Callable[[str], Iterable[EntryPoint]]"
"""Finds the entry points of a group."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin that was found and not yet loaded."""

    group: str
    name: str
    source: str
    load: Callable[[], Any]
    """Imports it and returns what its entry point names. Raises whatever it raises."""


class Plugins:
    """The plugins of this environment. Each group is looked for once, when first asked for."""

    def __init__(self, report: Report | None = None, *, find: Find | None = None) -> None:
        """Tell `report` of plugins that are skipped; `find` replaces the environment's own."""
        self._report = report
        self._find = find or _installed
        self._found: dict[str, tuple[Plugin, ...]] = {}
        self._loaded: dict[tuple[str, str, Build], Any] = {}
        self._failures: dict[tuple[str, str, str], PluginFailure] = {}

    @property
    def failures(self) -> tuple[PluginFailure, ...]:
        """Every plugin that was skipped so far, and why."""
        return tuple(self._failures.values())

    def find(self, group: Group | str) -> tuple[Plugin, ...]:
        """Return the plugins of a group, sorted by name, without importing any.

        Of several with the same name the first package's, in the alphabet, counts.
        """
        found = self._found.get(group)
        if found is None:
            found = self._found[group] = tuple(self._distinct(str(group)))
        return found

    def factories(self, group: Group | str) -> dict[str, Callable[..., Any]]:
        """Return for each name of a group a factory that loads its plugin when it is called.

        What the factory is given by keyword it passes on. It raises `ConfigError`, naming the
        plugin, when that is broken, or takes no such thing.
        """
        return {plugin.name: self._factory(plugin) for plugin in self.find(group)}

    def load(self, group: Group | str, build: Build | None = None) -> dict[str, Any]:
        """Return what the plugins of a group give, by name, without those that are broken.

        `build` makes of what an entry point names what is wanted; by default `made`.
        Each plugin is loaded once, and reported once.
        """
        build = build or made
        loaded: dict[str, Any] = {}
        for plugin in self.find(group):
            key = (plugin.group, plugin.name, build)
            try:
                if key not in self._loaded:
                    self._loaded[key] = build(plugin.load())
                loaded[plugin.name] = self._loaded[key]
            except (Exception, SystemExit) as error:  # noqa: BLE001  # code of anybody's, at import
                self._skip(plugin, error)
        return loaded

    def _factory(self, plugin: Plugin) -> Callable[..., Any]:
        def make(**options: Any) -> Any:
            try:
                named = plugin.load()
                refused = [option for option in options if not _takes(named, option)]
                if not refused:
                    return made(named, **options)
            except (Exception, SystemExit) as error:
                self._skip(plugin, error)
                raise ConfigError(
                    f"The plugin {plugin.name!r} ({plugin.source}) cannot be loaded:"
                    f" {type(error).__name__}: {error}",
                    hint="Mend or remove that package, or choose another name.",
                ) from error
            raise ConfigError(
                f"The plugin {plugin.name!r} ({plugin.source}) takes no {', '.join(refused)}.",
                hint="Leave that setting out, or see how the package itself is told.",
            )

        return make

    def _distinct(self, group: str) -> Iterable[Plugin]:
        plugins = [_plugin(group, entry) for entry in self._find(group)]
        taken: dict[str, Plugin] = {}
        for plugin in sorted(plugins, key=lambda one: (one.name, one.source)):
            first = taken.setdefault(plugin.name, plugin)
            if first.source != plugin.source:
                self._skip(plugin, ValueError(f"the name is taken by {first.source}"))
        return taken.values()

    def _skip(self, plugin: Plugin, error: BaseException) -> None:
        key = (plugin.group, plugin.name, plugin.source)
        if key in self._failures:
            return
        text = f"{type(error).__name__}: {error}"
        failure = PluginFailure(plugin.group, plugin.name, plugin.source, text)
        self._failures[key] = failure
        if self._report is not None:
            self._report(failure)


@cache
def installed() -> Plugins:
    """Return the plugins of this environment: the same object for the whole process."""
    return Plugins()


def made(named: Any, **options: Any) -> Any:
    """Return what an entry point stands for: what it makes, where it names a class or function."""
    return named(**options) if isinstance(named, type | FunctionType) else named


def _takes(named: Any, option: str) -> bool:
    """Return whether what an entry point names can be given `option` by keyword."""
    from inspect import Parameter, signature

    if not isinstance(named, type | FunctionType):
        return False
    parameters = signature(named).parameters
    return option in parameters or any(
        parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()
    )


def _installed(group: str) -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points

    return entry_points(group=group)


def _plugin(group: str, entry: EntryPoint) -> Plugin:
    package = entry.dist.name if entry.dist is not None else "?"
    return Plugin(group, entry.name, f"{package}: {entry.value}", entry.load)
