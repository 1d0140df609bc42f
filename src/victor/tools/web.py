"""The tools that look at the web, where the extra `web` is installed."""

from __future__ import annotations

from importlib.util import find_spec

from victor.protocols import ITool
from victor.tools.web_fetch import WebFetch
from victor.tools.web_search import WebSearch


def web_tools() -> tuple[ITool, ...]:
    """Return those tools whose libraries are installed: `pip install "victor-ai[web]"`."""
    tools: list[ITool] = []
    if find_spec("markdownify") is not None:
        tools.append(WebFetch())
    if find_spec("ddgs") is not None:
        tools.append(WebSearch())
    return tuple(tools)
