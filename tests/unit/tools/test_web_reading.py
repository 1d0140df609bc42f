"""Pages that are built to keep the reader busy."""

from __future__ import annotations

import asyncio
import time

import pytest

from victor.errors import ToolError
from victor.tools.web_reading import SMALL_BYTES, read_page

pytest.importorskip("markdownify", reason="pip install 'victor-ai[web]'")
pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NAME = "https://site.example/"
LARGE = b"<p>" + b"word " * SMALL_BYTES


async def test_a_large_page_is_read_as_a_small_one_is() -> None:
    assert await read_page(b"<p>word", "text/html", NAME, 20) == "word"
    assert (await read_page(LARGE, "text/html", NAME, 20)).split() == ["word"] * SMALL_BYTES
    text = "é\n".encode() * SMALL_BYTES
    assert await read_page(text, "text/plain", NAME, 20) == text.decode()


@pytest.mark.parametrize("size", [10, 2 * SMALL_BYTES])
async def test_what_is_no_text_is_refused(size: int) -> None:
    with pytest.raises(ToolError, match="'image/png', which cannot be shown"):
        await read_page(b"x" * size, "image/png", NAME, 20)


@pytest.mark.parametrize("piece", [b"<!--", b"<?x", b"</a ", b"<br>"])
async def test_a_page_that_takes_too_long_is_given_up(piece: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(ToolError, match="takes longer than 1 s to be read"):
        await read_page(piece * (2_000_000 // len(piece)), "text/html", NAME, 1)
    assert time.monotonic() - started < 8


async def test_one_that_nobody_waits_for_ends() -> None:
    reading = asyncio.create_task(read_page(b"<!--" * 500_000, "text/html", NAME, 60))
    await asyncio.wait((reading,), timeout=0.5)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(reading, 5)


async def test_one_that_breaks_the_reader_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(ToolError, match="built so that it cannot be read"):
        await read_page(LARGE, "text/html", NAME, 20)
