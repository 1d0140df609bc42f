"""The files of a repository that decide what git runs; found without running git."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from victor.guarded import PROTECTED

SEARCHED_FOLDERS = 4_000
_DEEPEST = 8
_LARGEST = 1_000_000
_PASSED_BY = frozenset({"node_modules", "__pycache__", ".venv", "venv", ".tox", ".mypy_cache"})
_DECIDING = ("hooks", "config", "commondir")
_DECIDING_WHERE_FOUND = ("config.worktree", "gitdir")
_NAMED_IN_CONFIG = re.compile(
    r"^\s*(?:\[[^\]\n]*\]\s*)?(?:hookspath|path)\s*=\s*(.+)$", re.MULTILINE | re.IGNORECASE
)


def guarded_at(root: Path) -> Iterator[Path]:
    """Yield what nobody may change directly in a workspace, be it there or not.

    That is git's own, editors', agents' and shells' files.
    """
    yield from (root / name for name in PROTECTED)
    yield from _of_repository(root / ".git")


def guarded_inside(root: Path) -> Iterator[Path]:
    """Yield the same of the folders inside of a workspace, where it is there.

    It is looked for in `SEARCHED_FOLDERS` folders, the nearest first.
    """
    wanted = frozenset(PROTECTED)
    waiting = deque([(root, 0)])
    looked_at = 0
    while waiting and looked_at < SEARCHED_FOLDERS:
        folder, depth = waiting.popleft()
        looked_at += 1
        for entry in _entries(folder):
            path = folder / entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.name == ".git":
                yield from () if folder == root else _whole_repository(path)
            elif entry.name in wanted:
                yield path
            elif is_folder and depth < _DEEPEST and entry.name not in _PASSED_BY:
                waiting.append((path, depth + 1))


def _whole_repository(dot_git: Path) -> Iterator[Path]:
    yield from _of_repository(dot_git)
    if dot_git.is_symlink() or not dot_git.is_dir():
        yield dot_git


def _of_repository(dot_git: Path) -> Iterator[Path]:
    """Yield what decides in the repository of this `.git`, be that a folder or a file."""
    if dot_git.is_symlink():
        yield dot_git
    elif dot_git.is_dir():
        yield from _of_folder(dot_git)
    elif dot_git.is_file():
        named = _text(dot_git).partition("gitdir:")[2].strip()
        if named:
            folder = dot_git.parent / named
            yield from _of_folder(folder)
            common = _text(folder / "commondir").strip()
            if common:
                yield from _of_folder(folder / common)


def is_repository(folder: Path) -> bool:
    """Return whether it is a repository that git would use."""
    return (folder / "HEAD").is_file() and (folder / "config").is_file()


def _of_folder(folder: Path) -> Iterator[Path]:
    folder = Path(os.path.normpath(folder))
    if not is_repository(folder) and not (folder / "commondir").is_file():
        yield folder
        return
    yield from (folder / name for name in _DECIDING if name != "config")
    yield from (folder / name for name in _DECIDING_WHERE_FOUND if (folder / name).exists())
    if (folder / "config").exists():
        yield folder / "config"
        if "worktreeconfig" in _text(folder / "config").casefold():
            yield folder / "config.worktree"
        # Hooks are looked for from the top of the repository, further files from here.
        yield from named_in(folder / "config", (folder, folder.parent))
    for inner in (*_repositories(folder / "modules"), *_children(folder / "worktrees")):
        yield from _of_folder(inner)


def named_in(config: Path, starts: tuple[Path, ...]) -> Iterator[Path]:
    """Yield the folders of hooks and the further files that a configuration of git names.

    Relative ones are taken from each of `starts`.
    """
    for named in _NAMED_IN_CONFIG.findall(_text(config)):
        path = os.path.expanduser(named.split(" #")[0].strip().strip('"'))  # noqa: PTH111  # as git
        if path:
            yield from (Path(os.path.normpath(start / path)) for start in starts)


def _repositories(folder: Path, depth: int = 0) -> Iterator[Path]:
    """Yield the repositories of submodules, whose names may hold slashes."""
    for child in _children(folder):
        if is_repository(child):
            yield child
        elif depth < _DEEPEST:
            yield from _repositories(child, depth + 1)


def _children(folder: Path) -> list[Path]:
    return [
        folder / entry.name for entry in _entries(folder) if entry.is_dir(follow_symlinks=False)
    ]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _text(path: Path) -> str:
    """Return what a small regular file says; nothing where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""
