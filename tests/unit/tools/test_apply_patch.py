"""Patches: applied where their lines stand, all or none, or refused loudly."""

from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from victor.errors import ToolError
from victor.protocols import Access, ITool, ToolEnvironment, ToolOutput

pytestmark = pytest.mark.anyio

Run = Callable[..., Awaitable[ToolOutput]]

CODE = """\
class A:
    def f(self):
        return 1

    def g(self):
        return 1


class B:
    def f(self):
        return 1
"""


def envelope(*lines: str) -> str:
    return "\n".join(["*** Begin Patch", *lines, "*** End Patch"])


async def test_a_patch_changes_adds_deletes_and_moves_files(root: Path, run: Run) -> None:
    (root / "a.py").write_text("one\ntwo\nthree\n")
    (root / "old.sh").write_text("run\n")
    (root / "old.sh").chmod(0o755)
    (root / "gone").write_text("x\n")
    await run("read", path="gone")
    output = await run(
        "apply_patch",
        patch=envelope(
            "*** Update File: a.py",
            "@@",
            " one",
            "-two",
            "+2",
            " three",
            "*** Add File: sub/new.py",
            "+a = 1",
            "+",
            "+b = 2",
            "*** Update File: old.sh",
            "*** Move to: bin/new.sh",
            "@@",
            "-run",
            "+run fast",
            "*** Delete File: gone",
        ),
    )
    assert (root / "a.py").read_text() == "one\n2\nthree\n"
    assert (root / "sub/new.py").read_text() == "a = 1\n\nb = 2\n"
    assert (root / "bin/new.sh").read_text() == "run fast\n"
    assert stat.S_IMODE((root / "bin/new.sh").stat().st_mode) == 0o755
    assert not (root / "old.sh").exists()
    assert not (root / "gone").exists()
    assert output.content == (
        "Changed a.py at line 1.\nCreated sub/new.py.\n"
        "Changed old.sh at line 1. Moved old.sh to bin/new.sh.\nDeleted gone."
    )
    assert "-two\n+2" in output.display


@pytest.mark.parametrize(
    ("hunk", "changed_line"),
    [
        (["@@ class B:", "-        return 1", "+        return 2"], 11),
        (["@@ class A:", "@@     def f(self):", "-        return 1", "+        return 2"], 3),
        (["@@ def g(self):", "-        return 1", "+        return 2"], 6),
        (["@@", "     def g(self):", "-        return 1", "+        return 2"], 6),
        (["@@", "-        return 1", "+        return 2", "*** End of File"], 11),
        (["@@ def g(self):", "-return 1", "+return 2"], 6),
    ],
)
async def test_anchors_tell_alike_places_apart(
    root: Path, run: Run, hunk: list[str], changed_line: int
) -> None:
    (root / "a.py").write_text(CODE)
    await run("apply_patch", patch=envelope("*** Update File: a.py", *hunk))
    lines = CODE.splitlines()
    lines[changed_line - 1] = "        return 2"
    assert (root / "a.py").read_text().splitlines() == lines


@pytest.mark.parametrize(
    ("hunk", "cause"),
    [
        (["@@", "-        return 1", "+        return 2"], "stands 3 times in a.py"),
        (["@@ class A:", "-        return 1", "+        return 2"], "stands 2 times in a.py"),
        (["@@ class C:", "-        return 1", "+        return 2"], "no line there"),
        (["@@", "-        return 7", "+        return 2"], "The nearest lines are"),
        (["@@", "+        return 2"], "does not say where"),
        (["@@", "*return 1", "+return 2"], "begin with a space"),
        (["@@ def g(self):", "-class A:", "+class D:"], "does not stand after"),
        ([], "nothing that changes"),
        (["@@", " class A:"], "already as the patch would make it"),
    ],
)
async def test_a_hunk_that_is_not_certain_changes_nothing(
    root: Path, run: Run, hunk: list[str], cause: str
) -> None:
    (root / "a.py").write_text(CODE)
    other = ["*** Add File: other", "+x"]
    with pytest.raises(ToolError, match=cause):
        await run("apply_patch", patch=envelope(*other, "*** Update File: a.py", *hunk))
    assert (root / "a.py").read_text() == CODE
    assert not (root / "other").exists()


@pytest.mark.parametrize(
    ("patch", "cause"),
    [
        ("", "names no file"),
        ("*** Begin Patch\n*** Add File: x\n+y", "cut off"),
        (envelope("hello"), "names no file"),
        (envelope("*** Add File: x", "y"), r"begins with \+"),
        (envelope("*** Delete File: a.py", "-x"), "has no lines"),
        (envelope("*** Delete File: a.py"), "not read yet"),
        (envelope("*** Add File: a.py", "+x"), "exists already"),
        (envelope("*** Add File: x", "+1", "*** Add File: ./x", "+2"), "twice"),
        (envelope("*** Add File: ../x", "+1"), "not allowed"),
        (envelope("*** Update File: none", "@@", "-a", "+b"), "There is no 'none'"),
    ],
)
async def test_a_patch_that_means_nothing_certain_is_refused(
    root: Path, run: Run, patch: str, cause: str
) -> None:
    (root / "a.py").write_text(CODE)
    with pytest.raises(ToolError, match=cause):
        await run("apply_patch", patch=patch)
    assert [entry.name for entry in root.iterdir()] == ["a.py"]
    assert (root / "a.py").read_text() == CODE


