"""A provider that answers as it was recorded, and says where what it is asked departs from it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from victor.errors import BadReply, ReplayDiverged
from victor.events import ReplyDelta, ReplyFinished
from victor.messages import Request
from victor.protocols import ModelInfo
from victor.testing.record_form import (
    VERSION,
    Json,
    delta_of,
    error_of,
    info_of,
    request_form,
    unreadable,
)
from victor.testing.scrub import Scrubber

_AROUND = 30
"""Characters shown on each side of the place where two texts part."""
_LONGEST = 120


@dataclass(slots=True)
class _Call:
    provider: str
    request: Json
    info: ModelInfo
    deltas: list[tuple[float, ReplyDelta]] = field(default_factory=list)
    error: Json | None = None
    ended: float = 0.0

    @property
    def is_whole(self) -> bool:
        return bool(self.deltas) and isinstance(self.deltas[-1][1], ReplyFinished)


class ReplayProvider:
    """Plays the calls of a recording in order. Fits `IProvider`.

    Each request must be what was recorded, but for the fields of `Request` named in `ignore`, such
    as `system`, which holds the date and the folder; else `ReplayDiverged` shows where it parts.
    `pace` is how much of the recorded time passes: 0 none, 1 all of it; `sleep` passes it.
    `secrets` are the values that the recording was made with. Raises `ConfigError` for a file that
    is no recording.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        ignore: Iterable[str] = (),
        pace: float = 0.0,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        secrets: Iterable[str] = (),
    ) -> None:
        self.path = Path(path).expanduser()
        self._ignored = frozenset(ignore)
        self._pace = pace
        self._sleep = sleep
        self._scrub = Scrubber(secrets)
        self._calls = _read(self.path)
        self._played = 0

    @property
    def name(self) -> str:
        """The vendor that was recorded; where there are several, the one of the next call."""
        if not self._calls:
            return "replay"
        return self._calls[min(self._played, len(self._calls) - 1)].provider

    @property
    def model(self) -> str:
        """The model of the first call; empty where none was recorded."""
        return str(self._calls[0].request.get("model", "")) if self._calls else ""

    @property
    def remaining(self) -> int:
        """How many recorded calls were not asked for yet."""
        return len(self._calls) - self._played

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        """Stream the next recorded answer, or raise its recorded `ProviderError`.

        Raises `ReplayDiverged` where something else was asked.
        """
        call = self._next(request)
        now = 0.0
        for at, delta in call.deltas:
            now = await self._pass_time(now, at)
            yield delta
        if call.is_whole:
            return
        await self._pass_time(now, call.ended)
        if call.error is not None:
            raise error_of(call.error)
        raise BadReply(
            "The recording of this call ends here: whoever asked did not wait for its end.",
            provider=call.provider,
        )

    def model_info(self, model: str) -> ModelInfo:
        """Return what was known of `model` when it was recorded, or else of the first model."""
        for call in self._calls:
            if call.info.name == model:
                return call.info
        if self._calls:
            return self._calls[0].info
        return ModelInfo(model, 128_000, 8_192, known=False)

    async def aclose(self) -> None:
        """Do nothing: there is nothing to release."""

    def _next(self, request: Request) -> _Call:
        number = self._played + 1
        if number > len(self._calls):
            raise ReplayDiverged(
                f"{self.path} holds {len(self._calls)} model calls, and this is call {number}."
            )
        call = self._calls[self._played]
        asked = self._scrub.value(request_form(request))
        kept = {key: part for key, part in call.request.items() if key not in self._ignored}
        mine = {key: part for key, part in asked.items() if key not in self._ignored}
        apart = first_difference(kept, mine)
        if apart:
            raise ReplayDiverged(f"Model call {number} is not the one in {self.path}:\n{apart}\n")
        self._played = number
        return call

    async def _pass_time(self, now: float, until: float) -> float:
        if self._pace > 0 and until > now:
            await self._sleep((until - now) * self._pace)
        return max(now, until)


def first_difference(recorded: Any, asked: Any, where: str = "request") -> str:
    """Return where two JSON values first differ, and how, in three lines; empty if they do not."""
    if isinstance(recorded, Mapping) and isinstance(asked, Mapping):
        return _in_objects(recorded, asked, where)
    if isinstance(recorded, list) and isinstance(asked, list):
        return _in_lists(recorded, asked, where)
    if isinstance(recorded, str) and isinstance(asked, str) and recorded != asked:
        return _in_texts(recorded, asked, where)
    return "" if recorded == asked else _shown(where, _short(recorded), _short(asked))


def _in_objects(recorded: Mapping[str, Any], asked: Mapping[str, Any], where: str) -> str:
    nothing = object()
    for key in [*recorded, *(key for key in asked if key not in recorded)]:
        old, new = recorded.get(key, nothing), asked.get(key, nothing)
        here = f"{where}.{key}"
        if old is nothing and not new:
            continue  # A field that requests did not have yet, and do not use here.
        if old is nothing:
            return _shown(here, "(nothing)", _short(new))
        if new is nothing:
            return _shown(here, _short(old), "(nothing)")
        if apart := first_difference(old, new, here):
            return apart
    return ""


def _in_lists(recorded: list[Any], asked: list[Any], where: str) -> str:
    for index, (old, new) in enumerate(zip(recorded, asked, strict=False)):
        if apart := first_difference(old, new, f"{where}[{index}]"):
            return apart
    shared = min(len(recorded), len(asked))
    if len(recorded) == len(asked):
        return ""
    old_rest = _short(recorded[shared]) if len(recorded) > shared else "(no more)"
    new_rest = _short(asked[shared]) if len(asked) > shared else "(no more)"
    return _shown(f"{where}[{shared}]", old_rest, new_rest)


def _in_texts(recorded: str, asked: str, where: str) -> str:
    pairs = enumerate(zip(recorded, asked, strict=False))
    place = next((i for i, (a, b) in pairs if a != b), min(len(recorded), len(asked)))
    start = max(0, place - _AROUND)
    lead = "..." if start else ""

    def excerpt(text: str) -> str:
        tail = "..." if len(text) > place + _AROUND else ""
        return repr(f"{lead}{text[start : place + _AROUND]}{tail}")

    return _shown(f"{where}, character {place + 1}", excerpt(recorded), excerpt(asked))


def _shown(where: str, recorded: str, asked: str) -> str:
    return f"  at {where}\n  recorded: {recorded}\n  asked:    {asked}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _read(path: Path) -> tuple[_Call, ...]:
    """Return the recorded calls in order. Raises `ConfigError`."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise unreadable(path, 1, str(reason)) from None
    calls: dict[int, _Call] = {}
    for number, line in enumerate(lines, 1):
        try:
            form = json.loads(line)
            if number == 1:
                _check_version(form)
            else:
                _add(calls, form)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if number == len(lines) and number > 1:
                break  # What was being written when the program was ended.
            raise unreadable(path, number, f"{type(error).__name__}: {error}") from None
    if not lines:
        raise unreadable(path, 1, "it is empty")
    return tuple(call for _, call in sorted(calls.items()))


def _check_version(form: Mapping[str, Any]) -> None:
    if form["recording"] > VERSION:
        raise ValueError("it was written by a newer version of Victor")


def _add(calls: dict[int, _Call], form: Json) -> None:
    number = form.pop("call")
    if "request" in form:
        calls[number] = _Call(form["provider"], form["request"], info_of(form["model"]))
        return
    call = calls[number]
    call.ended = float(form.pop("at"))
    if "error" in form:
        call.error = form
    elif "left" not in form:
        call.deltas.append((call.ended, delta_of(form)))
