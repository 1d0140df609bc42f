"""The embedded model: llama.cpp inside this process, no server to start and no key.

The runtime is the package `xllamacpp` (the extra `local`), imported at first use; the weights are
found or downloaded by `victor.providers.weights`.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from victor.errors import ModelMissing
from victor.events import ReplyDelta
from victor.messages import Request
from victor.protocols import Ability, ModelInfo
from victor.providers.local_runtime import (
    LocalCompletion,
    available_memory,
    available_threads,
    load_runtime,
    require_runtime,
)
from victor.providers.small_model import SmallModel
from victor.providers.weights import (
    Progress,
    ReportProgress,
    Weights,
    choose_model,
    chosen_model,
    own_model,
    report_lines,
)
from victor.providers.weights_catalog import MODELS, ModelFile

_DEFAULT_WINDOW = 8192


class LocalProvider:
    """A model that runs in this process, held by the small-model profile. Fits `IProvider`.

    `model` names one of the known models (`qwen2.5-coder-1.5b`, `qwen2.5-coder-0.5b`, `1.5b` or
    `0.5b` for short) or a GGUF file; without it, and without `path` or `VICTOR_LOCAL_MODEL`, the
    largest that fits this machine's free memory is used. `path` is a GGUF file of your own. Raises
    `ModelMissing` for a file that is not there, `UnknownNameError` for another name.
    `context_window` is in tokens. What is downloaded and loaded
    is told to `progress`, or else in lines on stderr. Providers of one process share
    a loaded model.
    """

    name = "local"
    most_calls = 1
    """The runtime answers one call at a time; others would wait inside of it, unseen."""
    address = "this process"
    """The same for all, since they share a loaded model."""

    def __init__(
        self,
        model: str | None = None,
        *,
        path: str | Path | None = None,
        threads: int | None = None,
        context_window: int = _DEFAULT_WINDOW,
        progress: ReportProgress | None = None,
        weights: Weights | None = None,
    ) -> None:
        named = chosen_model(model) if model and not path else None
        self._known = named if isinstance(named, ModelFile) else None
        self._path = Path(path).expanduser() if path else None
        if isinstance(named, Path):
            self._path = named
        self._threads = threads or available_threads()
        self._context_window = context_window
        self._progress = progress or report_lines(sys.stderr)
        self._weights = weights or Weights()
        self._chosen: ModelFile | None = None
        self._loading = asyncio.Lock()
        self._profile: SmallModel | None = None

    def __repr__(self) -> str:
        return f"LocalProvider(model={self.model!r})"

    @property
    def model(self) -> str:
        """The name of the model that serves, or would: of a file of your own, the file's name."""
        own = self._own_path()
        return own.stem if own else self._choice().name

    def describe(self) -> str:
        """Return one honest line for a person: which model, what to expect, how to get better.

        Raises `ModelMissing` if `VICTOR_LOCAL_MODEL` names no file.
        """
        better = "for a better one set ANTHROPIC_API_KEY or OPENAI_API_KEY, or run Ollama"
        own = self._own_path()
        if own:
            return f"Local model {own.name}, running in this process on the CPU; {better}."
        choice = self._choice()
        return (
            f"Local model {choice.title} ({choice.size / 1e9:.1f} GB), running in this process on "
            f"{self._threads} CPU threads: {choice.expectation}; {better}."
        )

    def model_info(self, model: str) -> ModelInfo:
        """Return the window that the model is loaded with; running it costs nothing."""
        abilities = frozenset({Ability.TOOLS, Ability.STRUCTURED_OUTPUT})
        return ModelInfo(
            model, self._context_window, self._context_window // 3, 0.0, 0.0, abilities=abilities
        )

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        """Make one model call, loading the model first. Raises `ProviderError`."""
        profile = await self.load()
        answering = profile.stream(request)
        async with aclosing(answering):
            async for delta in answering:
                yield delta

    async def load(self) -> SmallModel:
        """Find or download the weights and load them; at once if that is done.

        Raises `ModelMissing`. A cancelled download keeps what it has.
        """
        if self._profile is not None:
            return self._profile
        async with self._loading:
            if self._profile is None:
                stopped = threading.Event()
                loading = asyncio.create_task(asyncio.to_thread(self._load, stopped))
                try:
                    completion = await asyncio.shield(loading)
                except asyncio.CancelledError:
                    stopped.set()
                    # Nobody waits for its end any more, so nobody else looks at its error.
                    loading.add_done_callback(lambda task: task.cancelled() or task.exception())
                    raise
                self._profile = SmallModel(
                    completion,
                    name=self.name,
                    context_window=self._context_window,
                    max_output=self._context_window // 3,
                )
        return self._profile

    async def aclose(self) -> None:
        """Let go of the model; the last provider to do so frees its memory. Safe to call twice."""
        profile, self._profile = self._profile, None
        if profile is not None:
            await profile.aclose()

    def _load(self, stopped: threading.Event) -> LocalCompletion:
        require_runtime()
        path = self._own_path() or self._obtain(stopped)
        return LocalCompletion(
            load_runtime(
                path,
                threads=self._threads,
                context_window=self._context_window,
                report=self._progress,
            )
        )

    def _own_path(self) -> Path | None:
        named = None if self._path or self._known else own_model()
        return named if isinstance(named, Path) else self._path

    def _choice(self) -> ModelFile:
        if self._known is None:
            named = own_model()
            if isinstance(named, ModelFile):
                return named
            # Decided once: what is free changes as soon as the model is loaded.
            self._chosen = self._chosen or choose_model(available_memory())
            return self._chosen
        return self._known

    def _obtain(self, stopped: threading.Event) -> Path:
        """Return the weights; unless a certain model was asked for, a smaller one here will do."""
        choice = self._choice()
        try:
            return self._weights.obtain(choice, self._progress, stopped)
        except ModelMissing:
            if self._known is not None or own_model() is not None or stopped.is_set():
                raise
            for other in MODELS:
                path = self._weights.locate(other)
                if path is not None and other.memory <= choice.memory:
                    self._progress(Progress(f"Using {other.title} instead, which is here"))
                    self._chosen = other
                    return path
            raise
