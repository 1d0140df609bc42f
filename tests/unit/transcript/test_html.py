"""The page of a session: whole, and nothing in it is obeyed."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from victor.messages import Image, ToolCall, ToolResult, assistant, user
from victor.protocols import Record, SessionInfo
from victor.transcript import as_html, as_markdown
from victor.transcript.rendered import prose

VOID = {"meta", "img", "br", "hr"}
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "footer", "header", "section"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "div", "span", "strong", "em", "s", "hr", "br"),
    *("dl", "dt", "dd", "ol", "ul", "li", "a", "details", "summary", "pre", "code", "ins", "del"),
    *("blockquote", "table", "thead", "tbody", "tr", "th", "td", "img"),
}


class Page(HTMLParser):
    """Reads a page, and holds it to what it may have."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text.append(data)


def test_the_page_says_all_that_was_said(info: SessionInfo, records: tuple[Record, ...]) -> None:
    page = Page(as_html(info, records))
    assert page.open == []
    text = " ".join("".join(page.text).split())
    for said in (
        "Why does test_totals fail?",
        "1,200 in, 34 out",
        "$0.0125",
        "75 s",
        "4f2a after turn 3",
        "Please fix it.",
        "Mode: plan.",
        "I look first.",
        "src/totals.py",
        "-a = 1+a = 2",
        "No such text.",
        "plan.pdf",
        "A picture (image/svg+xml).",
        "of a workflow",
        "compacted to 1 message",
        '{"path": ',
        "Failed: It broke.",
    ):
        assert " ".join(said.split()) in text
    assert ("img", "src", "data:image/png;base64,cG5n") in page.attributes


def test_nothing_in_it_leads_out_or_runs(info: SessionInfo, records: tuple[Record, ...]) -> None:
    page = Page(as_html(replace(info, title=f"<b>{info.title}"), records))
    for tag, name, value in page.attributes:
        assert not name.startswith("on")
        assert name not in {"srcset", "action", "formaction", "poster", "style"}
        if name == "href":
            assert value.startswith("#turn-"), tag
        if name == "src":
            assert value.startswith("data:image/")
    assert "<b>Why" in "".join(page.text)


def test_what_cannot_be_seen_is_spelled_out(info: SessionInfo, records: tuple[Record, ...]) -> None:
    page = as_html(replace(info, title="a\u202eb"), records)
    for odd in "\u202e\u202c\u200b\x1b":
        assert odd not in page
    assert '<span class="odd">U+202E</span>gnp.exe' in page
    assert "␛[31mred" in page


def test_a_session_without_turns_is_a_page(info: SessionInfo) -> None:
    page = Page(as_html(replace(info, title="", tags=(), parent=""), ()))
    text = "".join(page.text)
    assert "Session 5e55" in text
    assert "Forked from" not in text


def test_a_call_without_a_result_and_a_record_that_breaks_off_are_told(info: SessionInfo) -> None:
    call = ToolCall("c", "read", {"path": "a", "n": 3})
    records = (
        Record("user", "s-1", user("a")),
        Record("reply", "s-1", assistant("", call), calls=(call,)),
    )
    text = "".join(Page(as_html(info, records)).text)
    assert "no result" in text
    assert "The record breaks off here." in text
    cancelled = (*records, Record("cancelled", "s-1", data={}))
    assert "Cancelled." in "".join(Page(as_html(info, cancelled)).text)


def test_a_picture_that_a_tool_gave_is_shown(info: SessionInfo) -> None:
    call = ToolCall("c", "read", {"path": "a.png"})
    given = (Image(b"png", "image/png"), Image(b"<svg>", "image/svg+xml"))
    records = (
        Record("user", "s-1", user("a")),
        Record("reply", "s-1", assistant("", call), calls=(call,)),
        Record("result", "s-1", result=ToolResult("c", "A picture.", images=given)),
    )
    page = Page(as_html(info, records))
    assert ("img", "src", "data:image/png;base64,cG5n") in page.attributes
    assert "A picture (image/svg+xml)." in "".join(page.text)
    assert as_markdown(info, records).count("*(a picture, image/") == 2


def test_a_long_change_is_compared_line_by_line_and_quickly(info: SessionInfo) -> None:
    old = "\n".join(f"line {number}" for number in range(3000))
    call = ToolCall("c", "edit", {"old": old, "new": old.replace("line 7\n", "line seven\n")})
    same = ToolCall("d", "edit", {"old": "same", "new": "same"})
    records = (
        Record("user", "s-1", user("a")),
        Record("reply", "s-1", assistant("", call, same), calls=(call, same)),
        Record("result", "s-1", result=ToolResult("c", "ok")),
    )
    page = as_html(info, records)
    assert "<del>-line 7</del><ins>+line seven</ins>" in page
    assert "<h3>Change</h3><pre>same</pre>" in page


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("**a** `b`", "<p><strong>a</strong> <code>b</code></p>\n"),
        ("# a", "<h4>a</h4>"),
        ("###### a", "<h6>a</h6>"),
        (
            "[a](http://b/?x=1&y=2)",
            '<p><span class="link">a</span> <span class="address">(http://b/?x=1&amp;y=2)</span></p>\n',
        ),
        ("<http://b/>", '<p><span class="link">http://b/</span></p>\n'),
        ("[a](javascript:b)", "<p>[a](javascript:b)</p>\n"),
        (
            "![a](http://b)",
            '<p><span class="link">a</span> <span class="address">(http://b)</span></p>\n',
        ),
        ("<b>a</b>", "<p>&lt;b&gt;a&lt;/b&gt;</p>\n"),
        ('```js" onload=x\na\n```', '<pre><code class="language-js&quot;">a\n</code></pre>\n'),
        ("~~a~~", "<p><s>a</s></p>\n"),
        ("a\u202eb", '<p>a<span class="odd">U+202E</span>b</p>\n'),
    ],
)
def test_markdown_becomes_html_that_only_says_things(markdown: str, html: str) -> None:
    assert prose(markdown) == html


def test_a_table_scrolls_by_itself() -> None:
    assert prose("|a|\n|-|\n|b|").startswith('<div class="wide"><table>')
    assert prose("|a|\n|-|\n|b|").endswith("</table></div>")


def test_a_turn_that_was_taken_back_is_marked(info: SessionInfo) -> None:
    records = (
        Record("user", "s-1", user("a")),
        Record("rewound", "", data={"to": "s-1"}),
        Record("user", "s-2", user("b")),
    )
    assert "".join(Page(as_html(info, records)).text).count("was taken back") == 1
    assert as_markdown(info, records).count("was taken back") == 1
