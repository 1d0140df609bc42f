"""Searching the web: `web_search`, by whatever engine it is given."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from victor.errors import ToolError
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import Access, ToolEnvironment, ToolOutput
from victor.visible import one_line

MOST_RESULTS = 20
_USUAL_RESULTS = 8
_SNIPPET_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Found:
    """One result of a search."""

    title: str
    url: str
    snippet: str = ""


class ISearcher(Protocol):
    """Searches the web."""

    @property
    def host(self) -> str:
        """The host that is told what is searched for."""
        ...

    async def search(self, query: str, limit: int) -> tuple[Found, ...]:
        """Return at most `limit` results, the best first. Raises `ToolError`."""
        ...


class DuckDuckGo:
    """DuckDuckGo, by the package `ddgs`: no key is needed, and no other engine is asked."""

    host = "html.duckduckgo.com"

    def __init__(self, *, seconds: int = 15) -> None:
        self._seconds = seconds

    async def search(self, query: str, limit: int) -> tuple[Found, ...]:
        """Return at most `limit` results. Raises `ToolError`."""
        return await asyncio.to_thread(self._search, query, limit)

    def _search(self, query: str, limit: int) -> tuple[Found, ...]:
        from ddgs import DDGS
        from ddgs.exceptions import DDGSException

        try:
            rows = DDGS(timeout=self._seconds).text(query, max_results=limit, backend="duckduckgo")
        except DDGSException as error:
            if "no results" in str(error).lower():
                return ()
            raise ToolError(f"{self.host} did not answer: {one_line(str(error))}") from None
        found = (Found(row["title"], row["href"], row.get("body", "")) for row in rows)
        return tuple(found)[:limit]


@dataclass(frozen=True, slots=True)
class WebSearch:
    """Gives titles, addresses and a few words of what an engine finds."""

    engine: ISearcher = field(default_factory=DuckDuckGo)

    bounds: ClassVar[tuple[str, ...]] = (
        f"{MOST_RESULTS} results, and {_SNIPPET_CHARACTERS} characters of each page",
        "one engine, DuckDuckGo, which is told the words",
    )
    refuses: ClassVar[tuple[str, ...]] = ("results that are no web addresses are left out",)
    spec: ClassVar[ToolSpec] = ToolSpec(
        "web_search",
        "Search the public web. Gives titles, addresses and a few words of each page; read one with"
        " web_fetch.",
        {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "Words to search for"},
                "limit": {"type": "integer", "description": "How many results at most"},
            },
            "required": ["query"],
            "additionalProperties": False,
        },
        Effect.READ_ONLY,
    )

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return nothing: no file is changed."""
        return ()

    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        """Return the engine's host, which is told the words."""
        return Access(hosts=(self.engine.host,))

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return what was found. Raises `ToolError`."""
        query = " ".join(str(arguments["query"]).split())
        if not query:
            raise ToolError("query is empty; say what to search for.")
        limit = max(1, min(arguments.get("limit") or _USUAL_RESULTS, MOST_RESULTS))
        found = await self.engine.search(query, limit)
        listed = [_entry(one) for one in found if one.url.startswith(("http://", "https://"))]
        if not listed:
            return ToolOutput(f"Nothing was found for {query!r}.")
        source = f"a search of {self.engine.host}"
        return ToolOutput("\n\n".join(listed), display=f"{len(listed)} results", source=source)


def _entry(found: Found) -> str:
    lines = (one_line(found.title), one_line(found.url, 2_000))
    return "\n".join(filter(None, (*lines, one_line(found.snippet, _SNIPPET_CHARACTERS))))