UNIFIED = """\
diff --git a/a.txt b/a.txt
index 1..2 100644
--- a/a.txt
+++ b/a.txt
@@ -40,3 +40,3 @@ nothing that stands there
 one
-two
+2
@@ -90 +90 @@
-last
\\ No newline at end of file
+end
diff --git a/new b/new
new file mode 100644
--- /dev/null
+++ b/new
@@ -0,0 +1 @@
+hello
\\ No newline at end of file
--- a/gone
+++ /dev/null
@@ -1,2 +0,0 @@
-x
-y
diff --git a/from b/to
similarity index 100%
rename from from
rename to to
"""


async def test_a_unified_diff_is_taken_by_its_lines_and_not_its_numbers(
    root: Path, run: Run
) -> None:
    (root / "a.txt").write_text("zero\r\none\r\ntwo\r\nlast", newline="")
    (root / "gone").write_text("x\ny\n")
    (root / "from").write_text("moved\n")
    await run("apply_patch", patch=UNIFIED)
    assert (root / "a.txt").read_bytes() == b"zero\r\none\r\n2\r\nend\r\n"
    assert (root / "new").read_text() == "hello"
    assert (root / "to").read_text() == "moved\n"
    assert not (root / "gone").exists()
    assert not (root / "from").exists()


async def test_a_file_is_only_deleted_by_a_diff_that_has_all_of_it(root: Path, run: Run) -> None:
    (root / "gone").write_text("x\ny\nz\n")
    with pytest.raises(ToolError, match="is not what the patch takes out"):
        await run("apply_patch", patch="--- a/gone\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-x\n-y\n")
    assert (root / "gone").exists()


async def test_lines_go_to_the_end_of_a_file_where_that_is_said(root: Path, run: Run) -> None:
    (root / "a").write_text("one\n")
    section = ("*** Update File: a", "@@", "+two", "*** End of File")
    await run("apply_patch", patch=envelope(*section))
    assert (root / "a").read_text() == "one\ntwo\n"


async def test_what_cannot_be_written_leaves_every_file_as_it_was(
    root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a").write_text("one\n")
    (root / "b").write_text("two\n")
    moved = os.replace

    def failing(source: str, target: str, **folders: int) -> None:
        if target == "b":
            raise OSError(5, "Input/output error")
        moved(source, target, **folders)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(ToolError, match="b cannot be written: Input/output error"):
        await run(
            "apply_patch",
            patch=envelope(
                *("*** Update File: a", "@@", "-one", "+1"),
                *("*** Add File: new/c", "+c"),
                *("*** Update File: b", "@@", "-two", "+2"),
            ),
        )
    assert (root / "a").read_text() == "one\n"
    assert (root / "b").read_text() == "two\n"
    assert sorted(entry.name for entry in root.iterdir()) == ["a", "b"]


def test_rules_and_checkpoints_see_every_file(
    root: Path, tools: dict[str, ITool], environment: ToolEnvironment
) -> None:
    tool = tools["apply_patch"]
    patch = envelope("*** Update File: a", "*** Move to: b", "@@", "-x", "+y", "*** Add File: c")
    assert tool.paths({"patch": patch}, environment) == (root / "a", root / "b", root / "c")
    access = tool.access  # type: ignore[attr-defined]
    assert access({"patch": patch}, environment) == Access(("a", "b", "c"))
    assert access({"patch": "x"}, environment) == Access(known=False)
    assert tool.paths({"patch": "x"}, environment) == ()


async def test_nothing_is_patched_where_the_workspace_is_not_writable(
    root: Path, tools: dict[str, ITool], environment: ToolEnvironment
) -> None:
    with pytest.raises(ToolError, match="in this mode"):
        await tools["apply_patch"].run(
            {"patch": envelope("*** Add File: x", "+y")}, replace(environment, writable=False)
        )


async def test_what_git_says_of_empty_files_and_permissions_counts(root: Path, run: Run) -> None:
    for name in ("gone", "tool.sh", "moved.sh"):
        (root / name).write_text("" if name == "gone" else "echo\n")
    await run("read", path="gone")
    patch = (
        "diff --git a/pkg/__init__.py b/pkg/__init__.py\nnew file mode 100644\nindex 0..e69de29\n"
        "diff --git a/gone b/gone\ndeleted file mode 100644\nindex e69de29..0000\n"
        "diff --git a/tool.sh b/tool.sh\nold mode 100644\nnew mode 100755\n"
        "diff --git a/moved.sh b/bin/moved.sh\nold mode 100644\nnew mode 100644\n"
        "similarity index 100%\nrename from moved.sh\nrename to bin/moved.sh\n"
        "diff --git a/run me.sh b/run me.sh\nnew file mode 100755\nindex 0000..1111\n"
        "--- /dev/null\n+++ b/run me.sh\n@@ -0,0 +1 @@\n+echo hi\n\n"
    )
    told = (await run("apply_patch", patch=patch)).content
    assert (root / "pkg/__init__.py").read_bytes() == b""
    assert not (root / "gone").exists()
    assert (root / "tool.sh").stat().st_mode & 0o777 == 0o755
    assert (root / "bin/moved.sh").read_text() == "echo\n"
    made = root / "run me.sh"
    assert (made.read_text(), made.stat().st_mode & 0o777) == ("echo hi\n", 0o755)
    assert "Kept the text of tool.sh. Its permissions are 755 now." in told


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("new file mode 120000\n--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+/etc", "no regular file"),
        ("index 1..2\nBinary files a/a and b/a differ", "is no text"),
        ("index 1..2\nGIT binary patch\nliteral 4", "is no text"),
        ("index 1..2", "names no file"),
    ],
)
async def test_what_git_says_and_cannot_be_done_is_refused(
    root: Path, run: Run, lines: str, why: str
) -> None:
    with pytest.raises(ToolError, match=why):
        await run("apply_patch", patch=f"diff --git a/a b/a\n{lines}\n")
    assert list(root.iterdir()) == []
