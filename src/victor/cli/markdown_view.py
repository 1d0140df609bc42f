"""How an answer's Markdown looks on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown
from rich.segment import Segment
from rich.syntax import Syntax


class _PlainHeading(Heading):
    LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = dict.fromkeys(
        ("h1", "h2", "h3", "h4", "h5", "h6"), "left"
    )


class _PlainCode(CodeBlock):
    """Code in the terminal's own colours, without a box: it is copied as it stands."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Syntax(
            str(self.text).rstrip(),
            self.lexer_name,
            theme="ansi_dark",
            background_color="default",
            word_wrap=True,
            padding=(0, 2),
        )


class AnswerMarkdown(Markdown):
    """Markdown as Victor shows it. Links show where they lead instead of hiding it."""

    elements: ClassVar = {
        **Markdown.elements,
        "heading_open": _PlainHeading,
        "fence": _PlainCode,
        "code_block": _PlainCode,
    }

    def __init__(self, markup: str) -> None:
        super().__init__(markup, hyperlinks=False)


def rendered_lines(console: Console, markup: str) -> list[list[Segment]]:
    """Return `markup` as lines that fit the console, without blanks at the ends of lines."""
    options = console.options.update(height=None)
    lines = console.render_lines(AnswerMarkdown(markup), options, pad=False)
    stripped = [list(_without_trailing_blanks(line)) for line in lines]
    while stripped and not stripped[-1]:
        stripped.pop()
    while stripped and not stripped[0]:
        stripped.pop(0)
    return stripped


def _without_trailing_blanks(line: list[Segment]) -> Iterator[Segment]:
    end = len(line)
    while end and not line[end - 1].text.strip():
        end -= 1
    yield from line[: max(end - 1, 0)]
    if end:
        last = line[end - 1]
        yield Segment(last.text.rstrip(), last.style)
