"""`web_search`, by an engine of the test's own and by what `ddgs` gives."""

from __future__ import annotations

from typing import Any

import pytest

from victor.errors import ToolError
from victor.protocols import Access, ToolEnvironment
from victor.tools.web import web_tools
from victor.tools.web_search import DuckDuckGo, Found, WebSearch

pytest.importorskip("ddgs", reason="pip install 'victor-ai[web]'")
pytest.importorskip("markdownify", reason="pip install 'victor-ai[web]'")
pytestmark = pytest.mark.anyio


class Engine:
    host = "search.example"

    def __init__(self, *found: Found) -> None:
        self.found = found
        self.asked: list[tuple[str, int]] = []

    async def search(self, query: str, limit: int) -> tuple[Found, ...]:
        self.asked.append((query, limit))
        return self.found[:limit]


async def test_results_are_foreign_words_with_an_address_each(
    environment: ToolEnvironment,
) -> None:
    engine = Engine(
        Found("A title\nof \x1b[31mtwo lines", "https://a.example/", "words " * 200),
        Found("Script", "javascript:run()"),
        Found("B", "http://b.example/"),
    )
    output = await WebSearch(engine).run({"query": "  two\n words "}, environment)
    first, second = output.content.split("\n\n")
    assert first.startswith("A title of ␛[31mtwo lines\nhttps://a.example/\nwords words")
    assert len(first) < 500
    assert second == "B\nhttp://b.example/"
    assert output.source == "a search of search.example"
    assert engine.asked == [("two words", 8)]


@pytest.mark.parametrize(("asked", "limit"), [(0, 8), (-3, 1), (3, 3), (1_000, 20)])
async def test_the_number_of_results_is_bounded(
    environment: ToolEnvironment, asked: int, limit: int
) -> None:
    engine = Engine()
    output = await WebSearch(engine).run({"query": "a", "limit": asked}, environment)
    assert engine.asked == [("a", limit)]
    assert output.content == "Nothing was found for 'a'."


async def test_an_empty_query_is_refused(environment: ToolEnvironment) -> None:
    with pytest.raises(ToolError, match="query is empty"):
        await WebSearch(Engine()).run({"query": " \n"}, environment)


def test_rules_see_the_engine_that_is_told_the_words(environment: ToolEnvironment) -> None:
    tool = WebSearch()
    assert tool.access({"query": "a"}, environment) == Access(hosts=("html.duckduckgo.com",))
    assert tool.paths({"query": "a"}, environment) == ()


async def test_duckduckgo_alone_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from ddgs.ddgs import DDGS
    from ddgs.exceptions import DDGSException

    answers: list[Any] = [
        [{"title": "T", "href": "https://a.example/", "body": "B"}] * 3,
        DDGSException("No results found."),
        DDGSException("broken\nfor good"),
    ]
    asked: list[tuple[str, dict[str, Any]]] = []

    def text(self: object, query: str, **options: Any) -> Any:
        asked.append((query, options))
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(DDGS, "text", text, raising=False)
    engine = DuckDuckGo(seconds=1)
    assert await engine.search("a", 2) == (Found("T", "https://a.example/", "B"),) * 2
    assert await engine.search("a", 2) == ()
    with pytest.raises(ToolError, match=r"html\.duckduckgo\.com did not answer: broken for good"):
        await engine.search("a", 2)
    assert asked == [("a", {"max_results": 2, "backend": "duckduckgo"})] * 3


def test_only_duckduckgos_own_host_is_known_to_its_engine() -> None:
    from ddgs.engines import ENGINES

    assert ENGINES["text"]["duckduckgo"].search_url == f"https://{DuckDuckGo.host}/html/"


def test_the_tools_of_the_web_are_offered_where_their_libraries_are() -> None:
    assert [tool.spec.name for tool in web_tools()] == ["web_fetch", "web_search"]
