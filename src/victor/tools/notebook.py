"""Notebooks as lines to read: each cell with what it printed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from victor.errors import ToolError

OUTPUT_LINES = 20
"""Of each output; what is longer is cut."""
_LINE_CHARACTERS = 500


def lines(text: str, name: str) -> Iterator[str]:
    """Yield the cells of a notebook in lines. Raises `ToolError` where it is none."""
    try:
        content = json.loads(text)
        cells = content["cells"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ToolError(f"{name} is no valid notebook. Read it with raw set to true.") from error
    for number, cell in enumerate(cells if isinstance(cells, list) else (), 1):
        if not isinstance(cell, Mapping):
            continue
        yield f"[cell {number}, {cell.get('cell_type', 'unknown')}]"
        yield from _joined(cell.get("source")).splitlines()
        outputs = cell.get("outputs")
        for output in outputs if isinstance(outputs, list) else ():
            if isinstance(output, Mapping):
                yield from _output(output)


def _output(output: Mapping[str, Any]) -> Iterator[str]:
    data = output.get("data")
    kinds: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    text = _joined(output.get("text")) or _joined(kinds.get("text/plain"))
    if output.get("output_type") == "error":
        text = f"{output.get('ename', '')}: {output.get('evalue', '')}"
    printed = text.splitlines()
    others = [kind for kind in kinds if kind not in ("text/plain", "text/html")]
    if printed or others:
        yield "[output]"
    for line in printed[:OUTPUT_LINES]:
        yield line[:_LINE_CHARACTERS]
    if len(printed) > OUTPUT_LINES:
        yield f"[... {len(printed) - OUTPUT_LINES} more lines of output]"
    for kind in others:
        yield f"[{kind}, not shown]"


def _joined(source: Any) -> str:
    """Return a text that a notebook has whole or in lines."""
    if isinstance(source, list):
        return "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else ""
