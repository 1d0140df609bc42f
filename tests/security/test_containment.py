"""File tools stay in the workspace, whatever the path says and whatever is swapped meanwhile."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from victor.beneath import folder_beneath, open_beneath, read_beneath
from victor.errors import ToolError, WorkspaceError
from victor.messages import JsonObject
from victor.protocols import ToolEnvironment
from victor.tools import builtin_tools
from victor.tools.workspace import Workspace

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ROUNDS = 10_000


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_text("SECRET outside\n")
    (folder / "inner").mkdir()
    (folder / "inner/file").write_text("SECRET inner\n")
    return folder


@pytest.fixture
def root(tmp_path: Path, outside: Path) -> Path:
    root = tmp_path / "work"
    (root / "folder/deep").mkdir(parents=True)
    (root / "file").write_text("inside\n")
    (root / "folder/file").write_text("inside\n")
    # A neighbour whose path begins like the workspace's.
    (tmp_path / "work-too").mkdir()
    (tmp_path / "work-too/file").write_text("SECRET neighbour\n")
    links = {
        "to_file": outside / "file",
        "to_folder": outside,
        "to_above": Path(".."),
        "to_root": Path("/"),
        "to_home": Path.home(),
        "to_neighbour": Path("../work-too"),
        "to_link": Path("to_folder"),
        "to_link_file": Path("to_folder/file"),
        "to_itself": Path("to_itself"),
        "to_nothing": outside / "new",
        "to_nothing_below": outside / "new/newer",
        "to_proc": Path("/proc/self/root"),
        "to_cwd": Path("/proc/self/cwd"),
        "to_environ": Path("/proc/self/environ"),
        "to_dev": Path("/dev"),
        "to_device": Path("/dev/zero"),
        "to_terminal": Path("/dev/tty"),
        "to_descriptor": Path("/proc/self/fd/0"),
        "to_task": Path("/proc/thread-self"),
        "folder/up": Path("../.."),
        "folder/out": Path("../../outside"),
        "folder/deep/chain": Path("../out/inner"),
        "folder/through": Path("deep/../../../outside/file"),
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe")
    os.mkfifo(root / "folder/pipe")
    os.mknod(root / "socket", stat.S_IFSOCK | 0o600)
    return root


TRAVERSALS = (
    "../outside/file",
    "../outside",
    "..",
    "../",
    "./..",
    ".//..//outside//file",
    "folder/../../outside/file",
    "folder/deep/../../../outside/file",
    "folder/./.././../outside/inner/file",
    "../work-too/file",
    "../work/../outside/file",
    "nothing/../../outside/file",
    "file/../../outside/file",
    "../../../../../../../../../../etc/passwd",
    "/etc/passwd",
    "//etc/passwd",
    "///etc//passwd",
    "/etc/./passwd",
    "/",
    "/proc/self/environ",
    "/proc/self/cwd/../outside/file",
    "/proc/self/root/etc/passwd",
    "/proc/self/fd/0",
    "/proc/thread-self/environ",
    "/dev/stdin",
    "/dev/fd/0",
    "/dev/zero",
    "/dev/tty",
    "/sys/kernel/notes",
    "~",
    "~/.bashrc",
    "~root/.bashrc",
    "{outside}/file",
    "{outside}",
    "{outside}/inner/file",
    "{root}/../outside/file",
    "{root}-too/file",
    "{root}/to_folder/file",
    "file:///etc/passwd",
    "file\0/../../outside/file",
    "../outside/file\0.txt",
    "",
)
LINKS = (
    "to_file",
    "to_folder",
    "to_folder/",
    "to_folder/file",
    "to_folder/inner",
    "to_folder/inner/file",
    "to_folder/new",
    "to_folder/new/newer",
    "to_above",
    "to_above/outside/file",
    "to_above/work-too/file",
    "to_root/etc/passwd",
    "to_home/.bashrc",
    "to_neighbour/file",
    "to_link/file",
    "to_link/new",
    "to_link_file",
    "to_itself",
    "to_itself/file",
    "to_nothing",
    "to_nothing_below",
    "to_proc/etc/passwd",
    "to_cwd/../outside/file",
    "to_environ",
    "folder/up/outside/file",
    "folder/out/file",
    "folder/out/inner/file",
    "folder/deep/chain/file",
    "folder/deep/chain",
    "folder/through",
    "folder/deep/../out/file",
)
LOOK_ALIKES = (
    "\uff0e\uff0e/outside/file",
    "\u2024\u2024/outside/file",
    "\u2025/outside/file",
    "..\u2215outside\u2215file",
    "..\\outside\\file",
    "..%2foutside%2ffile",
    "%2e%2e/outside/file",
    "..;/outside/file",
    ".. /outside/file",
    "..\u200b/outside/file",
    "\u202e../outside/file",
    "TO_FOLDER/file",
    "to_folder\u200d/file",
    "${{PWD}}/../outside/file",
    "$(cat ../outside/file)",
    "`cat ../outside/file`",
    "*/../../outside/file",
    "a" * 5_000,
    "a/" * 3_000,
    "\udcff/../../outside/file",
    "folder/\n/../../../outside/file",
)
OF_THE_SYSTEM = (
    "/proc/self/exe",
    "/proc/self/fd/1",
    "/proc/self/mem",
    "/proc/self/maps",
    "/proc/self/task",
    "/proc/self/root",
    "/proc/self/root{outside}/file",
    "/proc/self/cwd/to_folder/file",
    "/proc/1/root{outside}/file",
    "/proc/1/environ",
    "/proc/kcore",
    "/proc/kmsg",
    "/proc/sys/kernel/hostname",
    "proc/self/environ",
    "/dev/null",
    "/dev/random",
    "/dev/full",
    "/dev/ptmx",
    "/dev/mem",
    "/dev/shm",
    "/dev/fd/../../etc/passwd",
    "/dev/stdout",
    "/sys",
    "/sys/class",
    "to_dev/zero",
    "to_device",
    "to_terminal",
    "to_descriptor",
    "to_task/environ",
    "pipe",
    "folder/pipe",
    "pipe/",
    "pipe/file",
    "socket",
    "folder/../pipe",
)
ENDINGS = (
    "../outside/file/",
    "../outside/file/.",
    "../outside/./file",
    "../outside//",
    "../outside/inner/..",
    "../outside/inner/../file",
    "/etc/passwd/",
    "/etc//passwd/.",
    "{outside}/file/",
    "{outside}/./file",
    "{outside}//file",
    "{outside}/inner/../file",
    "{root}/to_folder/",
    "{root}/./../outside/file",
    "{root}//to_folder//file",
    "to_folder//file",
    "to_folder/./file",
    "to_folder/inner/../file",
    "to_file/",
    "to_file/.",
    "to_above/",
    "to_above/.",
    "to_above/work/to_folder/file",
    "to_root",
    "to_root/",
    "to_root{outside}/file",
    "to_home",
    "./to_folder/file",
    "folder/../to_folder/file",
    "folder/up",
    "folder/up/work/to_file",
    "../outside/file ",
    " ../outside/file",
    "../outside/file\n",
    "../outside/file\t",
    "\t../outside/file",
    "../outside/file#",
    "../outside/file?x",
    "../outside/file:stream",
    "{root}\n/../outside/file",
)
MORE_LOOK_ALIKES = (
    "\uff0e\uff0e\uff0foutside\uff0ffile",
    "\u2025\u2044outside\u2044file",
    "\ufe52\ufe52/outside/file",
    "..\u29f8outside\u29f8file",
    "\u00b7\u00b7/outside/file",
    "..\ufeff/outside/file",
    "..\u2060/../outside/file",
    "\u200e../outside/file",
    "\u2066../outside/file\u2069",
    "To_Folder/file",
    "to_\ufb01le",
    "to_f\u043elder/file",
    "to_folde\u0072\u0301/file",
    "TO_FILE",
    "..%c0%afoutside%c0%affile",
    "%252e%252e/outside/file",
    "..%00/outside/file",
    "....//outside/file",
    "..././outside/file",
    "../outside/file%00.txt",
    "\\\\localhost\\etc\\passwd",
    "C:\\outside\\file",
    "C:../outside/file",
    "$HOME/.bashrc",
    "${{HOME}}/.ssh/id_rsa",
    "{{..,}}/outside/file",
    "file\r/../../outside/file",
    "\x1b[2K../outside/file",
    "\x7f/../../outside/file",
    "\udce2\udc80\udca5/outside/file",
    "b" * 256,
    "folder/" * 600 + "file",
    "../" * 1_500 + "etc/passwd",
    "to_itself/" * 60 + "file",
    "\U0001f4c1/../../outside/file",
)
ESCAPES = (*TRAVERSALS, *LINKS, *LOOK_ALIKES, *OF_THE_SYSTEM, *ENDINGS, *MORE_LOOK_ALIKES)


def _calls(path: str) -> Iterator[tuple[str, JsonObject]]:
    yield "read", {"path": path}
    yield "write", {"path": path, "content": "overwritten"}
    yield "edit", {"path": path, "old": "SECRET", "new": "overwritten"}
    yield "list", {"path": path}
    yield "glob", {"path": path, "pattern": "**"}
    yield "grep", {"path": path, "pattern": "SECRET|root:"}


def _state(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else "/"
        for path in sorted(folder.rglob("*"))
    }


def test_there_are_enough_of_them() -> None:
    assert len(set(ESCAPES)) >= 200


@pytest.mark.parametrize("path", ESCAPES, ids=range(len(ESCAPES)))
async def test_no_path_leads_out(root: Path, outside: Path, tmp_path: Path, path: str) -> None:
    before = _state(outside), _state(tmp_path / "work-too"), sorted(tmp_path.iterdir())
    tools = {tool.spec.name: tool for tool in builtin_tools(root)}
    environment = ToolEnvironment(root)
    path = path.replace("{outside}", str(outside)).replace("{root}", str(root))
    for name, arguments in _calls(path):
        try:
            running = tools[name].run(arguments, environment)
            told = (await asyncio.wait_for(running, 20)).content
        except ToolError as error:
            told = str(error)
        assert "SECRET outside" not in told
        assert "SECRET inner" not in told
        assert "SECRET neighbour" not in told
        assert "root:x:0" not in told
        assert "inner" not in told.replace(path, "") or "outside the workspace" in told
    after = _state(outside), _state(tmp_path / "work-too"), sorted(tmp_path.iterdir())
    assert after == before


async def test_a_pipe_makes_nobody_wait(root: Path) -> None:
    os.mkfifo(root / ".gitignore")
    tools = {tool.spec.name: tool for tool in builtin_tools(root)}
    for name, arguments in _calls("pipe"):
        with suppress(ToolError):
            told = await asyncio.wait_for(tools[name].run(arguments, ToolEnvironment(root)), 5)
            assert "inside" not in told.content


async def test_a_file_with_another_name_outside_keeps_its_content_there(
    root: Path, outside: Path
) -> None:
    (root / "twin").hardlink_to(outside / "file")
    tools = {tool.spec.name: tool for tool in builtin_tools(root)}
    await tools["read"].run({"path": "twin"}, ToolEnvironment(root))
    await tools["write"].run({"path": "twin", "content": "mine\n"}, ToolEnvironment(root))
    assert (root / "twin").read_text() == "mine\n"
    assert (outside / "file").read_text() == "SECRET outside\n"


def _swapping(first: Path, second: Path) -> subprocess.Popen[bytes]:
    """Start a process that swaps two names as fast as it can, until it is ended."""
    program = (
        "import ctypes, os, sys\n"
        "libc = ctypes.CDLL(None)\n"
        "first, second = map(os.fsencode, sys.argv[1:])\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    if libc.renameat2(-100, first, -100, second, 2) != 0:\n"
        "        os.rename(first, first + b'x'); os.rename(second, first)\n"
        "        os.rename(first + b'x', second)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", program, str(first), str(second)],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.mark.timeout(120)
async def test_a_folder_swapped_for_a_link_ten_thousand_times_leads_nowhere(
    root: Path, outside: Path
) -> None:
    before = _state(outside)
    workspace = Workspace(root)
    (root / "swapped").mkdir()
    (root / "swapped/file").write_text("inside\n")
    (root / "link").symlink_to(outside)
    tools = {tool.spec.name: tool for tool in builtin_tools(root)}
    environment = ToolEnvironment(root)
    calls = tuple(_calls("swapped/file")) + tuple(_calls("swapped"))
    with _swapping(root / "swapped", root / "link") as process:
        try:
            told = set()
            for turn in range(ROUNDS):
                if turn % 50 == 0:
                    name, arguments = calls[turn // 50 % len(calls)]
                    try:
                        told.add((await tools[name].run(arguments, environment)).content)
                    except ToolError as error:
                        told.add(str(error))
                else:
                    _round(workspace, root / "swapped", told)
        finally:
            process.kill()
    assert not [text for text in told if "SECRET outside" in text or "inner" in text]
    # Both were seen: it was a race.
    assert {"inside\n", "refused"} <= told
    assert _state(outside) == before


def _round(workspace: Workspace, folder: Path, told: set[str]) -> None:
    """Read, list, create and replace where the folder was, which may be a link by now."""
    try:
        told.add((read_beneath(workspace.root, folder / "file", 100) or b"refused").decode())
        for file in workspace.files(folder):
            told.add(str(file.relative_to(folder)))
        with folder_beneath(workspace.root, folder) as opened:
            os.close(os.open("new", os.O_WRONLY | os.O_CREAT, dir_fd=opened))
            os.replace("new", "newer", src_dir_fd=opened, dst_dir_fd=opened)
            os.unlink("newer", dir_fd=opened)
    except OSError:
        told.add("refused")


def test_what_is_beneath_is_opened_and_nothing_else(root: Path, outside: Path) -> None:
    assert read_beneath(root, root / "folder/file", 3) == b"ins"
    assert read_beneath(root, root / "folder", 3) is None
    assert read_beneath(root, root / "nothing", 3) is None
    assert read_beneath(root, root / "to_file", 3) is None
    assert read_beneath(root, root / "to_folder/file", 3) is None
    assert read_beneath(root, root / "pipe", 3) is None
    with pytest.raises(OSError, match="Invalid cross-device link"):
        open_beneath(root, outside / "file")
    with pytest.raises(OSError, match="Invalid cross-device link"):
        open_beneath(root, root / "folder/../../outside/file")
    with folder_beneath(root, root / "new/newer", make=True) as folder:
        os.mkdir("newest", dir_fd=folder)
    assert (root / "new/newer/newest").is_dir()
    with pytest.raises(NotADirectoryError), folder_beneath(root, root / "to_folder", make=True):
        pass


def test_a_readable_folder_is_confined_as_well(root: Path, outside: Path) -> None:
    workspace = Workspace(root, (outside / "inner",))
    found = workspace.resolve_readable(str(outside / "inner/file"))
    assert workspace.root_of(found) == outside / "inner"
    with workspace.entries(outside / "inner") as entries:
        assert [entry.name for entry in entries] == ["file"]
    with pytest.raises(WorkspaceError, match="outside the workspace"):
        workspace.resolve(str(outside / "inner/file"))


async def test_a_workspace_that_is_everything_holds_no_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_KEY", "SECRET")
    for path in ("/proc/self/environ", "proc/self/environ", "/dev/zero"):
        with pytest.raises(WorkspaceError, match="outside the workspace"):
            Workspace(Path("/")).resolve(path)
