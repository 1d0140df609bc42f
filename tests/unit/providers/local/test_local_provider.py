from __future__ import annotations

import asyncio
import gc
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from victor.errors import (
    BadReply,
    ContextExceeded,
    InvalidRequest,
    ModelMissing,
    ProviderError,
    UnknownNameError,
)
from victor.events import ReplyFinished, TextDelta
from victor.messages import Request, StopReason, Usage, user
from victor.protocols import IProvider
from victor.providers import local_runtime
from victor.providers.choose import create_provider
from victor.providers.local import LocalProvider
from victor.providers.local_runtime import (
    LocalCompletion,
    Runtime,
    available_memory,
    available_threads,
    load_runtime,
    require_runtime,
)
from victor.providers.small_model import Completed
from victor.providers.weights import Progress, Weights
from victor.providers.weights_catalog import QWEN_0_5B, QWEN_1_5B, ModelFile

pytestmark = pytest.mark.anyio

Take = Callable[[dict[str, Any]], bool]


def chunk(text: str = "", reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text or None}, "finish_reason": reason}]}


USAGE = {
    "choices": [],
    "usage": {
        "prompt_tokens": 7,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 3},
    },
}


class Server:
    """Stands for the runtime's server: gives the chunks that a test wants."""

    def __init__(self, *chunks: Any, params: Any = None) -> None:
        self.chunks = chunks
        self.params = params
        self.requests: list[dict[str, Any]] = []
        self.given = 0
        self.over = threading.Event()

    def handle_chat_completions(self, request: dict[str, Any], take: Take) -> None:
        self.requests.append(request)
        try:
            for each in self.chunks:
                if isinstance(each, Exception):
                    raise each
                self.given += 1
                if take(each):
                    return
        finally:
            self.over.set()


def said(*texts: str, reason: str = "stop") -> Server:
    return Server(*(chunk(text) for text in texts), chunk(reason=reason), USAGE)


async def pieces(server: Any, **more: Any) -> list[Any]:
    completion = LocalCompletion(Runtime(server, "tiny"))
    asked = {
        "model": "tiny",
        "messages": [{"role": "user", "content": "hi"}],
        "schema": None,
        "max_tokens": 9,
        "temperature": 0.0,
        "stop": (),
        **more,
    }
    return [piece async for piece in completion.complete(**asked)]


async def test_text_comes_in_pieces_and_ends_with_the_usage() -> None:
    given = await pieces(said("Hel", "lo"))

    assert given == ["Hel", "lo", Completed(Usage(7, 2, cache_read=3))]


async def test_an_answer_cut_by_the_limit_is_marked() -> None:
    assert (await pieces(said("Hel", reason="length")))[-1].cut


async def test_a_schema_is_handed_on_as_a_grammar_for_compact_json() -> None:
    server = said("{}")

    await pieces(server, schema={"type": "object"}, stop=("END",))

    request = server.requests[0]
    schema = request["response_format"]["json_schema"]["schema"]
    assert schema["type"] == "object"
    assert schema["x-guidance"]["whitespace_flexible"] is False
    assert request["stop"] == ["END"]
    assert request["stream"] is True


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        ({"error": {"type": "exceed_context_size_error", "message": "too long"}}, ContextExceeded),
        ({"error": {"type": "server_error", "message": "broken"}}, BadReply),
        (ValueError("no messages"), InvalidRequest),
        (RuntimeError("gone"), InvalidRequest),
    ],
)
async def test_what_the_runtime_reports_becomes_our_error(
    failure: Any, error: type[ProviderError]
) -> None:
    with pytest.raises(error):
        await pieces(Server(failure))


async def test_a_generation_that_breaks_off_is_no_answer() -> None:
    with pytest.raises(BadReply, match="stopped in the middle"):
        await pieces(Server(chunk("Hel")))


async def test_closing_the_stream_stops_the_generation_with_the_next_chunk() -> None:
    class Endless(Server):
        def handle_chat_completions(self, request: dict[str, Any], take: Take) -> None:
            while not take(chunk("word ")):
                self.given += 1
            self.over.set()

    server = Endless()
    completion = LocalCompletion(Runtime(server, "tiny"))
    stream = completion.complete(
        model="tiny", messages=[], schema=None, max_tokens=9, temperature=0.0, stop=()
    )

    assert await anext(stream) == "word "
    await stream.aclose()

    assert await asyncio.to_thread(server.over.wait, 10)


