"""The parts that people write: the project's AGENTS.md, and the user's own setting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from victor.beneath import read_beneath
from victor.protocols import PromptContext
from victor.protocols.prompt import BasePromptContributor
from victor.visible import readable

FILE = "AGENTS.md"
LARGEST = 32 * 1024
"""Bytes of the root's file that are used."""

LARGEST_BELOW = 8 * 1024
"""Bytes that are used of one in a folder below the root."""


class ProjectInstructions(BasePromptContributor):
    """The workspace's AGENTS.md files, labelled as the project's.

    That of the root is part of the prompt, as it is when the session starts. Those of folders
    below are told when a tool first works on a file there, from the root down; after a compaction,
    which may have left them out, they are told again as soon as anything is.
    """

    name = "project_instructions"
    constant = True

    def __init__(self, workspace: Path) -> None:
        """Use the files in `workspace`; where one leads out of there, it is not read."""
        self._root = workspace
        self._text: str | None = None
        self._told: dict[str, bool] = {}
        """Folders that a tool has worked in, and whether their file was told: some have none."""
        self._again: tuple[str, ...] = ()
        """Folders whose file was told before the last compaction, and not since."""

    def priority(self) -> int:
        """Return a place behind the environment."""
        return 300

    def renew(self) -> None:
        """Read the root's file again, and tell those below again."""
        self._text = None
        told = (folder for folder, was_told in self._told.items() if was_told)
        self._again = tuple(dict.fromkeys((*self._again, *told)))
        self._told.clear()

    async def get_contribution(self, context: PromptContext) -> str:
        """Return the root's text under its label; nothing where there is none.

        Raises `OSError` where there is one that cannot be read.
        """
        if self._text is None:
            self._text = self._of_root()
        return self._text

    async def get_note(self, context: PromptContext, paths: tuple[str, ...]) -> str:
        """Return the files of the folders of `paths` that were not told yet.

        Raises `OSError` where there is one that cannot be read.
        """
        notes = []
        for name in (*self._again, *_folders(paths)):
            if name in self._told:
                continue
            self._told[name] = False
            text = self._read(self._root / name / FILE, LARGEST_BELOW)
            if text:
                self._told[name] = True
                label = f'<project_instructions file="{name}/{FILE}">'
                notes.append(f"{label}\n{text}\n</project_instructions>")
        self._again = ()
        if not notes:
            return ""
        return "\n\n".join(["The project's instructions for the files at work:", *notes])

    def _of_root(self) -> str:
        text = self._read(self._root / FILE, LARGEST)
        if not text:
            return ""
        return (
            f"The project's instructions, from {FILE} in the workspace. They say how this project"
            " is worked on; where the user says otherwise, the user's word holds.\n\n"
            f"<project_instructions>\n{text}\n</project_instructions>"
        )

    def _read(self, path: Path, largest: int) -> str:
        # A link in somebody's repository must not carry another file of the user's to the vendor,
        # such as one of keys that they have put into it.
        if not path.is_file():
            return ""
        root, file = self._root.resolve(), path.resolve()
        if not file.is_relative_to(root) or file.suffix != ".md":
            return ""
        data = read_beneath(root, file, largest + 1) or b""
        # What a person who looks at the file does not see, the model does not obey.
        text = readable(data[:largest].decode("utf-8-sig", "replace").strip())
        # Whoever wrote it does not end the label that says whose words these are.
        text = text.replace("</project_instructions", "< /project_instructions")
        if len(data) > largest:
            text += f"\n\n[{FILE} is longer than {largest // 1024} KB; read the file for the rest.]"
        return text


def _folders(paths: tuple[str, ...]) -> Iterator[str]:
    """Yield the folders of the workspace that the paths lie in, from the root down, without it."""
    for path in paths:
        if not path.startswith("/"):  # outside of the workspace
            yield from map(str, reversed(PurePosixPath(path).parents[:-1]))


class UserInstructions(BasePromptContributor):
    """The user's own words, from the setting `instructions`."""

    name = "user_instructions"
    constant = True

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
