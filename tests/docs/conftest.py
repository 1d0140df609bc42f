"""The pages, what is in them, and somebody who runs their blocks."""

from __future__ import annotations

import asyncio
import inspect
import re
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = tuple(sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")]))

_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the page's blocks in one of the languages, in order."""
    return [body for kind, body in _BLOCK.findall(text_of(page)) if kind in languages]


def languages(page: Path) -> set[str]:
    return {kind for kind, _ in _BLOCK.findall(text_of(page))}


def prose(page: Path) -> str:
    """Return the page without its blocks."""
    return _BLOCK.sub("", text_of(page))


def anchors(page: Path) -> set[str]:
    """Return what the page's headings are linked by."""
    return {_slug(heading) for heading in _HEADING.findall(prose(page))}


def _slug(heading: str) -> str:
    plain = re.sub(r"[^\w\- ]", "", heading.lower())
    return plain.strip().replace(" ", "-")


def links(page: Path) -> list[str]:
    return _LINK.findall(prose(page))


class Program:
    """One program in one event loop, that blocks are pasted into one after the other."""

    def __init__(self, source: str) -> None:
        self.names: dict[str, Any] = {"__name__": "page"}
        self._source = source
        self._runner = asyncio.Runner()

    def run(self, block: str) -> None:
        flags = PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(block, self._source, "exec", flags=flags, dont_inherit=True)
        if code.co_flags & inspect.CO_COROUTINE:
            self._runner.run(self._awaited(code))
        else:
            exec(code, self.names)

    async def _awaited(self, code: Any) -> None:
        await eval(code, self.names)

    def close(self) -> None:
        self._runner.close()
