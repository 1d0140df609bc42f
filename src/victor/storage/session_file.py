"""A whole session as JSON lines, and back, unchanged.

    {"victor_session": 1, "records": 12, "session": {"id": "...", "title": "...", ...}}
    {"kind": "user", "turn": "...-1", "time": 1767225600.0, "record": {"v": 1, ...}}

The first line says how many follow, so that a file that was cut short is noticed. The totals of the
session are not in it: they are what the records add up to.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, get_args

from victor.errors import SessionError
from victor.messages import Message, Part, Role
from victor.protocols import Record, SessionInfo
from victor.storage.codec import decode, encode
from victor.storage.totals import Figures, totals
from victor.visible import one_line

VERSION = 1
"""The form of the file that this module writes and reads."""

_FACTS = tuple(f.name for f in fields(SessionInfo) if f.name not in Figures._fields)
_TEXTS = ("id", "title", "workspace", "provider", "model", "parent")
_TIMES = ("created", "updated")
_LATEST = 253402300799.0
"""The last second of the year 9999: what comes after has no date."""

_WRONG = "Export it again with `victor sessions export --format jsonl`, or name another file."


def written(info: SessionInfo, records: tuple[Record, ...]) -> str:
    """Return the session as JSON lines."""
    session = {name: getattr(info, name) for name in _FACTS}
    head = {"victor_session": VERSION, "records": len(records), "session": session}
    return "\n".join((_dumps(head), *map(_line, records), ""))


def read(text: str) -> tuple[SessionInfo, tuple[Record, ...]]:
    """Return the session that `written` was given. Raises `SessionError`, naming the line."""
    # Only what ends a line of the file: text may hold other breaks, such as U+2028.
    lines = [line for line in text.removeprefix("\ufeff").split("\n") if line.strip()]
    if not lines:
        raise _wrong(1, "it is empty")
    try:
        head = _object(lines[0])
        version, count = head["victor_session"], head["records"]
        if not isinstance(version, int) or version > VERSION:
            raise SessionError(
                f"It was exported by a newer version of Victor (form {version!r}).",
                hint="Update Victor to read it.",
            )
        info = _info(head["session"])
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise _wrong(1, _said(error)) from None
    if count != len(lines) - 1:
        raise _wrong(
            len(lines),
            f"{count} records should follow the first line, and"
            f" {len(lines) - 1} do: the file was cut or added to",
        )
    records = tuple(_record(line, number) for number, line in enumerate(lines[1:], start=2))
    return replace(info, **totals(records)._asdict()), records


def _line(record: Record) -> str:
    place = {"kind": record.kind, "turn": record.turn_id, "time": record.time}
    return f'{_dumps(place)[:-1]},"record":{encode(record)}}}'


def _dumps(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _object(line: str) -> dict[str, Any]:
    form = json.loads(line, parse_constant=_refused)
    if not isinstance(form, dict):
        raise TypeError("no object stands there")
    return form


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


def _info(form: Any) -> SessionInfo:
    if not isinstance(form, dict):
        raise TypeError("`session` is no object")
    values: dict[str, Any] = {name: _text(form.get(name, ""), name) for name in _TEXTS}
    values |= {name: _moment(form[name], name) for name in _TIMES}
    if not values["id"]:
        raise ValueError("the session has no id")
    tags = form.get("tags", [])
    if not isinstance(tags, list):
        raise TypeError("`tags` is no list")
    parent_turn = form.get("parent_turn", 0)
    if type(parent_turn) is not int or not 0 <= parent_turn < 2**31:
        raise ValueError("`parent_turn` is no number of a turn")
    values["tags"] = tuple(sorted({_text(tag, "tags") for tag in tags}))
    # They are typed in commands and shown by them.
    for name in (values["id"], values["parent"], *values["tags"]):
        if not name.isprintable() or name != name.strip():
            raise ValueError(f"{one_line(name)!r} can be no session's id, and no tag")
    return SessionInfo(**values, parent_turn=parent_turn)


def _record(line: str, number: int) -> Record:
    try:
        form = _object(line)
        kind, turn = _text(form["kind"], "kind"), _text(form["turn"], "turn")
        record = decode(kind, turn, _moment(form["time"], "time"), json.dumps(form["record"]))
        _check(record)
        encode(record)
    except SessionError as error:
        raise _wrong(number, str(error.args[0]), hint=error.hint) from None
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise _wrong(number, _said(error)) from None
    return record


def _check(record: Record) -> None:
    """Raise `ValueError` where the record holds what no Victor has written."""
    if record.kind in {"user", "reply"} and record.message is None:
        raise ValueError(f"a {record.kind!r} record without a message")
    if record.kind in {"result", "tool"} and record.result is None:
        raise ValueError(f"a {record.kind!r} record without a result")
    expected = {"user": Role.USER, "reply": Role.ASSISTANT}.get(record.kind)
    if record.message is not None and record.message.role is not expected:
        raise ValueError(f"a {record.kind!r} record of role {record.message.role!r}")
    for message in (record.message, *record.context):
        _check_parts(message.parts if isinstance(message, Message) else ())
    _check_parts((*record.calls, *((record.result,) if record.result else ())))
    if not isinstance(record.data, dict):
        raise TypeError("`data` is no object")


def _check_parts(parts: Iterable[Part]) -> None:
    for part in parts:
        if not isinstance(part, get_args(Part)):
            raise TypeError(f"{part!r} is no part of a message")
        for one in fields(part):
            value = getattr(part, one.name)
            if isinstance(value, tuple):
                _check_parts(value)
            elif not isinstance(value, _TYPES.get(str(one.type), tuple)):
                raise TypeError(f"`{one.name}` of a {type(part).__name__} is no {one.type}")


_TYPES: Mapping[str, type] = {"str": str, "bytes": bytes, "bool": bool, "JsonObject": dict}


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"`{name}` is no text")
    value.encode()
    return value


def _moment(value: Any, name: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0 <= value <= _LATEST:
        raise ValueError(f"`{name}` is no time in seconds")
    return float(value)


def _said(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"it is no JSON ({error.msg}, character {error.pos + 1})"
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _wrong(line: int, why: str, *, hint: str = "") -> SessionError:
    return SessionError(
        f"Line {line}: this is no session that Victor has exported, or a damaged one: {why}.",
        hint=hint or _WRONG,
    )
