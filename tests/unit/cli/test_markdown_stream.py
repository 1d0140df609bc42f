from __future__ import annotations

import random

import pytest

from victor.cli.markdown_stream import MarkdownStream

DOCUMENT = """# Title

First paragraph
over two lines.

- one
- two

  still two
- three

| a | b |
|---|---|
| 1 | 2 |

```python
def f():

    return "```"
```

1. first
2. second

> quoted

last words
"""


def fed(pieces: list[str]) -> tuple[list[str], str]:
    stream = MarkdownStream()
    done = [block for piece in pieces for block in stream.feed(piece)]
    return done, stream.finish()


def test_a_block_is_given_out_once_another_has_begun() -> None:
    stream = MarkdownStream()
    assert stream.feed("Hello\n\n") == ()
    assert stream.feed("wor") == ()
    assert stream.feed("ld\n") == ("Hello\n\n",)
    assert stream.tail == "world\n"


@pytest.mark.parametrize("seed", range(20))
def test_however_the_text_is_cut_nothing_is_lost_and_the_blocks_are_the_same(seed: int) -> None:
    chance = random.Random(seed)
    pieces, rest = [], DOCUMENT
    while rest:
        size = chance.randint(1, 15)
        pieces.append(rest[:size])
        rest = rest[size:]
    done, left = fed(pieces)
    assert "".join(done) + left == DOCUMENT
    assert [block.split()[0] for block in done] == ["#", "First", "-", "|", "```python", "1.", ">"]
    assert left == "last words\n"


def test_what_could_become_a_heading_is_not_final() -> None:
    stream = MarkdownStream()
    stream.feed("Title\n")
    assert stream.feed("===\n") == ()
    assert stream.feed("\nText\n") == ("Title\n===\n\n",)


def test_code_and_lists_only_grow_while_tables_and_paragraphs_change() -> None:
    for text, grows in [
        ("```\nx\n", True),
        ("- a\n- b\n", True),
        ("| a |\n|---|\n| 1 |\n", False),
        ("words\n", False),
        ("", False),
    ]:
        stream = MarkdownStream()
        stream.feed(text)
        assert stream.grows_only() is grows
