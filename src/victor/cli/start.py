"""From options to a conversation: the one file of the terminal that joins the parts of Victor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from victor.errors import ConfigError, ModelMissing, VictorError

if TYPE_CHECKING:
    from victor.agent.coordinators.config_coordinator import ConfigCoordinator
    from victor.agent.orchestrator import AgentOrchestrator
    from victor.events import ReplyDelta
    from victor.messages import Request
    from victor.protocols import IApprover, IConfigProvider, IProvider, ModelInfo
    from victor.providers.choose import Choice

ReportProgress: TypeAlias = Callable[[str, int, int], None]
"""Told how far something long has come: (what, done, total), from any thread."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    workspace: Path | None = None
    provider: str | None = None
    model: str | None = None
    mode: str | None = None
    yes: bool = False
    ephemeral: bool = False
    on_record: bool = False
    """Whether it is about recorded sessions: then the setting `ephemeral` is not heeded."""
    template: str | None = None
    """The template of the system prompt."""
    strategy: str | None = None
    """How the context is compacted."""
    record: Path | None = None
    """The file that model calls are written to."""
    replay: Path | None = None
    """The recording that answers in a model's place."""
    no_sandbox: bool = False
    """Whether commands run unconfined."""

    @property
    def folder(self) -> Path:
        """The folder that the agent works in. Raises `ConfigError` where there is none."""
        folder = (self.workspace or Path.cwd()).expanduser().resolve()
        if not folder.is_dir():
            raise ConfigError(
                f"There is no folder {folder}.", hint="Name an existing one with --workspace."
            )
        return folder

    def given(self) -> dict[str, Any]:
        """Return the settings that were given, and no others."""
        settings: dict[str, Any] = {
            "provider": self.provider,
            "model": self.model,
            "mode": self.mode,
            "approve": "always" if self.yes else None,
            "sandbox": "none" if self.no_sandbox else None,
            "ephemeral": False if self.on_record else self.ephemeral or None,
            "system_prompt_template": self.template,
            "context_compaction_strategy": self.strategy,
        }
        return {name: value for name, value in settings.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Served:
    """Which model serves, and why."""

    provider: IProvider
    model: str
    reason: str
    notice: str = ""
    """What to expect of it, where there is something to say."""

    @property
    def opening(self) -> str:
        """The line that a session begins with: which model serves, and why."""
        first = f"{self.provider.name} · {self.model} ({self.reason})"
        return f"{first}\n{self.notice}" if self.notice else first


Choose: TypeAlias = Callable[[Mapping[str, Any], str | None, str | None, ReportProgress], Served]
"""Takes the settings, a provider's and a model's name if asked for, and the progress reporter."""


def configuration(options: Options) -> ConfigCoordinator:
    """Return the settings that hold for `options`, with their origins. Raises `ConfigError`."""
    from victor.agent.coordinators.config_coordinator import ConfigCoordinator
    from victor.config.settings import Settings, validate
    from victor.config.sources import SettingsConfigProvider, standard_sources

    settings = Settings(**options.given())
    sources = standard_sources(None, options.folder)
    given = SettingsConfigProvider(settings, origin="the command line")
    providers = cast("tuple[IConfigProvider, ...]", (given, *sources))
    return ConfigCoordinator(providers, validate=validate)


class NoModel:
    """Stands in where a command needs the parts of an agent, but no model."""

    name = "none"

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        """Raise `ModelMissing`."""
        none: tuple[ReplyDelta, ...] = ()
        for delta in none:
            yield delta
        raise ModelMissing("This command asks no model.")

    def model_info(self, model: str) -> ModelInfo:
        """Return a guess."""
        from victor.protocols import ModelInfo

        return ModelInfo(model, 128_000, 8_000, known=False)

    async def aclose(self) -> None:
        """Do nothing."""


class Start:
    """Opens conversations on the same options, and closes what they need."""

    def __init__(
        self,
        options: Options,
        *,
        approver: IApprover | None = None,
        progress: ReportProgress | None = None,
        choose: Choose | None = None,
    ) -> None:
        """`choose` picks the model; by default as `victor.providers.choose` does.

        Raises `ConfigError`.
        """
        self._choose = _with_recording(options, choose or _choose)
        self._options = options
        self._approver = approver
        self._progress = progress or _progress_lines
        self._providers: list[IProvider] = []
        self._open: AgentOrchestrator | None = None
        self.config = configuration(options)

    def warnings(self) -> tuple[str, ...]:
        """Return what a person should know of the configuration."""
        return self.config.warnings

    def choose(self, name: str | None = None, model: str | None = None) -> Served:
        """Return the model that serves: of the provider `name`, or the one that is configured.

        Raises `ConfigError`, or `ProviderError` where none can serve.
        """
        served = self._choose(self.config.get_config(), name, model, self._progress)
        self._providers.append(served.provider)
        return served

    def connect(self, name: str, model: str | None = None) -> tuple[IProvider, str]:
        """Return another provider, and the model or its default."""
        served = self.choose(name, model)
        return served.provider, served.model

    async def open(
        self, provider: IProvider, model: str, *, resume: str | None = None
    ) -> AgentOrchestrator:
        """Return a conversation, `resume`d if a session is named, closing the one before."""
        from victor.agent.orchestrator import AgentOrchestrator
        from victor.config.settings import Settings
        from victor.safety.sandbox import tidy

        # A disk that does not let them be removed is told of where it matters.
        with contextlib.suppress(OSError):
            await asyncio.to_thread(tidy)
        fresh = AgentOrchestrator(
            Settings(**self._options.given()),
            provider,
            model,
            workspace=self._options.folder,
            approver=self._approver,
            config_coordinator=configuration(self._options),
        )
        if resume is not None:
            try:
                await fresh.resume(resume)
            except VictorError:
                await fresh.close()
                raise
        before, self._open = self._open, fresh
        if before is not None:
            await before.close()
        return fresh

    async def open_without_model(self, *, resume: str | None = None) -> AgentOrchestrator:
        """Return an orchestrator for what needs no model."""
        return await self.open(NoModel(), "none", resume=resume)

    async def close(self) -> None:
        """Close the conversation and the providers. Raises `SessionError`."""
        try:
            if self._open is not None:
                await self._open.close()
        finally:
            for provider in self._providers:
                await provider.aclose()


def history_file() -> Path:
    """Return the file that keeps what was typed."""
    from victor.storage.location import data_folder

    return data_folder() / "history"


def _with_recording(options: Options, choose: Choose) -> Choose:
    if options.record is None and options.replay is None:
        return choose
    from victor.cli.recorded import recording, replaying

    if options.replay is not None:
        return replaying(options.replay)
    return recording(options.record, choose) if options.record is not None else choose


def _progress_lines(what: str, done: int, total: int) -> None:
    if not total:
        sys.stderr.write(f"{what}\n")


def _choose(
    config: Mapping[str, Any], name: str | None, model: str | None, progress: ReportProgress
) -> Served:
    from victor.providers.choose import choose_provider, create_provider
    from victor.providers.exchange import Patience

    wanted = {**config, "provider": name, "model": model, "base_url": None} if name else config
    choice = choose_provider(wanted, os.environ)
    if choice.provider == "local":
        return _local(config.get("local_model"), choice.model, choice.reason, progress)
    _check_library(choice)
    provider = create_provider(
        choice.provider,
        # A key of the settings belongs to the provider of the settings, and to no other.
        api_key=None if name else _revealed(config.get("api_key")),
        base_url=choice.base_url,
        patience=Patience.of(config),
        streaming=config["streaming"],
        num_ctx=config["ollama_num_ctx"],
    )
    return Served(provider, choice.model, choice.reason)


def _check_library(choice: Choice) -> None:
    """Raise `ModelMissing` where the vendor's own library is an extra that is not installed."""
    from importlib.util import find_spec

    if choice.provider != "google" or (find_spec("google") and find_spec("google.genai")):
        return
    raise ModelMissing(
        f"{choice.reason[:1].upper()}{choice.reason[1:]}, but the package google-genai, which"
        " Google's models need, is not installed.",
        hint=f"Install it with `{sys.executable} -m pip install google-genai`, or choose another"
        " model: --provider local needs no key.",
    )


def _local(setting: str | None, model: str, reason: str, progress: ReportProgress) -> Served:
    from victor.providers.local import LocalProvider

    provider = LocalProvider(
        model or setting or None,
        progress=lambda now: progress(now.what, now.done, now.total),
    )
    return Served(provider, provider.model, reason, provider.describe())


def _revealed(key: Any) -> str | None:
    """Return a key that settings keep hidden."""
    reveal = getattr(key, "get_secret_value", None)
    return str(reveal() if reveal else key) if key else None


def provider_names() -> tuple[str, ...]:
    """Return the names of every provider that there is, those of plugins among them."""
    from victor.providers.choose import provider_names

    return provider_names()
