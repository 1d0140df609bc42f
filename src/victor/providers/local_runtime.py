"""llama.cpp in this process, through `xllamacpp`: loading, generating off the loop, cancelling."""

from __future__ import annotations

import asyncio
import importlib
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

from victor.errors import BadReply, ContextExceeded, InvalidRequest, ModelMissing, ProviderError
from victor.messages import JsonObject, Usage
from victor.providers.small_model_port import Completed, CompletionPiece
from victor.providers.small_model_prompt import ChatMessage
from victor.providers.weights import Progress, ReportProgress

_MOST_THREADS = 8
# Cancelling takes effect between batches, so a batch is kept to a few seconds of reading.
_BATCH = 128
# Keeps what was read of the conversation while a file's text is written from another prompt.
_PROMPT_CACHE_MEGABYTES = 512
_COMPACT_JSON = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}

Chunk: TypeAlias = dict[str, Any]


class Runtime:
    """A loaded model. One per file, window and thread count in a process: see `load_runtime`."""

    def __init__(self, server: Any, name: str) -> None:
        self._server = server
        self.name = name

    def generate(self, request: JsonObject, take: Callable[[Chunk], bool]) -> None:
        """Generate, giving each chunk to `take` until it returns True. Blocks.

        Raises what the runtime raises for a malformed request: `ValueError`, `RuntimeError`.
        """
        self._server.handle_chat_completions(request, take)


_loaded: WeakValueDictionary[tuple[Path, int, int], Runtime] = WeakValueDictionary()
_load_lock = threading.Lock()


def require_runtime() -> Any:
    """Return the module `xllamacpp`. Raises `ModelMissing`, saying how to install it."""
    # Without it two threads that share their cores with anything else spin each other to a halt.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        return importlib.import_module("xllamacpp")
    except ImportError as error:
        raise ModelMissing(
            f"The embedded model needs the package xllamacpp ({error}).",
            provider="local",
            hint=(
                "Install it with `pip install 'victor-ai[local]'`; there are wheels for Linux and "
                "macOS (x64, arm64) and Windows (x64). Or set ANTHROPIC_API_KEY or "
                "OPENAI_API_KEY, or run Ollama."
            ),
        ) from error


def load_runtime(
    path: Path, *, threads: int, context_window: int, report: ReportProgress
) -> Runtime:
    """Return the model in `path`, loaded; the one that this process has already, if it has.

    Blocks for some seconds. Raises `ModelMissing` if the file cannot be loaded.
    """
    key = (path.resolve(), context_window, threads)
    with _load_lock:
        runtime = _loaded.get(key)
        if runtime is None:
            report(Progress(f"Loading {path.name}"))
            runtime = Runtime(_serve(*key), path.stem)
            _loaded[key] = runtime
    return runtime


def _serve(path: Path, context_window: int, threads: int) -> Any:
    xllamacpp = require_runtime()
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = context_window
    params.n_parallel = 1
    params.n_batch = params.n_ubatch = _BATCH
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.cache_ram_mib = _PROMPT_CACHE_MEGABYTES
    params.use_jinja = True
    params.verbosity = -1
    # It listens on a loopback port by itself; nobody else is to use it.
    params.api_keys = [secrets.token_urlsafe(32)]
    try:
        return xllamacpp.Server(params)
    except (RuntimeError, ValueError) as error:
        raise ModelMissing(
            f"The model {path} cannot be loaded: {error}",
            provider="local",
            hint="It must be a whole GGUF file that fits the memory; delete it to download anew.",
        ) from error


