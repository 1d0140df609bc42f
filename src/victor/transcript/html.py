"""A session as one HTML page: no script, nothing loaded, and nothing of its text obeyed."""

from __future__ import annotations

import difflib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from importlib.resources import files
from itertools import islice
from typing import Any

from victor.history import RecordedTurn, taken_back, turns
from victor.messages import Document, Image, Message, Text, Thinking, ToolCall, ToolResult
from victor.protocols import Record, SessionInfo
from victor.transcript import words
from victor.transcript.rendered import marked, prose
from victor.visible import one_line, readable, visible

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What a browser shows without running anything in it."""

_REPLACEMENTS = (("old", "new"), ("old_text", "new_text"), ("old_string", "new_string"))
"""Arguments of edits, shown as a difference."""

_HEADER = 3
"""Lines that a unified difference begins with."""


def as_html(info: SessionInfo, records: tuple[Record, ...]) -> str:
    """Return the session as a page that a browser shows without a network."""
    return "\n".join(_page(info, turns(records), taken_back(records)))


def _page(info: SessionInfo, had: tuple[RecordedTurn, ...], gone: frozenset[str]) -> Iterator[str]:
    title = _shown(words.title(info))
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>{escape(words.title(info))}</title>"
    yield f"<style>{_style()}</style></head><body><main>"
    yield f"<h1>{title}</h1>"
    yield '<dl class="facts">'
    for name, value in words.facts(info):
        yield f"<div><dt>{name}</dt><dd>{marked(escape(value))}</dd></div>"
    yield "</dl>"
    yield from _contents(had)
    for turn in had:
        yield from _turn(turn, gone=turn.id in gone)
    yield "</main><footer>Written by Victor</footer></body></html>"


@cache
def _style() -> str:
    return files("victor.transcript").joinpath("page.css").read_text(encoding="utf-8")


def _contents(had: tuple[RecordedTurn, ...]) -> Iterator[str]:
    if len(had) < 2:
        return
    yield f'<details class="contents"><summary>{len(had):,} turns</summary><div class="inside"><ol>'
    for turn in had:
        about = _shown(one_line(turn.words, 90)) or "(no words)"
        yield f'<li><a href="#turn-{turn.number}">{about}</a></li>'
    yield "</ol></div></details>"


def _turn(turn: RecordedTurn, *, gone: bool) -> Iterator[str]:
    number = turn.number
    yield f'<section class="turn" id="turn-{number}">'
    yield f'<header><h2><a href="#turn-{number}">Turn {number}</a></h2></header>'
    if gone:
        yield f'<p class="note">{words.TAKEN_BACK}</p>'
    results = {result.call_id: result for result in turn.results}
    for record in turn.records:
        match record.kind:
            case "user" | "reply" if record.message is not None:
                yield from _message(record.message, results)
            case "tool" if record.result is not None:
                yield from _call(ToolCall(record.result.call_id, "workflow", {}), record.result)
            case "compacted":
                yield f'<p class="note">{words.compacted(record)}</p>'
    if said := words.outcome(turn):
        yield f'<p class="outcome">{_shown(said)}</p>'
    if said := words.took(turn):
        yield f'<p class="took">{_shown(said)}</p>'
    yield "</section>"


def _message(message: Message, results: Mapping[str, ToolResult]) -> Iterator[str]:
    mine = message.role == "user"
    for index, part in enumerate(message.parts):
        match part:
            case Text(text) if mine and index:
                # What Victor has put behind the words, such as a change of mode.
                yield f'<p class="note">{_shown(readable(text.strip()))}</p>'
            case Text(text) if mine:
                who = '<span class="who">You</span>'
                yield f'<div class="you">{who}{_shown(readable(text))}</div>'
            case Text(text):
                yield f'<div class="said">{prose(text)}</div>'
            case Thinking(text) if text:
                yield '<details class="thinking"><summary>Thinking</summary>'
                yield f'<div class="inside">{_shown(readable(text))}</div></details>'
            case Image():
                yield _picture(part)
            case Document():
                yield f'<p class="note">A document: {_shown(visible(part.name))}.</p>'
            case ToolCall():
                yield from _call(part, results.get(part.id))


def _call(call: ToolCall, result: ToolResult | None) -> Iterator[str]:
    bad = result is None or result.is_error
    state = "no result" if result is None else "failed" if bad else "done"
    yield '<details class="call"><summary>'
    yield f"<strong>{_shown(one_line(call.name))}</strong>"
    yield f'<span class="about">{_shown(words.about(call))}</span>'
    yield f'<span class="state{" bad" if bad else ""}">{state}</span></summary>'
    yield '<div class="inside">'
    yield from _arguments(call)
    if result is not None:
        yield f"<h3>Result</h3><pre>{_shown(visible(result.content))}</pre>"
        yield from map(_picture, result.images)
    yield "</div></details>"


def _picture(image: Image) -> str:
    if image.media_type not in _PICTURES:
        return f'<p class="note">A picture ({_shown(visible(image.media_type))}).</p>'
    data = b64encode(image.data).decode()
    return f'<p><img alt="A picture" src="data:{image.media_type};base64,{data}"></p>'


def _arguments(call: ToolCall) -> Iterator[str]:
    left: dict[str, Any] = dict(call.arguments)
    said = words.about(call)
    for old, new in _REPLACEMENTS:
        if isinstance(left.get(old), str) and isinstance(left.get(new), str):
            yield f"<h3>Change</h3><pre>{_difference(left.pop(old), left.pop(new))}</pre>"
    for key, value in left.items():
        if value == said:
            continue  # The summary says it in full.
        text = _shown(visible(words.argument(value)))
        yield f"<h3>{_shown(one_line(key))}</h3><pre>{text}</pre>"
    if call.invalid:
        yield f"<h3>Not understood</h3><pre>{_shown(visible(call.invalid))}</pre>"


def _difference(old: str, new: str) -> str:
    """Return the lines of both, those that differ set apart."""
    before, after = visible(old).splitlines(), visible(new).splitlines()
    whole = len(before) + len(after)
    lines = []
    for line in islice(difflib.unified_diff(before, after, n=whole), _HEADER, None):
        text = _shown(line)
        tag = {"+": "ins", "-": "del"}.get(line[:1])
        lines.append(f"<{tag}>{text}</{tag}>" if tag else f"{text}\n")
    return "".join(lines) or _shown(visible(new))


def _shown(text: str) -> str:
    return marked(escape(text))