async def test_the_loop_goes_on_while_the_model_generates() -> None:
    go_on = threading.Event()

    class Slow(Server):
        def handle_chat_completions(self, request: dict[str, Any], take: Take) -> None:
            assert go_on.wait(10)
            super().handle_chat_completions(request, take)

    waiting = asyncio.create_task(pieces(Slow(chunk("hi"), chunk(reason="stop"))))
    await asyncio.sleep(0)
    go_on.set()

    assert (await waiting)[0] == "hi"


async def test_a_closed_completion_says_so() -> None:
    completion = LocalCompletion(Runtime(said("hi"), "tiny"))
    await completion.aclose()
    await completion.aclose()

    with pytest.raises(ProviderError, match="closed"):
        await anext(
            completion.complete(
                model="tiny", messages=[], schema=None, max_tokens=9, temperature=0.0, stop=()
            )
        )


class Params:
    """As the runtime's parameters: whatever is set is kept."""

    def __init__(self) -> None:
        self.model = types.SimpleNamespace(path="")
        self.cpuparams = types.SimpleNamespace(n_threads=0)
        self.cpuparams_batch = types.SimpleNamespace(n_threads=0)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Server]:
    """The runtime's module, replaced by one whose server says hello; the servers it made."""
    made: list[Server] = []

    def serve(params: Any) -> Server:
        if "broken" in params.model.path:
            raise RuntimeError("Failed to init server")
        server = said('{"tool": "reply", "arguments": {"message": "Hello."}}')
        server.params = params
        made.append(server)
        return server

    module = types.SimpleNamespace(CommonParams=Params, Server=serve)
    monkeypatch.setitem(sys.modules, "xllamacpp", module)  # type: ignore[arg-type]
    monkeypatch.setattr(local_runtime, "_loaded", type(local_runtime._loaded)())
    monkeypatch.delenv("VICTOR_LOCAL_MODEL", raising=False)
    return made


def quiet(_: Progress) -> None:
    pass


async def test_a_model_is_loaded_once_for_a_process_and_freed_with_its_last_user(
    served: list[Server], tmp_path: Path
) -> None:
    path = tmp_path / "my.gguf"
    first, second = (LocalProvider(path=path, progress=quiet) for _ in range(2))

    await asyncio.gather(first.load(), second.load(), first.load())
    assert len(served) == 1

    await first.aclose()
    await second.aclose()
    await second.aclose()
    gc.collect()
    await first.load()
    assert len(served) == 2


async def test_the_loopback_port_is_locked_and_the_machine_spared(
    served: list[Server], tmp_path: Path
) -> None:
    await LocalProvider(path=tmp_path / "my.gguf", threads=3, progress=quiet).load()

    params = served[0].params
    assert len(params.api_keys[0]) > 30
    assert params.cpuparams.n_threads == params.cpuparams_batch.n_threads == 3
    assert params.n_ctx == 8192


async def test_it_streams_a_reply(served: list[Server], tmp_path: Path) -> None:
    provider = LocalProvider(path=tmp_path / "my.gguf", progress=quiet)
    assert isinstance(provider, IProvider)

    given = [d async for d in provider.stream(Request(provider.model, (user("hi"),)))]

    assert isinstance(given[0], TextDelta)
    assert given[-1] == ReplyFinished(StopReason.END, Usage(7, 2, cache_read=3), "my")


async def test_a_file_that_is_no_model_is_named(served: list[Server], tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"broken\.gguf cannot be loaded"):
        await LocalProvider(path=tmp_path / "broken.gguf", progress=quiet).load()


async def test_without_the_runtime_the_remedy_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)  # type: ignore[arg-type]

    with pytest.raises(ModelMissing, match=r"pip install 'victor-ai\[local\]'"):
        await LocalProvider(path=tmp_path / "my.gguf", progress=quiet).load()


async def test_waiting_threads_do_not_spin(monkeypatch: pytest.MonkeyPatch, served: Any) -> None:
    import os

    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    require_runtime()

    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


class Shelf(Weights):
    """Weights that a test has put here, or that cannot be had."""

    def __init__(self, *here: ModelFile, cannot: bool = False) -> None:
        super().__init__(Path("/shelf"), sources=())
        self.here = here
        self.cannot = cannot
        self.asked: list[ModelFile] = []
        self.stopped: threading.Event | None = None

    def locate(self, model: ModelFile) -> Path | None:
        return Path("/shelf") / model.file if model in self.here else None

    def obtain(self, model: ModelFile, report: Any, stopped: Any = None) -> Path:
        self.asked.append(model)
        self.stopped = stopped
        if self.cannot:
            raise ModelMissing("It cannot be had.")
        return Path("/shelf") / model.file


@pytest.fixture
def plenty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("victor.providers.local.available_memory", lambda: 8_000_000_000)