class _Generation:
    """One generation on a thread of its own, its chunks handed over to the running loop."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._loop = asyncio.get_running_loop()
        self.chunks: asyncio.Queue[Chunk | Exception | None] = asyncio.Queue()
        """What was generated; an exception if the runtime refused, None at the end."""
        self.cancelled = threading.Event()

    def start(self, request: JsonObject) -> None:
        """Begin. Not a daemon: the interpreter must not end while the runtime is in a callback."""
        run = threading.Thread(target=self._run, args=(request,), name="victor-local-model")
        run.start()

    def _run(self, request: JsonObject) -> None:
        try:
            self._runtime.generate(request, self._take)
        except (ValueError, RuntimeError) as error:
            self._put(error)
        self._put(None)

    def _take(self, chunk: Chunk) -> bool:
        if not self.cancelled.is_set():
            self._put(chunk)
        return self.cancelled.is_set()

    def _put(self, chunk: Chunk | Exception | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self.chunks.put_nowait, chunk)
        except RuntimeError:  # the loop is closed: nobody listens any more
            self.cancelled.set()


class LocalCompletion:
    """Fits `ICompletion`: generates on a thread of its own and hands the chunks to the loop."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime: Runtime | None = runtime

    async def complete(
        self,
        *,
        model: str,
        messages: list[ChatMessage],
        schema: JsonObject | None,
        max_tokens: int,
        temperature: float,
        stop: tuple[str, ...],
    ) -> AsyncGenerator[CompletionPiece, None]:
        """Generate text. Closing it early ends the generation with the next chunk."""
        runtime = self._runtime
        if runtime is None:
            raise ProviderError("The model was closed.", provider="local", model=model)
        generation = _Generation(runtime)
        generation.start(_request(messages, schema, max_tokens, temperature, stop))
        try:
            usage, reason = Usage(), ""
            while (chunk := await generation.chunks.get()) is not None:
                if isinstance(chunk, Exception):
                    raise _refused(chunk, model) from chunk
                _raise_failure(chunk, model)
                text, ending = _text(chunk)
                reason = reason or ending
                usage = _usage(chunk) or usage
                if text:
                    yield text
            if not reason:
                raise BadReply("The model stopped in the middle.", provider="local", model=model)
            yield Completed(usage, reason == "length")
        finally:
            generation.cancelled.set()

    async def aclose(self) -> None:
        """Let go of the model. Safe to call twice."""
        self._runtime = None


def _request(
    messages: list[ChatMessage],
    schema: JsonObject | None,
    max_tokens: int,
    temperature: float,
    stop: tuple[str, ...],
) -> dict[str, Any]:
    request: dict[str, Any] = {
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": max_tokens,
        "temperature": temperature,
        "cache_prompt": True,
        # Chunks that only tell how much of the prompt was read: a chance to cancel meanwhile.
        "return_progress": True,
    }
    if stop:
        request["stop"] = list(stop)
    if schema is not None:
        held = {**schema, "x-guidance": _COMPACT_JSON}
        request["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": held},
        }
    return request


def _refused(error: Exception, model: str) -> InvalidRequest:
    return InvalidRequest(
        f"The runtime refuses the request: {error}", provider="local", model=model
    )


def _raise_failure(chunk: Chunk, model: str) -> None:
    """Raise the `ProviderError` that a chunk stands for, if it stands for one."""
    error = chunk.get("error")
    if not isinstance(error, dict):
        return
    message = str(error.get("message", error))
    if error.get("type") == "exceed_context_size_error":
        raise ContextExceeded(message.capitalize() + ".", provider="local", model=model)
    raise BadReply(f"The runtime failed: {message}", provider="local", model=model)


def _text(chunk: Chunk) -> tuple[str, str]:
    """Return the chunk's piece of text and the reason for which it is the last, or empty."""
    choices = chunk.get("choices") or [{}]
    piece = choices[0].get("delta", {}).get("content") or ""
    return piece, choices[0].get("finish_reason") or ""


def _usage(chunk: Chunk) -> Usage | None:
    usage = chunk.get("usage")
    if not usage:
        return None
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    return Usage(usage["prompt_tokens"], usage["completion_tokens"], cache_read=cached)


def available_threads() -> int:
    """Return how many threads to generate with: the cores that this process may use, at most 8."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota = _cgroup_cores()
    if quota is not None:
        cores = min(cores, quota)
    return max(1, min(cores, _MOST_THREADS))


def _cgroup_cores(limit: Path = Path("/sys/fs/cgroup/cpu.max")) -> int | None:
    """Return the container's limit in whole cores; None where there is none."""
    try:
        quota, period = limit.read_text().split()
        return max(1, round(int(quota) / int(period)))
    except (OSError, ValueError):
        return None


def available_memory(
    meminfo: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Return the bytes of memory that can be used without swapping; None where nobody tells."""
    if sys.platform == "darwin":
        return _macos_memory()
    known = [free for free in (_free_memory(meminfo), _cgroup_memory(cgroup)) if free is not None]
    return min(known, default=None)


def _free_memory(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    found = (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    return next(found, None)


def _cgroup_memory(folder: Path) -> int | None:
    """Return what the container's limit leaves; None where there is no limit."""
    try:
        limit = int((folder / "memory.max").read_text())
        return max(0, limit - int((folder / "memory.current").read_text()))
    except (OSError, ValueError):
        return None


def _macos_memory() -> int | None:
    """Return half of the machine's memory: macOS compresses and frees on demand."""
    try:
        printed = subprocess.run(
            ("sysctl", "-n", "hw.memsize"), capture_output=True, text=True, timeout=5, check=True
        )
        return int(printed.stdout) // 2
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
