from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from victor.errors import ToolError, WorkspaceError
from victor.protocols import ITool, ToolEnvironment, ToolOutput

pytestmark = pytest.mark.anyio

Run = Callable[..., Awaitable[ToolOutput]]


async def test_read_numbers_the_lines_and_says_where_the_end_is(root: Path, run: Run) -> None:
    (root / "a.py").write_text("one\ntwo\n")
    assert (await run("read", path="a.py")).content == (
        "1\tone\n2\ttwo\n[End of a.py. Lines in all: 2.]"
    )


async def test_read_says_how_to_go_on(root: Path, run: Run) -> None:
    (root / "a.py").write_text("".join(f"line {n}\n" for n in range(1, 11)))
    page = (await run("read", path="a.py", offset=3, limit=2)).content
    assert page == (
        "3\tline 3\n4\tline 4\n[There are more lines: go on with offset=5. Lines in all: 10.]"
    )


async def test_read_keeps_below_what_the_model_is_shown(
    root: Path, tools: dict[str, ITool], environment: ToolEnvironment
) -> None:
    (root / "a.txt").write_text("x" * 99 + "\n" + "y" * 99 + "\n" + "z" * 99 + "\n")
    narrow = replace(environment, output_tokens=70)
    page = (await tools["read"].run({"path": "a.txt"}, narrow)).content
    assert "go on with offset=3" in page
    assert len(page) <= 350


async def test_read_shows_at_least_one_line_of_the_page(
    root: Path, tools: dict[str, ITool], environment: ToolEnvironment
) -> None:
    (root / "a.txt").write_text("x" * 500 + "\nnext\n")
    page = await tools["read"].run({"path": "a.txt"}, replace(environment, output_tokens=20))
    assert page.content.startswith("1\txxx")


async def test_read_cuts_a_line_that_is_too_long(root: Path, run: Run) -> None:
    (root / "a.js").write_text("x" * 5_000)
    assert "[... 3,000 more characters]" in (await run("read", path="a.js")).content


async def test_read_beyond_the_end_tells_how_long_the_file_is(root: Path, run: Run) -> None:
    (root / "a").write_text("one\n")
    assert "has only 1 lines" in (await run("read", path="a", offset=9)).content


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is empty"),
        (b"\x7fELF\0\0\0", "not a text file (7 bytes)"),
        (b"\xef\xbb\xbfone\r\ntwo", "1\tone\n2\ttwo\n[End of a. Lines in all: 2.]"),
        ("é".encode("utf-16"), "1\té\n[End of a. Lines in all: 1. Encoding: utf-16-le.]"),
        (b"caf\xe9\n", "1\tcafé\n[End of a. Lines in all: 1. Encoding: cp1252.]"),
        (b"\x81 caf\xe9\n", "Encoding: latin-1.]"),
        ("é".encode() + b" \xe9\n", "1\té ?\n[End of a. Lines in all: 1.]"),
        (b"a\rb\n", "1\ta\rb\n[End of a. Lines in all: 1.]"),
    ],
)
async def test_read_tells_what_kind_of_file_it_is(
    root: Path, run: Run, data: bytes, told: str
) -> None:
    (root / "a").write_bytes(data)
    assert told in (await run("read", path="a")).content


async def test_read_does_not_count_the_lines_of_a_huge_file(
    root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("victor.tools.document.EDITABLE_BYTES", 3)
    (root / "a").write_text("one\ntwo\n")
    assert (await run("read", path="a", limit=1)).content.endswith("offset=2.]")


async def test_read_refuses_a_limit_of_nothing(root: Path, run: Run) -> None:
    (root / "a").write_text("x")
    with pytest.raises(ToolError, match="at least 1"):
        await run("read", path="a", limit=-1)


async def test_read_of_a_secret_through_a_link_is_refused(
    root: Path, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "key").write_text("hunter2")
    (root / "notes").symlink_to(tmp_path / "key")
    with pytest.raises(WorkspaceError) as refusal:
        await run("read", path="notes")
    assert "hunter2" not in str(refusal.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_read_of_a_file_without_permission_is_told(root: Path, run: Run) -> None:
    (root / "a").write_text("x")
    (root / "a").chmod(0)
    with pytest.raises(WorkspaceError, match="cannot be read"):
        await run("read", path="a")
