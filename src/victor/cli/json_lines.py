"""Events as JSON lines, for other programs.

Each line is an object whose `event` is the event's name in snake case, such as `text_delta`; the
other keys are the event's fields as `victor.events` documents them. Nested values keep their
fields; a message's part, being one of several, also says its `type` (`text`, `tool_call`, ...).
Pictures are told by their size. Four lines are the commands' own: `model_chosen` (`provider`,
`model`, `reason`, `session_id`) comes first in a chat; `progress` (`what`, `done`, `total`) while
something long goes on, such as a download; `result` (a `WorkflowResult`) last in the run of a
workflow; and `error` (`error_type`, `message`, `hint`, `retryable`, `exit_code`) last if a chat
fails.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TextIO, get_args

from victor import messages
from victor.errors import VictorError
from victor.events import Event

_PARTS = frozenset(get_args(messages.Part))
_SECRET_NAME = re.compile(r"(?:API_?KEY|TOKEN|SECRET|PASSWORD)$", re.IGNORECASE)
_SHORTEST_SECRET = 8


@cache
def snake_case(name: str) -> str:
    """Return a class name as a key: `TextDelta` gives `text_delta`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def plain(value: Any) -> Any:
    """Return `value` made of nothing but what JSON has."""
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return str(value)
        case bytes():
            return {"bytes": len(value)}
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case tuple() | list() | frozenset() | set():
            return [plain(item) for item in value]
    if not is_dataclass(value):
        return str(value)
    shown = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if type(value) in _PARTS:
        return {"type": snake_case(type(value).__name__), **shown}
    return shown


def secrets_of(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the values of the environment that are secrets by their name, the longest first."""
    named = os.environ if environment is None else environment
    found = {
        value
        for name, value in named.items()
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET
    }
    return tuple(sorted(found, key=len, reverse=True))


class JsonLines:
    """Writes events to a stream, one line each, flushed at once. Known secrets are blanked."""

    def __init__(self, stream: TextIO, *, secrets: tuple[str, ...] | None = None) -> None:
        self._stream = stream
        known = secrets_of() if secrets is None else secrets
        # The line is searched, so a secret must be looked for as JSON spells it.
        self._secrets = tuple(json.dumps(secret)[1:-1] for secret in known)

    def event(self, event: Event) -> None:
        """Write an event."""
        self.line(snake_case(type(event).__name__), **plain(event))

    def error(self, error: BaseException, exit_code: int) -> None:
        """Write the line that says why the command fails."""
        hint = error.hint if isinstance(error, VictorError) else ""
        self.line(
            "error",
            error_type=type(error).__name__,
            message=str(error).removesuffix(hint).rstrip() if hint else str(error),
            hint=hint,
            retryable=isinstance(error, VictorError) and error.retryable,
            exit_code=int(exit_code),
        )

    def line(self, event: str, **values: Any) -> None:
        """Write one line."""
        text = json.dumps({"event": event, **values})
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        self._stream.write(text + "\n")
        self._stream.flush()
