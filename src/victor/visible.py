"""Text from a model, a tool or a file, made safe and honest to show to a person.

Escape sequences could move the cursor and repaint what a person approves; bidirectional and
invisible characters could make a command read as another one. Both are shown, not obeyed.
"""

from __future__ import annotations

import re

_CONTROL = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
_INVISIBLE = (
    r"\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
)
_SURROGATE = r"\ud800-\udfff"
_UNSAFE = re.compile(f"[{_CONTROL}{_INVISIBLE}{_SURROGATE}]")
_JOINERS = frozenset("\u200c\u200d")
"""Parts of emoji and of several scripts: harmless in prose, shown where a person decides."""


def _name(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return f"<U+{code:04X}>"


def _name_unless_joiner(match: re.Match[str]) -> str:
    return match[0] if match[0] in _JOINERS else _name(match)


def visible(text: str) -> str:
    """Return `text` with every control, invisible and bidirectional character spelled out.

    Newlines and tabs stay. For what a person decides on.
    """
    return _UNSAFE.sub(_name, text)


def readable(text: str) -> str:
    """Return `text` as `visible` does, but with CR LF as a newline and joined emoji left whole.

    For prose.
    """
    return _UNSAFE.sub(_name_unless_joiner, text.replace("\r\n", "\n"))


def one_line(text: str, limit: int = 200) -> str:
    """Return `text` visible, on one line of at most `limit` characters, ending in an ellipsis."""
    head = visible(" ".join(text[: limit * 4].split()))
    return head if len(head) <= limit else head[: limit - 1] + "…"
