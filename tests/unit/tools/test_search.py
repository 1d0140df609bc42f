from __future__ import annotations

import asyncio
import os
import re
import resource
import stat
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from victor.errors import ToolError, WorkspaceError
from victor.protocols import ITool, ToolEnvironment, ToolOutput
from victor.tools.patterns import compile_pattern
from victor.tools.ripgrep import Ripgrep
from victor.tools.search import Grep
from victor.tools.threads import Stop, Stopped
from victor.tools.workspace import Workspace

pytestmark = pytest.mark.anyio

Run = Callable[..., Awaitable[ToolOutput]]


@pytest.fixture
def project(root: Path) -> Path:
    files: dict[str, bytes] = {
        ".gitignore": b"/build/\n*.log\n",
        "a.py": b"import os\nprint('Hello')\r\nx = 1\n",
        "src/b.py": "def grüße():\n    return 'hello'\n".encode(),
        "src/c.txt": b"hello {world}\nlast line without end",
        "src/.gitignore": b"!keep.log\n",
        "src/keep.log": b"hello log\n",
        "src/drop.bin": b"hello\n\0binary\n",
        "src/latin.txt": b"hello caf\xe9\n",
        "src/bom.txt": b"\xef\xbb\xbfhello at the start\n",
        "src/wide.txt": "hello wide\n".encode("utf-16"),
        "x.log": b"hello ignored\n",
        "build/out.py": b"hello built\n",
        ".git/config": b"hello git\n",
        ".hidden/h.py": b"hello hidden\n",
        "long.txt": b"hello " + b"x" * 1_000 + b"\n",
    }
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.py", [".hidden/h.py", "a.py", "src/b.py"]),
        ("**/*.py", [".hidden/h.py", "a.py", "src/b.py"]),
        ("./a.py", ["a.py"]),
        ("src/*", ["src/.gitignore", "src/b.py", "src/bom.txt", "src/c.txt", "src/drop.bin",
                   "src/keep.log", "src/latin.txt", "src/wide.txt"]),
        ("src/{b,c}.*", ["src/b.py", "src/c.txt"]),
        ("src/[bc].??", ["src/b.py"]),
        ("src/[!a-b].txt", ["src/c.txt"]),
        ("s**", []),
        ("src/**", ["src/.gitignore", "src/b.py", "src/bom.txt", "src/c.txt", "src/drop.bin",
                    "src/keep.log", "src/latin.txt", "src/wide.txt"]),
    ],
)  # fmt: skip
async def test_glob_finds_files_by_name(
    project: Path, run: Run, pattern: str, names: list[str]
) -> None:
    found = (await run("glob", pattern=pattern)).content
    assert found.splitlines() == (names or [f"No file matches {pattern!r}."])


async def test_glob_in_a_folder_gives_names_that_read_takes(project: Path, run: Run) -> None:
    assert (await run("glob", pattern="b.*", path="src")).content == "src/b.py"


async def test_glob_says_when_there_are_too_many(
    project: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("victor.tools.search.FOUND_FILES", 2)
    lines = (await run("glob", pattern="**")).content.splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("[More than 2 files")


@pytest.mark.parametrize("pattern", ["{a", "", "[z-a].py"])
def test_a_pattern_that_makes_no_sense_is_refused(pattern: str) -> None:
    with pytest.raises(ToolError):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("[", "[", True),
        ("a[b", "a[b", True),
        ("a,b}", "a,b}", True),
        ("[[]", "[", True),
        ("[/]", "/", False),
        ("a?b", "a/b", False),
        ("*/b", "a/c/b", False),
        ("a/**/b", "a/b", True),
    ],
)
def test_odd_patterns_mean_what_they_mean_elsewhere(
    pattern: str, path: str, *, matches: bool
) -> None:
    assert bool(compile_pattern(pattern).fullmatch(path)) is matches


async def _both(
    root: Path, environment: ToolEnvironment, arguments: dict[str, object]
) -> tuple[str, str]:
    workspace = Workspace(root)
    ripgrep = Ripgrep.installed(Path.cwd() / "nowhere")
    if ripgrep is None:
        pytest.skip("ripgrep is not installed")
    fast = await Grep(workspace, ripgrep).run(arguments, environment)
    slow = await Grep(workspace, None).run(arguments, environment)
    return fast.content, slow.content