async def test_the_model_is_chosen_by_the_memory_that_is_free(
    served: list[Server], plenty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = LocalProvider(weights=Shelf(), progress=quiet)
    await provider.load()
    assert provider.model == QWEN_1_5B.name

    monkeypatch.setattr("victor.providers.local.available_memory", lambda: 2_000_000_000)
    assert provider.model == QWEN_1_5B.name
    assert LocalProvider(progress=quiet).model == QWEN_0_5B.name


async def test_where_the_larger_cannot_be_had_the_smaller_that_is_here_serves(
    served: list[Server], plenty: None
) -> None:
    told: list[Progress] = []
    provider = LocalProvider(weights=Shelf(QWEN_0_5B, cannot=True), progress=told.append)

    await provider.load()

    assert provider.model == QWEN_0_5B.name
    assert "Using Qwen2.5-Coder 0.5B instead" in told[0].what
    assert served[0].params.model.path.endswith(QWEN_0_5B.file)


async def test_a_model_that_was_asked_for_is_not_replaced(served: list[Server]) -> None:
    shelf = Shelf(QWEN_0_5B, cannot=True)

    with pytest.raises(ModelMissing):
        await LocalProvider(QWEN_1_5B.name, weights=shelf, progress=quiet).load()
    with pytest.raises(UnknownNameError, match="local model"):
        LocalProvider("gpt-5")


async def test_nothing_here_and_nothing_to_be_had_is_an_error(
    served: list[Server], plenty: None
) -> None:
    with pytest.raises(ModelMissing, match="cannot be had"):
        await LocalProvider(weights=Shelf(cannot=True), progress=quiet).load()


async def test_cancelling_stops_the_download(served: list[Server]) -> None:
    begun = threading.Event()

    class Endless(Shelf):
        def obtain(self, model: ModelFile, report: Any, stopped: Any = None) -> Path:
            begun.set()
            assert stopped.wait(10)
            self.stopped = stopped
            raise ModelMissing("stopped")

    shelf = Endless()
    loading = asyncio.create_task(
        LocalProvider(QWEN_0_5B.name, weights=shelf, progress=quiet).load()
    )
    await asyncio.to_thread(begun.wait, 10)
    loading.cancel()

    with pytest.raises(asyncio.CancelledError):
        await loading


async def test_one_line_says_what_it_is_and_what_is_better(
    plenty: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VICTOR_LOCAL_MODEL", raising=False)
    for provider in (LocalProvider(), LocalProvider(path=tmp_path / "my.gguf")):
        line = provider.describe()
        assert "\n" not in line
        assert "ANTHROPIC_API_KEY" in line
        assert "Ollama" in line
    assert "Qwen2.5-Coder 1.5B (1.1 GB)" in LocalProvider(threads=2).describe()

    (tmp_path / "mine.gguf").touch()
    monkeypatch.setenv("VICTOR_LOCAL_MODEL", str(tmp_path / "mine.gguf"))
    assert LocalProvider().model == "mine"
    assert LocalProvider(QWEN_0_5B.name).model == QWEN_0_5B.name
    assert create_provider("local", model=str(tmp_path / "mine.gguf")).model == "mine"
    assert create_provider("local", model="0.5b").model == QWEN_0_5B.name
    monkeypatch.setenv("VICTOR_LOCAL_MODEL", "0.5b")
    assert LocalProvider().model == QWEN_0_5B.name


def test_what_is_known_of_the_model_is_the_window_it_runs_with() -> None:
    info = LocalProvider(context_window=4096).model_info("any")

    assert info.context_window == 4096
    assert info.max_output < 4096
    assert info.input_price == 0.0


def test_memory_is_what_the_machine_and_the_container_leave(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable:    5000 kB\n")
    assert available_memory(meminfo, tmp_path) == 5000 * 1024

    (tmp_path / "memory.max").write_text("3000000")
    (tmp_path / "memory.current").write_text("1000000")
    assert available_memory(meminfo, tmp_path) == 2_000_000

    (tmp_path / "memory.max").write_text("max")
    assert available_memory(tmp_path / "none", tmp_path) is None


def test_threads_stay_within_the_containers_share(tmp_path: Path) -> None:
    limit = tmp_path / "cpu.max"
    limit.write_text("150000 100000")
    assert local_runtime._cgroup_cores(limit) == 2
    limit.write_text("max 100000")
    assert local_runtime._cgroup_cores(limit) is None
    assert 1 <= available_threads() <= 8


def test_loading_is_told(served: list[Server], tmp_path: Path) -> None:
    told: list[Progress] = []
    runtime = load_runtime(tmp_path / "my.gguf", threads=1, context_window=512, report=told.append)

    assert runtime.name == "my"
    assert told[0].what == "Loading my.gguf"
