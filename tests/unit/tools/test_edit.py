from __future__ import annotations

import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from victor.errors import ToolError, WorkspaceError
from victor.protocols import ToolOutput

pytestmark = pytest.mark.anyio

Run = Callable[..., Awaitable[ToolOutput]]


async def test_an_edit_replaces_one_exact_text(root: Path, change: Run) -> None:
    (root / "a.py").write_text("def f():\n    return 1\n")
    output = await change("edit", path="a.py", old="return 1", new="return 2")
    assert (root / "a.py").read_text() == "def f():\n    return 2\n"
    assert output.content == "Changed a.py at line 2."
    assert "-    return 1\n+    return 2" in output.display


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        (b"a\r\nb\r\nc\r\n", "a\nb", "x\ny", b"x\r\ny\r\nc\r\n"),
        (b"a\r\nb\r\n", "a\r\nb", "x\r\ny", b"x\r\ny\r\n"),
        (b"a\r\nb\r\n", "b", "b\nc", b"a\r\nb\r\nc\r\n"),
        (b"a\nb\n", "a\r\nb", "x", b"x\n"),
        (b"a\nb\r\nc\r\n", "a\nb", "x\ny", b"x\ny\r\nc\r\n"),
        (b"a\nb", "b", "c", b"a\nc"),
        (b"a\nb", "a\n", "", b"b"),
        (b"\xef\xbb\xbfa\n", "a", "b", b"\xef\xbb\xbfb\n"),
        (b"\xef\xbb\xbfa\r\nb", "a\nb", "c\nd", b"\xef\xbb\xbfc\r\nd"),
        (b"caf\xe9 a\n", "a\n", "b\n", b"caf\xe9 b\n"),
        ("\ufeffé=1\n".encode("utf-16-le"), "é=1", "é=2", "\ufeffé=2\n".encode("utf-16-le")),
        (b"a\\1.*\n", "a\\1.*", "\\g<0>", b"\\g<0>\n"),
        (b"tab\there\n", "tab\there", "x", b"x\n"),
        (b"\n\n\n", "\n\n\n", "x", b"x"),
    ],
)
async def test_line_ends_marks_and_foreign_bytes_are_kept(
    root: Path, change: Run, before: bytes, old: str, new: str, after: bytes
) -> None:
    (root / "a").write_bytes(before)
    await change("edit", path="a", old=old, new=new)
    assert (root / "a").read_bytes() == after


async def test_permissions_are_kept(root: Path, change: Run) -> None:
    (root / "a").write_text("x")
    (root / "a").chmod(0o755)
    await change("edit", path="a", old="x", new="y")
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o755


async def test_a_text_that_stands_several_times_is_told_with_its_lines(
    root: Path, change: Run
) -> None:
    (root / "a").write_text("x = 1\ny = 2\nx = 1\n")
    with pytest.raises(ToolError, match=r"2 times in a, at lines 1, 3; nothing was changed"):
        await change("edit", path="a", old="x = 1", new="z")
    assert (root / "a").read_text() == "x = 1\ny = 2\nx = 1\n"


async def test_overlapping_occurrences_are_several(root: Path, change: Run) -> None:
    (root / "a").write_text("aaa")
    with pytest.raises(ToolError, match="2 times"):
        await change("edit", path="a", old="aa", new="b")


async def test_the_list_of_occurrences_is_cut(root: Path, change: Run) -> None:
    (root / "a").write_text("x\n" * 30)
    with pytest.raises(ToolError, match=r"at lines 1, 2, .*10 and more"):
        await change("edit", path="a", old="x", new="y")


async def test_all_occurrences_are_replaced_where_that_is_asked_for(
    root: Path, change: Run
) -> None:
    (root / "a").write_text("x x\nx\naaa")
    output = await change("edit", path="a", old="x", new="y", all=True)
    assert output.content == "Changed a at lines 1, 2."
    assert (root / "a").read_text() == "y y\ny\naaa"


async def test_all_of_what_overlaps_itself_is_refused(root: Path, change: Run) -> None:
    (root / "a").write_text("aaa aa")
    with pytest.raises(ToolError, match="overlap, so it is not certain"):
        await change("edit", path="a", old="aa", new="b", all=True)
    assert (root / "a").read_text() == "aaa aa"


async def test_a_text_that_is_not_there_is_answered_with_the_nearest_lines(
    root: Path, change: Run
) -> None:
    (root / "a").write_text("import os\n\n\ndef total(values):\n    return sum(values)\n")
    with pytest.raises(ToolError) as refusal:
        await change("edit", path="a", old="def total(value):\n    return sum(value)", new="x")
    assert "nothing was changed" in str(refusal.value)
    assert "4\tdef total(values):\n5\t    return sum(values)" in str(refusal.value)


async def test_other_white_space_is_named_as_the_cause(root: Path, change: Run) -> None:
    (root / "a").write_text("def f():\n\treturn  1\n")
    with pytest.raises(ToolError, match="The same words stand at line 1 with other white space"):
        await change("edit", path="a", old="def f():\n    return  1\n", new="x")


async def test_line_numbers_that_were_copied_along_are_named_as_the_cause(
    root: Path, change: Run
) -> None:
    (root / "a").write_text("one\ntwo\n")
    with pytest.raises(ToolError, match="line numbers"):
        await change("edit", path="a", old="1\tone\n2\ttwo", new="x")


async def test_nothing_similar_is_said_so(root: Path, change: Run) -> None:
    (root / "a").write_text("one\ntwo\n")
    with pytest.raises(ToolError, match="Nothing in it is similar"):
        await change("edit", path="a", old="completely different words", new="x")


async def test_white_space_alone_that_is_not_there_is_said_so(root: Path, change: Run) -> None:
    (root / "a").write_text("one\n")
    with pytest.raises(ToolError, match="only white space"):
        await change("edit", path="a", old="\n\n  \n", new="x")


@pytest.mark.parametrize(
    ("old", "new", "cause"), [("", "x", "old is empty"), ("x", "x", "are the same")]
)
async def test_an_edit_that_means_nothing_is_refused(
    root: Path, change: Run, old: str, new: str, cause: str
) -> None:
    (root / "a").write_text("x")
    with pytest.raises(ToolError, match=cause):
        await change("edit", path="a", old=old, new=new)


@pytest.mark.parametrize(
    ("data", "cause"),
    [(b"a\0b", "not a text file"), (b"\xff\xfea", "not valid utf-16")],
)
async def test_what_is_no_text_is_not_edited(
    root: Path, change: Run, data: bytes, cause: str
) -> None:
    (root / "a").write_bytes(data)
    with pytest.raises(WorkspaceError, match=cause):
        await change("edit", path="a", old="a", new="b")
    assert (root / "a").read_bytes() == data


async def test_a_file_that_is_too_large_is_not_edited(
    root: Path, change: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("victor.tools.document.EDITABLE_BYTES", 3)
    (root / "a").write_text("abcd")
    with pytest.raises(WorkspaceError, match="too large"):
        await change("edit", path="a", old="a", new="b")


async def test_a_file_outside_or_missing_is_not_edited(
    root: Path, tmp_path: Path, change: Run
) -> None:
    (tmp_path / "outside").write_text("x")
    (root / "link").symlink_to(tmp_path / "outside")
    for path in ("../outside", "link", "none"):
        with pytest.raises(WorkspaceError):
            await change("edit", path=path, old="x", new="y")
    assert (tmp_path / "outside").read_text() == "x"
