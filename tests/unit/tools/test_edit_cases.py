"""Every way in which an edit may meet a file: it is right to the byte, or refused loudly."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from victor.errors import ToolError
from victor.protocols import ITool, ToolEnvironment, ToolOutput
from victor.tools.document import document_of
from victor.tools.matching import plain_ends
from victor.tools.replacing import Wish, replaced

pytestmark = pytest.mark.anyio

Run = Callable[..., Awaitable[ToolOutput]]


@dataclass(frozen=True)
class Case:
    name: str
    before: bytes
    old: str
    new: str
    after: bytes | str
    """What the file holds then, or why the edit is refused."""
    every: bool = False


CASES = (
    Case("once", b"a = 1\nb = 2\n", "b = 2", "b = 3", b"a = 1\nb = 3\n"),
    Case("ambiguous", b"x\ny\nx\n", "x", "z", "2 times"),
    Case("all", b"x\ny\nx\n", "x", "z", b"z\ny\nz\n", every=True),
    Case("crlf", b"a\r\nb\r\nc\r\n", "a\nb\nc", "a\nB\nB2\nc", b"a\r\nB\r\nB2\r\nc\r\n"),
    Case("crlf, one line", b"a\r\nb\r\n", "b", "b\nc", b"a\r\nb\r\nc\r\n"),
    Case("mixed ends", b"a\nb\r\nc\nd\r\n", "a\nb\nc", "a\nB\nc", b"a\nB\nc\nd\r\n"),
    Case("mixed, crlf kept", b"a\r\nb\r\nc\nd\n", "a\nb\nc\n", "a\nX\nc\n", b"a\r\nX\r\nc\nd\n"),
    Case("lone carriage return", b"a\rb\nc\n", "a\rb", "x", b"x\nc\n"),
    Case("mark", b"\xef\xbb\xbfa\nb\n", "a", "x", b"\xef\xbb\xbfx\nb\n"),
    Case(
        "utf-16",
        "\ufeffä=1\r\nb\r\n".encode("utf-16-le"),
        "ä=1",
        "ß=→",
        "\ufeffß=→\r\nb\r\n".encode("utf-16-le"),
    ),
    Case(
        "utf-16, big end first",
        "\ufeffa\nb\n".encode("utf-16-be"),
        "a",
        "x",
        "\ufeffx\nb\n".encode("utf-16-be"),
    ),
    Case("utf-32", "a\n".encode("utf-32"), "a", "x", "not a text file"),
    Case("half of utf-16", b"\xff\xfea\0b", "a", "x", "not valid utf-16"),
    Case("latin-1", b"caf\xe9 = 1\n", "café = 1", "café = 2", b"caf\xe9 = 2\n"),
    Case("not in latin-1", b"caf\xe9 = 1\n", "= 1", "= →", "has no '→'"),
    Case("utf-8 with a stray byte", b"\xc3\xa9 \xe9 1\n", "1", "é", b"\xc3\xa9 \xe9 \xc3\xa9\n"),
    Case(
        "tabs",
        b"def f():\n\tif x:\n\t\treturn 1\n",
        "    if x:\n        return 1\n",
        "    if x:\n        if y:\n            return 2\n",
        b"def f():\n\tif x:\n\t\tif y:\n\t\t\treturn 2\n",
    ),
    Case(
        "two spaces where four were said",
        b"f() {\n  a;\n    b;\n}\n",
        "    a;\n        b;\n",
        "    a;\n        c;\n    d;\n",
        b"f() {\n  a;\n    c;\n  d;\n}\n",
    ),
    Case(
        "a block whose outer indentation was left out",
        b"class A:\n    def f(self):\n        return 1\n",
        "def f(self):\n    return 1\n",
        "def f(self):\n    x = 2\n    return x\n",
        b"class A:\n    def f(self):\n        x = 2\n        return x\n",
    ),
    Case("words within a line", b"if x:\n  a\n    b\n", "a\nb", "a\nc", "not in a"),
    Case(
        "uneven indentation", b"x:\n  a = 1\n    b = 2\n", "x:\na = 1\nb = 2", "x:\na = 3", "Copy"
    ),
    Case("trailing space", b"a  \nb\t\nc\n", "a\nb\nc", "a\nB\nc", b"a  \nB\nc\n"),
    Case("trailing space in old", b"a\nb\n", "a  \nb", "a  \nc", b"a\nc\n"),
    Case("only white space differs", b"a\nb\n", "a  ", "a", "would be the same"),
    Case("white space, twice", b" a = 1\n  a = 1\n", "    a = 1", "    a = 2", "2 times"),
    Case("quotes", "say(\u201chi\u201d)\n".encode(), 'say("hi")', 'say("ho")', r"U\+201C"),
    Case("no-break space", "a\u00a0= 1\n".encode(), "a = 1", "a = 2", r"other .*"),
    Case("decomposed", "e\u0301 = 1\n".encode(), "é = 1", "é = 2", r"U\+0301"),
    Case("composed", "é = 1\n".encode(), "e\u0301 = 1", "e = 2", r"U\+00E9"),
    Case("no final newline", b"a\nb", "b", "c", b"a\nc"),
    Case("no final newline, said so", b"a\nb", "a\nb\n", "a\nc\n", b"a\nc"),
    Case("a final newline is added", b"a\nb", "b", "b\n", b"a\nb\n"),
    Case("lines join", b"a\nb\n", "a\n", "a ", b"a b\n"),
    Case("lines would join loosely", b"a \nb\n", "a\n", "x", "not in a"),
    Case("nothing is looked for", b"a\n", "", "x", "is empty"),
    Case("nothing changes", b"a\n", "a", "a", "the same"),
    Case("white space alone", b"a\n", "\n\n", "x", "only white space"),
    Case("the new contains the old", b"x = 1\n", "x", "xx x", b"xx x = 1\n"),
    Case("the new contains the old, all", b"x x\n", "x", "xx", b"xx xx\n", every=True),
    Case("overlaps itself", b"aaa\n", "aa", "b", "2 times"),
    Case("overlaps itself, all", b"aaa\n", "aa", "b", "overlap, so", every=True),
    Case("a regular expression", b"a.b*c [x]\nazb\n", "a.b*c [x]", "(y)", b"(y)\nazb\n"),
    Case("groups and dollars", b"a\n", "a", "\\1 $1 \\g<0> \\n", b"\\1 $1 \\g<0> \\n\n"),
    Case("backslashes", b"p = 'C:\\new'\n", "C:\\new", "C:\\old", b"p = 'C:\\old'\n"),
    Case("removed", b"a\nb\nc\n", "b\n", "", b"a\nc\n"),
    Case("removed loosely", b"a\nb  \nc\n", "b\n", "", b"a\nc\n"),
    Case("removed at the end", b"a\nb", "\nb", "", b"a"),
    Case("all of it removed", b"a\n", "a\n", "", b""),
    Case("binary", b"a\0b", "a", "x", "not a text file"),
    Case("line numbers", b"one\ntwo\n", "1\tone\n2\ttwo", "x", "line numbers"),
    Case(
        "form feed and separators",
        b"a\x0cb\x1c\xe2\x80\xa8c\n",
        "c",
        "d",
        b"a\x0cb\x1c\xe2\x80\xa8d\n",
    ),
    Case("an empty file", b"", "a", "b", "not in a"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_an_edit_is_right_to_the_byte_or_refused(root: Path, change: Run, case: Case) -> None:
    (root / "a").write_bytes(case.before)
    edit = {"path": "a", "old": case.old, "new": case.new, "all": case.every}
    if isinstance(case.after, bytes):
        await change("edit", **edit)
        assert (root / "a").read_bytes() == case.after
        (root / "a").write_bytes(case.before)
        await change("multi_edit", edits=[edit])
        assert (root / "a").read_bytes() == case.after
        return
    for name, arguments in (("edit", edit), ("multi_edit", {"edits": [edit]})):
        with pytest.raises(ToolError, match=case.after):
            await change(name, **arguments)
        assert (root / "a").read_bytes() == case.before
    assert [entry.name for entry in root.iterdir()] == ["a"]


async def test_the_model_is_told_what_was_overlooked(root: Path, change: Run) -> None:
    (root / "a").write_text("\tx = 1\n")
    output = await change("edit", path="a", old="    x = 1\n", new="    x = 2\n")
    assert output.content.endswith("differed in indentation; the file's own was kept.")
    assert (root / "a").read_text() == "\tx = 2\n"


async def test_a_file_is_read_before_it_is_edited(root: Path, run: Run) -> None:
    (root / "a").write_text("x")
    with pytest.raises(ToolError, match="was not read yet; nothing was changed"):
        await run("edit", path="a", old="x", new="y")
    assert (root / "a").read_text() == "x"


@pytest.mark.parametrize("name", ["edit", "write"])
async def test_a_file_that_has_changed_since_is_not_touched(
    root: Path, run: Run, name: str
) -> None:
    (root / "a").write_text("x1")
    await run("read", path="a")
    (root / "a").write_text("x2")
    arguments = {"old": "x", "new": "y"} if name == "edit" else {"content": "z"}
    with pytest.raises(ToolError, match="has changed since it was read"):
        await run(name, path="a", **arguments)
    assert (root / "a").read_text() == "x2"
    await run("read", path="a")
    await run(name, path="a", **arguments)


async def test_what_a_tool_wrote_is_known(root: Path, run: Run) -> None:
    await run("write", path="a", content="x")
    await run("edit", path="a", old="x", new="y")
    await run("multi_edit", edits=[{"path": "a", "old": "y", "new": "z"}])
    await run("write", path="a", content="end")
    assert (root / "a").read_text() == "end"


async def test_a_file_is_known_by_all_its_names(root: Path, run: Run) -> None:
    (root / "real").write_text("x")
    (root / "link").symlink_to("real")
    await run("read", path="link")
    await run("edit", path="./real", old="x", new="y")
    await run("edit", path="link", old="y", new="z")
    assert (root / "link").is_symlink()
    assert (root / "real").read_text() == "z"


async def test_several_edits_are_made_all_or_none(root: Path, change: Run) -> None:
    (root / "a").write_text("one\ntwo\nthree\n")
    (root / "b").write_text("four\n")
    right = [
        {"path": "a", "old": "three", "new": "3"},
        {"path": "b", "old": "four", "new": "4"},
        {"path": "a", "old": "one", "new": "1"},
    ]
    with pytest.raises(ToolError, match="old of edit 4 is not in b"):
        await change("multi_edit", edits=[*right, {"path": "b", "old": "five", "new": "5"}])
    assert (root / "a").read_text() == "one\ntwo\nthree\n"
    output = await change("multi_edit", edits=right)
    assert (root / "a").read_text() == "1\ntwo\n3\n"
    assert (root / "b").read_text() == "4\n"
    assert output.content == "Changed a at lines 1, 3.\nChanged b at line 1."


async def test_edits_that_overlap_are_refused(root: Path, change: Run) -> None:
    (root / "a").write_text("one two three\n")
    edits = [
        {"path": "a", "old": "one two", "new": "x"},
        {"path": "./a", "old": "two three", "new": "y"},
    ]
    with pytest.raises(ToolError, match="old of edit 1 and old of edit 2 overlap at line 1"):
        await change("multi_edit", edits=edits)
    assert (root / "a").read_text() == "one two three\n"


async def test_edits_side_by_side_do_not_overlap(root: Path, change: Run) -> None:
    (root / "a").write_text("ab")
    edits = [{"path": "a", "old": "a", "new": "b"}, {"path": "a", "old": "b", "new": "a"}]
    await change("multi_edit", edits=edits)
    assert (root / "a").read_text() == "ba"


async def test_a_file_that_a_rule_hides_is_neither_changed_nor_told_of(
    root: Path, tools: dict[str, ITool], environment: ToolEnvironment, run: Run
) -> None:
    import re
    from dataclasses import replace

    (root / "a").write_text("secret = 1\n")
    await run("read", path="a")
    hiding = replace(environment, hidden=(re.compile("a"),))
    for name in ("edit", "write"):
        with pytest.raises(ToolError, match="A rule keeps a from being read") as refusal:
            await tools[name].run(
                {"path": "a", "old": "secret = 2", "new": "x", "content": "x"}, hiding
            )
        assert "secret = 1" not in str(refusal.value)


async def test_a_huge_file_is_edited_in_its_place(root: Path, change: Run) -> None:
    filler = b"".join(b"line %d of many\n" % n for n in range(200_000))
    (root / "a").write_bytes(filler + b"needle\n" + filler)
    await change("edit", path="a", old="needle", new="thread")
    assert (root / "a").read_bytes() == filler + b"thread\n" + filler


async def test_owner_permissions_attributes_and_other_links_stay(root: Path, change: Run) -> None:
    file = root / "a"
    file.write_text("x\n")
    file.chmod(0o640)
    (root / "link").symlink_to("a")
    with suppress(OSError):  # Not every file system has them.
        os.setxattr(file, "user.victor", b"kept")
        os.setxattr(file, "user.more", b"\0\xff")
    before, attributes = file.stat(), attributes_of(file)
    await change("edit", path="link", old="x", new="y")
    await change("write", path="a", content="z\n")
    await change("multi_edit", edits=[{"path": "link", "old": "z", "new": "end"}])
    after = file.stat()
    assert (file.read_text(), (root / "link").is_symlink()) == ("end\n", True)
    for kept in ("st_mode", "st_uid", "st_gid"):
        assert getattr(after, kept) == getattr(before, kept)
    assert attributes_of(file) == attributes


def attributes_of(file: Path) -> dict[str, bytes]:
    names = os.listxattr(file) if hasattr(os, "listxattr") else ()
    return {name: os.getxattr(file, name) for name in names}


async def test_a_read_only_file_is_left(root: Path, change: Run) -> None:
    (root / "a").write_text("x\n")
    (root / "a").chmod(0o444)
    for name, arguments in (("edit", {"old": "x", "new": "y"}), ("write", {"content": "y"})):
        with pytest.raises(ToolError, match="read-only"):
            await change(name, path="a", **arguments)
    assert (root / "a").read_text() == "x\n"


MARKS = {b"": "ascii", b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


@settings(max_examples=500, deadline=None)
@example(b"", b"\xe9 \r\n", b"\xc3\xa9\r")
@example(b"", b"\x81\x8d", b"\n\xa4")
@example(b"\xff\xfe", b"a\0\r\0\n\0", b"\n\0")
@given(
    mark=st.sampled_from(tuple(MARKS)),
    before=st.binary(max_size=24),
    after=st.binary(max_size=24),
)
def test_whatever_bytes_stand_around_it_they_stay(mark: bytes, before: bytes, after: bytes) -> None:
    old, new = (word.encode(MARKS[mark]) for word in ("needle", "a thread"))
    try:
        document = document_of(mark + before + old + after, "a")
        made = replaced(document.text, [Wish("needle", "a thread")], "a")
    except ToolError:
        return
    assert document.encode(made.text, "a") == mark + before + new + after


LINES = st.lists(
    st.text(alphabet="ab \t'é\u00a0", max_size=6).flatmap(
        lambda line: st.sampled_from([line + "\n", line + "\r\n"])
    ),
    max_size=8,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(["  a\n", "\ta\r\n"], 0, 1, " a\n", "")
@given(
    lines=LINES,
    first=st.integers(0, 7),
    count=st.integers(1, 3),
    new=st.text(alphabet="ab \t\n", max_size=12),
    blur=st.sampled_from(["", " ", "\t", "strip"]),
)
def test_everything_outside_of_what_is_replaced_stays_to_the_byte(
    lines: list[str], first: int, count: int, new: str, blur: str
) -> None:
    text = "".join(lines)
    piece = "".join(lines[first : first + count])
    if blur == "strip":
        old = "\n".join(line.strip(" \t\r\n") for line in lines[first : first + count])
    else:
        old = plain_ends(piece).replace("\n", blur + "\n")
    try:
        made = replaced(text, [Wish(old, new)], "a").text
    except ToolError:
        return
    assert any(
        made.startswith(text[:start])
        and made[start:].endswith(text[stop:])
        and _words(text[start:stop]) == _words(old)
        for start in range(len(text) + 1)
        for stop in range(start, len(text) + 1)
    )


def _words(text: str) -> list[str]:
    return [line.strip(" \t\r") for line in text.removesuffix("\n").split("\n")]


@settings(max_examples=300, deadline=None)
@given(
    text=st.text(alphabet="abc\n", max_size=30),
    start=st.integers(0, 30),
    length=st.integers(1, 10),
    new=st.text(alphabet="abc\n\\$1", max_size=8),
)
def test_an_exact_edit_is_what_replacing_the_one_place_gives(
    text: str, start: int, length: int, new: str
) -> None:
    old = text[start : start + length]
    places = sum(text.startswith(old, at) for at in range(len(text))) if old else 0
    try:
        made = replaced(text, [Wish(old, new)], "a").text
    except ToolError:
        assert places != 1 or old == new
        return
    assert places == 1
    assert made == text.replace(old, new)
