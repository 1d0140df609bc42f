"""Markdown that is still arriving, cut into what is final and what may change."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_GROWING = frozenset({"fence", "code_block", "bullet_list_open", "ordered_list_open", "html_block"})


class MarkdownStream:
    """Collects text and gives out its top-level blocks once nothing can change them any more.

    A block is final when another block has begun after it: what follows can still turn a paragraph
    into a heading or a table, or carry on a list.
    """

    def __init__(self) -> None:
        self._tail = ""
        self._enough = 0
        """Length of the tail that is worth another look."""
        self._parser: MarkdownIt | None = None

    @property
    def tail(self) -> str:
        """The last block, which may still change."""
        return self._tail

    def feed(self, text: str) -> tuple[str, ...]:
        """Add `text` and return the blocks that became final, oldest first."""
        self._tail += text
        if "\n" not in text or len(self._tail) < self._enough:
            return ()
        # Each look reads the whole tail; this keeps the cost of long blocks from being quadratic.
        self._enough = len(self._tail) * 9 // 8
        # A line that has not ended may still become anything.
        starts = [line for line, _ in self._blocks(self._tail[: self._tail.rindex("\n") + 1])]
        if len(starts) < 2:
            return ()
        lines = self._tail.splitlines(keepends=True)
        cuts = [0, *starts[1:]]
        blocks = tuple("".join(lines[begin:end]) for begin, end in pairwise(cuts))
        self._tail = "".join(lines[cuts[-1] :])
        self._enough = 0
        return blocks

    def finish(self) -> str:
        """Return what is left and start over."""
        left, self._tail, self._enough = self._tail, "", 0
        return left

    def grows_only(self) -> bool:
        """Return whether what `tail` shows at its beginning stays as more text arrives.

        True of code and lists; not of paragraphs and tables, whose looks depend on their end.
        """
        blocks = self._blocks(self._tail)
        return bool(blocks) and blocks[-1][1] in _GROWING

    def _blocks(self, text: str) -> list[tuple[int, str]]:
        """Return the first line and the kind of each top-level block of `text`."""
        if self._parser is None:
            from markdown_it import MarkdownIt

            # Inline syntax costs most of the parsing and decides nothing here.
            self._parser = MarkdownIt().enable("table").disable("inline")
        return [
            (token.map[0], token.type)
            for token in self._parser.parse(text)
            if token.level == 0 and token.map is not None
        ]
