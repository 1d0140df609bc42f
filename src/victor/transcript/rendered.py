"""Markdown of a model as HTML that loads nothing, runs nothing and leads nowhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from victor.visible import readable

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token

_SPELLED = re.compile(r"&lt;(U\+[0-9A-F]{4,6})&gt;")
_LOWEST_HEADING = 6
_SHIFT = 3
"""The page has headings of its own above those of a message."""


def prose(text: str) -> str:
    """Return the Markdown as HTML. Raw HTML in it is shown, and so is where a link leads."""
    return marked(_parser().render(readable(text)))


def marked(html: str) -> str:
    """Return escaped HTML with the characters that `victor.visible` spells out set apart."""
    return _SPELLED.sub(r'<span class="odd">\1</span>', html)


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.add_render_rule("link_open", _link_open)
    parser.add_render_rule("link_close", _link_close)
    parser.add_render_rule("image", _image)
    parser.add_render_rule("heading_open", _heading)
    parser.add_render_rule("heading_close", _heading)
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    return parser


Tokens = Sequence["Token"]


def _link_open(this: RendererHTML, tokens: Tokens, index: int, options: Any, env: Any) -> str:
    return '<span class="link">'


def _link_close(this: RendererHTML, tokens: Tokens, index: int, options: Any, env: Any) -> str:
    opening = next(token for token in reversed(tokens[:index]) if token.type == "link_open")
    said = "".join(token.content for token in tokens[tokens.index(opening) : index])
    address = str(opening.attrs.get("href", ""))
    told = "" if said == address else f' <span class="address">({escape(address)})</span>'
    return f"</span>{told}"


def _image(this: RendererHTML, tokens: Tokens, index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    address = escape(str(token.attrs.get("src", "")))
    said = escape(token.content or "picture")
    return f'<span class="link">{said}</span> <span class="address">({address})</span>'


def _heading(this: RendererHTML, tokens: Tokens, index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    level = min(int(token.tag[1:]) + _SHIFT, _LOWEST_HEADING)
    return f"<{'/' if token.nesting < 0 else ''}h{level}>"


def _table_open(this: RendererHTML, tokens: Tokens, index: int, options: Any, env: Any) -> str:
    return '<div class="wide"><table>'


def _table_close(this: RendererHTML, tokens: Tokens, index: int, options: Any, env: Any) -> str:
    return "</table></div>"
