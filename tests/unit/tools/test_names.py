"""Files by all of their names: what a rule says of one is meant for what the file holds."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from victor.errors import ToolError
from victor.permissions import rule
from victor.protocols import Access, ITool, ToolEnvironment
from victor.tools import names
from victor.tools.names import TooManyFiles, hidden_below, other_names
from victor.tools.search import Grep
from victor.tools.workspace import Workspace

pytestmark = pytest.mark.anyio


@pytest.fixture
def secret(root: Path) -> Path:
    """A file of keys with a hard link, a link, and a folder of more."""
    (root / "src").mkdir()
    (root / "keys" / "deep").mkdir(parents=True)
    secret = root / ".env"
    secret.write_text("KEY=123\n")
    os.link(secret, root / "src" / "plain.txt")
    (root / "src" / "link").symlink_to("../.env")
    (root / "keys" / "deep" / "one").write_text("KEY=456\n")
    os.link(root / "keys" / "deep" / "one", root / "two.txt")
    (root / "open.txt").write_text("KEY=\n")
    return secret


@pytest.fixture
def hiding(environment: ToolEnvironment) -> ToolEnvironment:
    return replace(environment, hidden=(rule("read(.env)").loose, rule("read(keys)").loose))


def test_a_rule_sees_each_name_of_a_file(
    root: Path, secret: Path, tools: dict[str, ITool], environment: ToolEnvironment
) -> None:
    for tool in ("read", "edit", "write", "grep"):
        access = tools[tool].access  # type: ignore[attr-defined]
        assert access({"path": "src/plain.txt"}, environment) == Access(("src/plain.txt", ".env"))
        assert set(access({"path": "src/link"}, environment).paths) == {
            "src/link",
            ".env",
            "src/plain.txt",
        }
        assert access({"path": "open.txt"}, environment) == Access(("open.txt",))
    os.link(secret, root / "third")
    access = tools["read"].access  # type: ignore[attr-defined]
    found = access({"path": "third"}, environment).paths
    assert sorted(found) == [".env", "src/plain.txt", "third"]
    (root / "third").rename(root / "fourth")
    assert "fourth" in access({"path": ".env"}, environment).paths


def test_all_names_of_what_is_hidden_are_found(
    root: Path, secret: Path, hiding: ToolEnvironment
) -> None:
    found = hidden_below(root, hiding.hides)
    assert {path.relative_to(root).as_posix() for path in found.paths} == {
        ".env",
        "src/plain.txt",
        "keys",
        "keys/deep/one",
        "two.txt",
    }
    assert found.holds(root / "two.txt")
    assert not found.holds(root / "open.txt")
    assert found.holds(root / "gone")
    assert other_names(root, root / "two.txt") == (root / "keys" / "deep" / "one",)
    assert other_names(root, root / "src") == other_names(root, root / "gone") == ()


def test_a_link_by_a_hidden_name_hides_what_it_leads_to(
    root: Path, tmp_path: Path, hiding: ToolEnvironment
) -> None:
    (root / "values").write_text("KEY")
    (tmp_path / "outside").write_text("KEY")
    (root / "a").mkdir()
    for place, target in ((".env", "values"), ("keys", str(tmp_path / "outside"))):
        (root / place).symlink_to(target)
    assert hidden_below(root, hiding.hides).paths == (root / "values",)


async def test_a_search_shows_no_name_of_what_is_hidden_and_says_how_many(
    root: Path, secret: Path, hiding: ToolEnvironment
) -> None:
    for ripgrep in (None, "installed"):
        workspace = Workspace(root)
        grep = Grep(workspace) if ripgrep is None else _with_ripgrep(workspace)
        found = await grep.run({"pattern": "KEY"}, hiding)
        assert found.content.splitlines() == [
            "open.txt:1:KEY=",
            "[Not searched, as it must not be shown unasked: 5 files.]",
        ]
        below = await grep.run({"pattern": "KEY", "path": "src"}, hiding)
        assert below.content.splitlines()[-1].endswith("unasked: 1 file.]")
        nothing = await grep.run({"pattern": "KEY=1"}, hiding)
        assert nothing.content.splitlines()[-1].endswith("unasked: 5 files.]")


def _with_ripgrep(workspace: Workspace) -> Grep:
    from victor.tools.ripgrep import Ripgrep

    return Grep(workspace, Ripgrep.installed(workspace.root))


async def test_a_file_that_is_hidden_by_another_name_is_not_changed(
    root: Path, secret: Path, tools: dict[str, ITool], hiding: ToolEnvironment
) -> None:
    edit = {"path": "src/plain.txt", "old": "KEY=1", "new": "KEY=2"}
    with pytest.raises(ToolError, match=r"keeps src/plain\.txt from being read"):
        await tools["edit"].run(edit, hiding)


async def test_where_names_cannot_be_told_nothing_is_shown(
    root: Path,
    secret: Path,
    tools: dict[str, ITool],
    hiding: ToolEnvironment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(names, "MOST_ENTRIES", 2)
    with pytest.raises(TooManyFiles):
        hidden_below(root, hiding.hides)
    access = tools["read"].access  # type: ignore[attr-defined]
    assert access({"path": "src/plain.txt"}, hiding) == Access(known=False)
    with pytest.raises(ToolError, match="cannot be kept apart"):
        await tools["grep"].run({"pattern": "KEY"}, hiding)
    with pytest.raises(ToolError, match="from being read"):
        await tools["edit"].run({"path": "src/plain.txt", "old": "K", "new": "L"}, hiding)
