"""The parts that people write: the project's AGENTS.md, and the user's own setting."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from victor.protocols import PromptContext
from victor.protocols.prompt import BasePromptContributor

FILE = "AGENTS.md"
LARGEST = 32 * 1024
"""Bytes of the file that are used."""

_STAMP = tuple[int, int]


class ProjectInstructions(BasePromptContributor):
    """The workspace's AGENTS.md, labelled as the project's. Read again only when it changes."""

    name = "project_instructions"

    def __init__(self, workspace: Path) -> None:
        """Use the file in the root of `workspace`; where it leads out of there, it is not read."""
        self._root = workspace
        self._path = workspace / FILE
        self._stamp: _STAMP | None = None
        self._text = ""

    def priority(self) -> int:
        """Return a place behind the environment."""
        return 300

    async def get_contribution(self, context: PromptContext) -> str:
        """Return the file's text under its label; nothing where there is none.

        Raises `OSError` where there is one that cannot be read.
        """
        try:
            found = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            self._stamp, self._text = None, ""
            return ""
        stamp = (found.st_mtime_ns, found.st_size)
        if stamp != self._stamp:
            self._text = self._read()
            self._stamp = stamp
        return self._text

    def _read(self) -> str:
        # A link in somebody's repository must not carry another file of the user's to the vendor.
        if not self._path.resolve().is_relative_to(self._root.resolve()):
            return ""
        if not self._path.is_file():
            return ""
        with self._path.open("rb") as file:
            data = file.read(LARGEST + 1)
        text = data[:LARGEST].decode("utf-8", "replace").strip()
        if not text:
            return ""
        if len(data) > LARGEST:
            text += f"\n\n[{FILE} is longer than {LARGEST // 1024} KB; read the file for the rest.]"
        return (
            f"The project's instructions, from {FILE} in the workspace. They say how this project"
            " is worked on; where the user says otherwise, the user's word holds.\n\n"
            f"<project_instructions>\n{text}\n</project_instructions>"
        )


class UserInstructions(BasePromptContributor):
    """The user's own words, from the setting `instructions`."""

    name = "user_instructions"

    def __init__(self, text: str = "") -> None:
        self._text = _labelled(text)

    def priority(self) -> int:
        """Return a place behind the project's instructions, which they overrule."""
        return 200

    def configure(self, config: Mapping[str, Any]) -> None:
        """Adopt `instructions`."""
        if "instructions" in config:
            self._text = _labelled(config["instructions"] or "")

    async def get_contribution(self, context: PromptContext) -> str:
        """Return the user's words under their label; nothing where there are none."""
        return self._text


def _labelled(text: str) -> str:
    return f"The user's standing instructions:\n\n{text.strip()}" if text.strip() else ""
