"""Web pages as text that a model can read: what a person would see of them."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from victor.errors import ToolError

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

HTML = frozenset({"text/html", "application/xhtml+xml"})
_PLAIN = re.compile(
    r"text/[\w.+-]+|application/(?:[\w.+-]+\+)?(?:json|xml|yaml|toml|javascript|x-ndjson|x-yaml)"
    r"|application/(?:x-)?(?:sh|sql|ecmascript|rss|atom)"
)
# fmt: off
_UNSEEN_TAGS = frozenset({
    "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "embed",
    "canvas", "audio", "video", "title", "link", "meta", "input", "button", "select", "textarea",
    "dialog",
})
# fmt: on
_UNSEEN_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0(?:\.0+)?\s*(?:;|$)"
    r"|font-size\s*:\s*0|(?:left|top|text-indent)\s*:\s*-\d{3,}",
    re.IGNORECASE,
)
_UNSEEN_CHARACTERS = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_DEEPEST = 150
"""Elements within elements; what is deeper is given as plain text."""


def page_text(data: bytes, content_type: str, name: str) -> str:
    """Return the page as Markdown, or what is text already as it is; `name` is its address.

    Raises `ToolError` for what is neither.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in HTML or (not kind and data.lstrip()[:1] == b"<"):
        return _markdown(_decoded(data, content_type, is_html=True), name)
    if kind and not _PLAIN.fullmatch(kind):
        raise ToolError(f"{name} is {kind[:80]!r}, which cannot be shown as text.")
    if not kind and b"\0" in data[:8_192]:
        raise ToolError(f"{name} does not say what it is, and is no text.")
    return _seen(_decoded(data, content_type))


def _decoded(data: bytes, content_type: str, *, is_html: bool = False) -> str:
    """Return the text, by its mark, by what the server says, or by what the page says of itself."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "")
    said = _CHARSET.search(content_type)
    if not encoding and said:
        encoding = said[1]
    if not encoding and is_html:
        declared = _CHARSET.search(data[:2_048].decode("latin-1"))
        encoding = declared[1] if declared else ""
    try:
        codec = codecs.lookup(encoding or "utf-8")
    except LookupError:
        codec = codecs.lookup("utf-8")
    # Names such as `zip` and `rot13` are known to Python, too, and are no encodings of texts.
    known = codec.name if codec._is_text_encoding else "utf-8"  # noqa: SLF001  # no other way to ask
    # What the web calls Latin-1 is Windows' larger set.
    return data.decode("cp1252" if known in ("iso8859-1", "ascii") else known, "replace")


def _markdown(html: str, address: str) -> str:
    from bs4 import BeautifulSoup, Comment
    from markdownify import MarkdownConverter

    page = BeautifulSoup(html, "html.parser")
    title = " ".join(page.title.get_text().split()) if page.title else ""
    for comment in page.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    for element in page.find_all(_unseen):
        element.decompose()
    for link in page.find_all("a", href=True):
        leads_to = _joined(address, str(link["href"]).strip())
        link["href"] = leads_to
        if not leads_to.startswith(("http:", "https:", "mailto:")):
            link.unwrap()
    _flatten(page)
    converter = MarkdownConverter(
        heading_style="ATX", bullets="-", strip=["img"], escape_underscores=False, escape_misc=False
    )
    text = _seen(converter.convert_soup(page)).strip()
    return f"# {_seen(title)}\n\n{text}" if title and not text.startswith(f"# {title}") else text


def _joined(address: str, link: str) -> str:
    try:
        return urljoin(address, link)
    except ValueError:  # No address, whatever it is.
        return ""


def _unseen(element: Tag) -> bool:
    attributes = element.attrs or {}
    return (
        element.name in _UNSEEN_TAGS
        or "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or _UNSEEN_STYLE.search(str(attributes.get("style") or "")) is not None
    )


def _flatten(page: BeautifulSoup) -> None:
    """Make text of what lies so deep that following it would take too many calls."""
    deep = [(page.contents, 0)]
    while deep:
        contents, depth = deep.pop()
        for child in tuple(contents):
            inner = getattr(child, "contents", None)
            if inner is None:
                continue
            if depth >= _DEEPEST:
                plain = " ".join(child.get_text(" ").split())
                child.replace_with(plain)
            else:
                deep.append((inner, depth + 1))


def _seen(text: str) -> str:
    """Return the text without what no person sees, and without gaps."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _BLANK_LINES.sub("\n\n", _UNSEEN_CHARACTERS.sub("", text))
