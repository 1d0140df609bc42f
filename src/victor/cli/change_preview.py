"""What replacing a file would change in it, to be shown before that is allowed."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from victor.beneath import read_beneath
from victor.messages import ToolCall
from victor.visible import visible

if TYPE_CHECKING:
    from rich.text import Text

_MOST_BYTES = 200_000
_WRITES = {"path", "content"}
_STYLES = {"@": "cyan", "+": "green", "-": "red"}


def change_lines(call: ToolCall, folder: Path) -> list[Text]:
    """Return the difference that a `write` makes to a file in the folder, nothing hidden in it.

    Empty where there is no such file yet, where it is no text, or where the call is another one:
    then its arguments tell what it does.
    """
    path, content = call.arguments.get("path"), call.arguments.get("content")
    if call.name != "write" or set(call.arguments) != _WRITES or call.invalid:
        return []
    if not isinstance(path, str) or not isinstance(content, str):
        return []
    before = _text(folder, path)
    if before is None:
        return []
    if "\r" not in content:
        before = before.replace("\r\n", "\n")  # The tool keeps them as they are.
    # What is made visible first cannot be lost where lines are told apart.
    old, new = visible(before).split("\n"), visible(content).split("\n")
    diff = list(difflib.unified_diff(old, new, lineterm=""))[2:]
    return [_line(f"path: {visible(path)}"), *map(_line, diff or ["It would stay as it is."])]


def _line(text: str) -> Text:
    from rich.text import Text

    return Text(f"    {text}", style=_STYLES.get(text[:1], ""))


def _text(folder: Path, path: str) -> str | None:
    """Return what the file holds; None where that cannot be told without leaving the folder."""
    file = folder / path
    if ".." in file.parts:
        return None
    try:
        data = read_beneath(folder, file, _MOST_BYTES + 1)
        return None if data is None or len(data) > _MOST_BYTES else data.decode()
    except (OSError, ValueError):
        return None
