"""What `.gitignore` files say: from the top of the repository, or the workspace, downwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from victor.beneath import read_beneath

_LARGEST = 1_000_000
"""Bytes of a `.gitignore` that are read."""


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The rules in force inside one folder."""

    folder: Path
    _specs: tuple[tuple[str, Any], ...] = field(default=(), repr=False)
    """(path of the folder from where the rules stand, with a slash at its end; the rules)."""

    @classmethod
    def of(cls, folder: Path, top: Path) -> IgnoreRules:
        """Return the rules inside `folder`, read from the repository's top or else from `top`."""
        start = repository(folder) or top
        if not folder.is_relative_to(start):
            start = folder
        rules = cls(start, _read(start))
        for part in folder.relative_to(start).parts:
            rules = rules.below(part)
        return rules

    def below(self, name: str) -> IgnoreRules:
        """Return the rules inside the subfolder `name`. A repository in it has only its own."""
        folder = self.folder / name
        if (folder / ".git").exists():
            return IgnoreRules(folder, _read(folder))
        carried = tuple((f"{prefix}{name}/", spec) for prefix, spec in self._specs)
        return IgnoreRules(folder, carried + _read(folder))

    def ignore(self, name: str, *, is_folder: bool) -> bool:
        """Return whether the entry `name` of the folder is ignored; the deepest rule decides."""
        for prefix, spec in reversed(self._specs):
            path = f"{prefix}{name}/" if is_folder else f"{prefix}{name}"
            verdict: bool | None = spec.check_file(path).include
            if verdict is not None:
                return verdict
        return False


def repository(folder: Path) -> Path | None:
    """Return the nearest folder upwards that holds `.git`; None where there is none."""
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    return None


def _read(folder: Path) -> tuple[tuple[str, Any], ...]:
    try:
        data = read_beneath(folder, folder / ".gitignore", _LARGEST)
    except OSError:
        return ()
    lines = (data or b"").decode("utf-8", "replace").splitlines()
    # Loaded only where there is something to ignore.
    from pathspec import GitIgnoreSpec

    kept = [line for line in lines if line.strip() and not line.startswith("#")]
    return (("", GitIgnoreSpec.from_lines(kept)),) if kept else ()
