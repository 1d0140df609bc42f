"""The folder of one try: a copy that nobody else sees, gone in the end."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from victor.errors import EvaluationError
from victor.evaluation.suite import Task


@asynccontextmanager
async def workspace_of(task: Task) -> AsyncIterator[Path]:
    """Yield a folder with the task's files in it, and delete it at the end.

    Raises `EvaluationError` when it cannot be made, or a link in it leads outside.
    """
    place = _place()
    try:
        folder = Path(place, "workspace")
        await asyncio.to_thread(_fill, folder, task)
        yield folder
    finally:
        # Shielded: what a cancelled try leaves behind would stay for good.
        await asyncio.shield(asyncio.to_thread(shutil.rmtree, place, ignore_errors=True))


def _place() -> str:
    return os.path.realpath(tempfile.mkdtemp(prefix="victor-eval-"))


def _fill(folder: Path, task: Task) -> None:
    try:
        if task.folder is None:
            folder.mkdir()
        else:
            shutil.copytree(task.folder, folder, symlinks=True)
            _refuse_links_outside(folder, task)
        for name, content in task.files.items():
            path = folder / name
            if not path.resolve().is_relative_to(folder):
                raise EvaluationError(f"Task {task.id!r}: the file {name!r} leads outside.")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
    except (OSError, shutil.Error) as error:
        raise EvaluationError(f"Task {task.id!r}: its folder cannot be made: {error}") from error


def _refuse_links_outside(folder: Path, task: Task) -> None:
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            if path.is_symlink() and not path.resolve().is_relative_to(folder):
                raise EvaluationError(
                    f"Task {task.id!r}: {path.relative_to(folder)} is a link to outside of it.",
                    hint="A try could change the original through it; copy the file instead.",
                )