@pytest.mark.parametrize("repository", [True, False])
@pytest.mark.parametrize(
    "arguments",
    [
        {"pattern": "hello"},
        {"pattern": "hello", "ignore_case": True},
        {"pattern": "^hello"},
        {"pattern": r"'\)$"},
        {"pattern": "end$"},
        {"pattern": r"^def \w+\("},
        {"pattern": "hello caf"},
        {"pattern": "hello", "glob": "*.txt"},
        {"pattern": "hello", "glob": "src/*.{py,txt}"},
        {"pattern": "hello", "path": "src"},
        {"pattern": "hello", "path": "src", "glob": "*.log"},
        {"pattern": "hello", "path": "src/c.txt"},
        {"pattern": "hello", "path": "x.log"},
        {"pattern": r"\{world\}"},
        {"pattern": "(?i)HELLO"},
        {"pattern": "[[a]|h"},
        {"pattern": "hel{2}o|import"},
        {"pattern": "[a-c]_|[^a-z]1$"},
        {"pattern": "no such thing"},
        {"pattern": "-x"},
    ],
)
async def test_grep_finds_the_same_with_and_without_ripgrep(
    project: Path, environment: ToolEnvironment, arguments: dict[str, object], *, repository: bool
) -> None:
    if not repository:
        (project / ".git").rename(project / "git-of-nobody")
        (project / "git-of-nobody" / "config").unlink()
    fast, slow = await _both(project, environment, arguments)
    assert fast == slow


async def test_grep_tells_path_line_and_text(project: Path, run: Run) -> None:
    found = (await run("grep", pattern="hello", glob="*.{py,log,bin}")).content
    assert found.splitlines() == [
        ".hidden/h.py:1:hello hidden",
        "src/b.py:2:    return 'hello'",
        "src/keep.log:1:hello log",
    ]
    assert (await run("grep", pattern="absent")).content == "No line matches 'absent'."
    assert "[... 706 more]" in (await run("grep", pattern="hello x")).content


@pytest.mark.parametrize("program", [None, "installed"])
async def test_grep_stops_when_it_has_found_enough(
    project: Path, environment: ToolEnvironment, program: str | None
) -> None:
    (project / "many.txt").write_text("needle\n" * 1_000)
    ripgrep = Ripgrep.installed(Path.cwd() / "nowhere") if program else None
    found = await Grep(Workspace(project), ripgrep).run({"pattern": "needle"}, environment)
    lines = found.content.splitlines()
    assert len(lines) == 201
    assert lines[-1].startswith("[More than 200 lines")


async def test_what_ripgrep_does_not_understand_is_searched_in_python(
    project: Path, environment: ToolEnvironment
) -> None:
    _, found = await _both(project, environment, {"pattern": r"hello(?= log)"})
    assert found == "src/keep.log:1:hello log"


