"""A provider that writes down what is asked of another one, and what it answers."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, cast

from victor.errors import ConfigError, ProviderError
from victor.events import ReplyDelta, ReplyFinished, TextDelta, ThinkingDelta, ToolCallDelta
from victor.messages import Request
from victor.protocols import IProvider, ModelInfo
from victor.testing.record_form import (
    VERSION,
    Json,
    delta_form,
    error_form,
    info_form,
    request_form,
)
from victor.testing.scrub import Scrubber
from victor.wrapped_provider import WrappedProvider

_HEADER = {"recording": VERSION}


class RecordingFile:
    """A file of recorded calls, readable by its owner alone. Secrets are cut out before writing.

    `secrets` are values that must not be written, beside all that looks like one. The file is
    written from its beginning; another file than an earlier recording is not written over.
    Raises `ConfigError`.
    """

    def __init__(self, path: Path | str, *, secrets: Iterable[str] = ()) -> None:
        self.path = Path(path).expanduser()
        self._scrub = Scrubber(secrets)
        self._calls = 0
        self._writers = 0
        try:
            self._stream: IO[str] | None = _opened(self.path)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be written: {error.strerror}.") from None
        self._line(_HEADER)

    def join(self) -> None:
        """Count one that writes; the file is closed when the last of them has left."""
        self._writers += 1

    def leave(self) -> None:
        """Count one less that writes."""
        self._writers -= 1
        if self._writers <= 0:
            self.close()

    def begin(self, provider: str, request: Request, info: ModelInfo) -> int:
        """Write a request down, and return the number of its call."""
        self._calls += 1
        form = self._scrub.value(request_form(request))
        known = info_form(info)
        self._line({"call": self._calls, "provider": provider, "request": form, "model": known})
        return self._calls

    def end(self, call: int, answer: Answer) -> None:
        """Write down what a call gave."""
        for at, delta in zip(answer.times, self._scrubbed(answer.deltas), strict=True):
            self._line({"call": call, "at": round(at, 4), **delta_form(delta)})
        if answer.end is not None:
            self._line({"call": call, **self._scrub.value(answer.end)})
        if self._stream is not None:
            self._stream.flush()

    def close(self) -> None:
        """Close the file; safe to call twice."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _scrubbed(self, deltas: list[ReplyDelta]) -> list[ReplyDelta]:
        """Return the deltas without secrets, also where one came in pieces."""
        clean = list(deltas)
        channels: dict[object, list[int]] = {}
        for index, delta in enumerate(deltas):
            channels.setdefault(_channel(delta), []).append(index)
        for channel, indices in channels.items():
            if channel is ReplyFinished:
                continue
            pieces = self._scrub.pieces([_words(deltas[index]) for index in indices])
            for index, piece in zip(indices, pieces, strict=True):
                clean[index] = _with_words(deltas[index], piece)
        return clean

    def _line(self, form: Json | dict[str, int]) -> None:
        if self._stream is None:
            raise ProviderError(f"The recording {self.path} is closed.")
        self._stream.write(json.dumps(form, separators=(",", ":")) + "\n")


@dataclass(slots=True)
class Answer:
    """What a call gave so far, and when, in seconds from its request."""

    deltas: list[ReplyDelta] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    end: Json | None = None
    """How it ended, where that was not with its last delta."""


class RecordingProvider(WrappedProvider):
    """Passes everything on to `provider` and back, and writes it to `recording`.

    `recording` is a file's path, or a `RecordingFile` that several providers share, which the last
    of them closes. `secrets` are values that must not be written, such as the key; what looks like
    a key is left out anyway. Fits `IProvider`. Raises `ConfigError` where it cannot be written.
    """

    def __init__(
        self,
        provider: IProvider,
        recording: RecordingFile | Path | str,
        *,
        secrets: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(provider)
        self._clock = clock
        self._closed = False
        self._file = (
            recording
            if isinstance(recording, RecordingFile)
            else RecordingFile(recording, secrets=secrets)
        )
        self._file.join()
        # It is the same endpoint, so what is known of it holds, and is found by these.
        self.address = getattr(provider, "address", "")
        self.account = getattr(provider, "account", None)
        self.most_calls = getattr(provider, "most_calls", None)

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        """Make one model call. Raises `ProviderError`."""
        info = self._provider.model_info(request.model)
        call = self._file.begin(self.name, request, info)
        answer = Answer()
        began = self._clock()
        whole = False
        try:
            async with self._call(request) as deltas:
                async for delta in deltas:
                    answer.deltas.append(delta)
                    answer.times.append(self._clock() - began)
                    whole = whole or isinstance(delta, ReplyFinished)
                    yield delta
        except ProviderError as error:
            answer.end = {"at": round(self._clock() - began, 4), **error_form(error)}
            raise
        finally:
            if answer.end is None and not whole:
                answer.end = {"at": round(self._clock() - began, 4), "left": True}
            self._file.end(call, answer)

    async def aclose(self) -> None:
        """Leave the file, and release connections. Safe to call twice."""
        if not self._closed:
            self._closed = True
            self._file.leave()
        await super().aclose()


def _opened(path: Path) -> IO[str]:
    """Return the file, empty, for its owner alone. Raises `OSError` or `ConfigError`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    stream = os.fdopen(descriptor, "r+", encoding="utf-8")
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            _require_recording(stream, path)
            os.fchmod(descriptor, 0o600)
            stream.seek(0)
            stream.truncate()
    except BaseException:
        stream.close()
        raise
    return stream


def _require_recording(stream: IO[str], path: Path) -> None:
    """Raise `ConfigError` unless the file is empty, or an earlier recording."""
    try:
        first = stream.readline(200)
    except UnicodeDecodeError:
        first = "bytes"
    if first and not first.startswith('{"recording":'):
        raise ConfigError(
            f"{path} is no recording, so it is not written over.",
            hint="Name a file that does not exist yet.",
        )


def _channel(delta: ReplyDelta) -> object:
    """Return what the delta's words are continued by."""
    return (ToolCallDelta, delta.index) if isinstance(delta, ToolCallDelta) else type(delta)


def _words(delta: ReplyDelta) -> str:
    match delta:
        case TextDelta() | ThinkingDelta():
            return delta.content
        case ToolCallDelta():
            return delta.arguments
    return ""


def _with_words(delta: Any, words: str) -> ReplyDelta:
    if words == _words(delta):
        return cast("ReplyDelta", delta)
    if isinstance(delta, ToolCallDelta):
        return replace(delta, arguments=words)
    return cast("ReplyDelta", replace(delta, content=words))
