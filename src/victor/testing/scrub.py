"""Secrets cut out of texts: by the shape of keys, by the names they stand under, by value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MARK = "[secret]"
"""What stands where a secret was."""

_SHORTEST = 8
"""Characters from which on a known value is cut out: a shorter one is also an ordinary word."""

_BEGINNINGS = (
    # Model vendors.
    r"sk-(?:ant-|proj-|or-|svcacct-)?[\w-]{16,}|gsk_\w{16,}|xai-\w{16,}|hf_\w{16,}|AIza[\w-]{30,}",
    r"pplx-\w{16,}|r8_\w{16,}|tgp_v1_[\w-]{16,}|nvapi-[\w-]{16,}|co_\w{32,}",
    # Where code is kept and published.
    r"gh[opusr]_\w{20,}|github_pat_\w{20,}|gl(?:pat|dt|rt|ptt)-[\w-]{16,}|npm_\w{20,}",
    r"pypi-[\w-]{30,}|dckr_pat_[\w-]{16,}|ATATT[\w=-]{20,}|ATBB\w{20,}",
    # Clouds.
    r"(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}|dop_v1_\w{20,}",
    r"dapi[a-f0-9]{32}|hvs\.[\w-]{20,}|dp\.pt\.\w{20,}|HRKU-[\w-]{20,}|LTAI\w{16,}",
    # Messages, money, the rest.
    r"xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{10,}|https://hooks\.slack\.com/services/[\w/]+",
    r"[sr]k_(?:live|test)_\w{16,}|whsec_\w{16,}|SG\.[\w-]{16,}\.[\w-]{16,}|shp(?:at|ca|pa|ss)_\w{16,}",
    r"sq0(?:atp|csp)-[\w-]{16,}|key-[a-f0-9]{32}|lin_api_\w{16,}|ntn_\w{16,}|glc_[\w=]{20,}",
    r"\d{8,10}:AA[\w-]{30,}|AGE-SECRET-KEY-1\w{20,}|EAA\w{40,}|SK[a-f0-9]{32}",
    # Tokens that are made of three parts in base 64.
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
)
_NAME = (
    r"(?<![\w.-])[\w.-]{0,40}?(?:api[_-]?key|access[_-]?key|secret|token|passw(?:or)?d|passphrase|credentials?"
    r"|private[_-]?key|client[_-]?secret|auth[_-]?key|account[_-]?key|pwd)[\w.-]{0,40}"
)
_PATTERNS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL),
    re.compile(rf"(?<![\w-])(?:{'|'.join(_BEGINNINGS)})"),
    re.compile(r"(?i)\b(?:bearer|basic)\s+(?P<secret>[\w+/.=~-]{12,})"),
    re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]*:(?P<secret>[^\s@/]{3,})@"),
    # A quoted value under a telling name: long enough to be none of the names of code.
    re.compile(rf"(?i){_NAME}\\?[\"']?\s*[:=]\s*\\?[\"'](?P<secret>[^\s\"'\\]{{8,}})"),
    re.compile(
        rf"(?i){_NAME}\s*[:=]\s*(?P<secret>(?=[\w+/.~-]*\d)(?=[\w+/.~-]*[a-z])[\w+/.~-]{{16,}}=*)"
    ),
)
_TELLING = re.compile(rf"(?i)^{_NAME}$")


class Scrubber:
    """Cuts out what looks like a secret, and every one of the `secrets` that are known."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({one for one in secrets if len(one) >= _SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def text(self, text: str) -> str:
        """Return the text with a mark in each secret's place. What was scrubbed stays so."""
        return _replaced(text, self._spans(text))

    def pieces(self, pieces: Sequence[str]) -> tuple[str, ...]:
        """Return as many pieces, without the secrets that stand in them or across them."""
        text = "".join(pieces)
        spans = self._spans(text)
        if not spans:
            return tuple(pieces)
        scrubbed, start = [], 0
        for piece in pieces:
            scrubbed.append(_replaced(text, spans, start, start + len(piece)))
            start += len(piece)
        return tuple(scrubbed)

    def value(self, value: Any) -> Any:
        """Return decoded JSON with its texts scrubbed, and all that stands under telling keys."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {key: self._under(str(key), item) for key, item in value.items()}
            case list() | tuple():
                return [self.value(item) for item in value]
        return value

    def _under(self, key: str, value: Any) -> Any:
        if isinstance(value, str) and len(value) >= _SHORTEST and _TELLING.match(key):
            return MARK
        return self.value(value)

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """Return where secrets stand: in order, apart from each other."""
        found = []
        if self._known is not None:
            found += [match.span() for match in self._known.finditer(text)]
        for pattern in _PATTERNS:
            group = "secret" if "secret" in pattern.groupindex else 0
            found += [match.span(group) for match in pattern.finditer(text)]
        spans: list[tuple[int, int]] = []
        for start, end in sorted(found):
            if text[start:end].startswith(MARK):
                continue
            if spans and start < spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((start, end))
        return spans


def _replaced(
    text: str, spans: Sequence[tuple[int, int]], start: int = 0, end: int | None = None
) -> str:
    """Return `text[start:end]`, with a mark where a span begins and nothing of the span."""
    stop = len(text) if end is None else end
    parts, position = [], start
    for first, last in spans:
        if last <= start or first >= stop:
            continue
        parts.append(text[position : max(first, start)])
        if first >= start:
            parts.append(MARK)
        position = min(last, stop)
    parts.append(text[position:stop])
    return "".join(parts)