@pytest.mark.parametrize(
    ("pattern", "agrees"),
    [
        ("def (a|b)+", True),
        (r"\bfoo\b.*[^a-z_\d]$", True),
        (r"(?<=x)y", False),
        (r"(a)\1", False),
        ("(?P<n>a)", False),
        ("a{,2}", False),
        ("a{", False),
        (r"\Z", False),
        ("[[a]", False),
        ("[a&&b]", False),
        ("größe", False),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_ripgrep_is_asked_only_what_means_the_same_to_it(pattern: str, *, agrees: bool) -> None:
    assert Ripgrep("rg").agrees_on(re.compile(pattern)) is agrees


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 2\n", None])
async def test_a_ripgrep_that_fails_is_done_without(
    project: Path, tmp_path: Path, environment: ToolEnvironment, script: str | None
) -> None:
    program = tmp_path / "rg"
    if script is not None:
        program.write_text(script)
        program.chmod(stat.S_IRWXU)
    found = await Grep(Workspace(project), Ripgrep(str(program))).run(
        {"pattern": "hello log"}, environment
    )
    assert found.content == "src/keep.log:1:hello log"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["a pipe", "/dev/zero", "/dev/tty"])
async def test_a_gitignore_that_has_no_end_holds_no_search(
    project: Path, environment: ToolEnvironment, kind: str
) -> None:
    ignoring = project / "src/.gitignore"
    ignoring.unlink(missing_ok=True)
    if kind == "a pipe":
        os.mkfifo(ignoring)
    else:
        ignoring.symlink_to(kind)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    fast, slow = await asyncio.wait_for(_both(project, environment, {"pattern": "hello"}), 20)
    assert fast == slow
    assert "hello" in slow
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < max(before, 1_500_000)


@pytest.mark.slow
async def test_a_pipe_is_not_searched(project: Path, environment: ToolEnvironment) -> None:
    os.mkfifo(project / "pipe")
    searching = _both(project, environment, {"pattern": "x", "path": "pipe"})
    assert await asyncio.wait_for(searching, 20) == ("No line matches 'x'.",) * 2


@pytest.mark.parametrize("pattern", ["(", "*", ""])
async def test_an_expression_that_is_not_valid_is_explained(
    project: Path, run: Run, pattern: str
) -> None:
    with pytest.raises(ToolError, match="pattern"):
        await run("grep", pattern=pattern)


async def test_a_search_outside_is_refused(project: Path, run: Run) -> None:
    for name in ("grep", "glob"):
        with pytest.raises(WorkspaceError):
            await run(name, pattern="x", path="../")


async def test_large_files_are_not_searched(
    project: Path, environment: ToolEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("victor.tools.search.SEARCHED_BYTES", 500)
    fast, slow = await _both(project, environment, {"pattern": "hello x"})
    assert fast == slow == "No line matches 'hello x'."


@pytest.mark.slow
async def test_a_cancelled_search_ends_ripgrep(
    project: Path, tmp_path: Path, environment: ToolEnvironment
) -> None:
    program = tmp_path / "rg"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    program.chmod(stat.S_IRWXU)
    search = asyncio.create_task(
        Grep(Workspace(project), Ripgrep(str(program))).run({"pattern": "x"}, environment)
    )
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
        await asyncio.sleep(0.01)
    search.cancel()
    with pytest.raises(asyncio.CancelledError):
        await search
    pid = int((tmp_path / "pid").read_text())
    until = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        await asyncio.sleep(0.01)
    assert not Path(f"/proc/{pid}").exists()


def test_work_that_is_told_to_stop_stops_at_its_next_look() -> None:
    stop = Stop()
    calls: list[str] = []
    stop.check()
    stop.on_stop(lambda: calls.append("before"))
    stop.set()
    stop.on_stop(lambda: calls.append("after"))
    with pytest.raises(Stopped):
        stop.check()
    assert calls == ["before", "after"]


HIDDEN = (re.compile(r"\.hidden/.*"), re.compile(r"src/c\.txt"))


@pytest.mark.parametrize("path", [".", "src", "src/c.txt"])
async def test_grep_shows_no_line_of_a_file_that_rules_keep_from_being_read(
    project: Path, path: str
) -> None:
    environment = ToolEnvironment(project, hidden=HIDDEN)
    for found in await _both(project, environment, {"pattern": "hello", "path": path}):
        assert "world" not in found
        assert "hidden" not in found
        assert path.endswith(".txt") or "src/keep.log:1:hello log" in found


async def test_glob_and_list_leave_out_what_rules_keep_from_being_read(
    project: Path, tools: dict[str, ITool]
) -> None:
    environment = ToolEnvironment(project, hidden=HIDDEN)
    globbed = await tools["glob"].run({"pattern": "**"}, environment)
    assert "a.py" in globbed.content.splitlines()
    assert not {".hidden/h.py", "src/c.txt"} & set(globbed.content.splitlines())
    listed = await tools["list"].run({"path": "src"}, environment)
    assert "b.py" in listed.content.splitlines()
    assert "c.txt" not in listed.content.splitlines()


@pytest.mark.parametrize("pattern", ["*a*a*a*b", "**/**/**/**/x", "{*a,*b*c*d}"])
async def test_a_pattern_that_could_take_for_ever_is_refused(run: Run, pattern: str) -> None:
    with pytest.raises(ToolError, match="could take for ever"):
        await run("glob", pattern=pattern)
