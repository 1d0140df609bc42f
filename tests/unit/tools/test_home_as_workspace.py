"""A workspace that is the home folder: its keys, and what Victor keeps there, stay closed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from victor.errors import ToolError, WorkspaceError
from victor.protocols import ITool, ToolEnvironment
from victor.tools import builtin_tools, fit_arguments
from victor.tools.search import Grep
from victor.tools.workspace import Workspace

pytestmark = pytest.mark.anyio

CLOSED = (
    ".ssh/id_ed25519",
    ".aws/credentials",
    ".netrc",
    ".bash_history",
    ".config/gh/hosts.yml",
    ".local/share/victor/outputs/other/left-out.md",
    ".config/victor/config.toml",
)
OPEN = ("notes.txt", ".config/app.toml", "project/.netrc", ".sshrc")


@pytest.fixture
def home(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(root))
    monkeypatch.delenv("VICTOR_HOME", raising=False)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in (*CLOSED, *OPEN):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("KEY\n")
    os.link(root / ".ssh/id_ed25519", root / "plain.txt")
    (root / "link").symlink_to(".ssh")
    return root


@pytest.fixture(params=["home", "above"])
def opened(request: pytest.FixtureRequest, home: Path) -> tuple[Path, str]:
    """The workspace, and where the home folder is in it."""
    if request.param == "home":
        return home, ""
    return home.parent, f"{home.name}/"


async def test_keys_are_opened_by_no_tool(opened: tuple[Path, str]) -> None:
    root, home = opened
    tools: dict[str, ITool] = {tool.spec.name: tool for tool in builtin_tools(root)}
    environment = ToolEnvironment(root)

    async def run(name: str, **arguments: object) -> str:
        tool = tools[name]
        return (await tool.run(fit_arguments(tool.spec, arguments), environment)).content

    for path in (*CLOSED, "plain.txt", "link/id_ed25519", "link"):
        for name, more in (("read", {}), ("write", {"content": "x"}), ("grep", {"pattern": "K"})):
            with pytest.raises(ToolError):
                await run(name, path=f"{home}{path}", **more)
    for path in OPEN:
        assert "KEY" in await run("read", path=f"{home}{path}")
    with pytest.raises(ToolError):
        await run("list", path=f"{home}.ssh")
    shown = {f"{home}{name}" for name in OPEN}
    for grep in (tools["grep"], Grep(Workspace(root))):
        found = (await grep.run({"pattern": "KEY"}, environment)).content
        named = {line.partition(":")[0] for line in found.splitlines()}
        assert named == shown
    assert set((await run("glob", pattern="*")).splitlines()) - {f"{home}plain.txt"} == shown


async def test_a_folder_of_keys_that_was_opened_is_open(home: Path) -> None:
    (read,) = (tool for tool in builtin_tools(home / ".aws") if tool.spec.name == "read")
    shown = await read.run({"path": "credentials"}, ToolEnvironment(home / ".aws"))
    assert "KEY" in shown.content


@pytest.mark.parametrize("path", [".SSH/key", ".Netrc", ".ss\u200bh/key", ".aws./credentials"])
async def test_what_a_file_system_takes_for_a_name_of_keys_is_closed(home: Path, path: str) -> None:
    (home / path).parent.mkdir(exist_ok=True)
    (home / path).write_text("KEY")
    with pytest.raises(WorkspaceError, match="outside"):
        Workspace(home).file(path)
