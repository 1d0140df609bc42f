"""Skills: instructions for a kind of work, read only when that work is at hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Skill:
    """What a `SKILL.md` says."""

    name: str
    """Small letters, digits and hyphens; the name of its folder."""
    description: str
    """One line: what it is for, and when."""
    instructions: str = field(repr=False)
    folder: Path
    """Where its other files are."""
