"""What a confined process is given: a temporary folder, nothing in the place of secrets, and
descriptors that stay open as long as it needs them."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

TEMPORARY = ("TMPDIR", "TMP", "TEMP")
"""The variables that name the temporary folder."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """The way to the proxy, where only some hosts may be talked to."""

    port: int
    """Of the loopback that the process sees."""
    channel: int = -1
    """Over this descriptor the process hands out its listening socket, if it has a loopback of
    its own."""


class PrivateFolder:
    """A temporary folder of this process, removed with the object or at the end."""

    def __init__(self) -> None:
        self.path = Path(os.path.realpath(tempfile.mkdtemp(prefix="victor-")))
        self.temporary = self.path / "tmp"
        self.empty_folder = self.path / "nothing"
        self.empty_file = self.path / "empty"
        self.temporary.mkdir(mode=0o700)
        self.empty_folder.mkdir(mode=0o555)
        self.empty_file.touch(mode=0o444)
        self.remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(slots=True)
class Rooms:
    """The folders for one process, and its descriptors; to be closed when it has ended."""

    private: PrivateFolder
    _descriptors: list[int] = field(default_factory=list)

    @property
    def temporary(self) -> Path:
        """The only folder beside the writable ones that it may change."""
        return self.private.temporary

    @property
    def empty_folder(self) -> Path:
        """A folder with nothing in it."""
        return self.private.empty_folder

    @property
    def empty_file(self) -> Path:
        """A file with nothing in it."""
        return self.private.empty_file

    def memory(self, data: bytes) -> int:
        """Return a descriptor from which `data` can be read once."""
        descriptor = os.memfd_create("victor")
        self._descriptors.append(descriptor)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def keep(self, descriptor: int) -> int:
        """Have the descriptor closed with the others, and return it."""
        self._descriptors.append(descriptor)
        return descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._descriptors:
            os.close(self._descriptors.pop())


def launcher_command(surrender: int) -> tuple[str, ...]:
    """Return how `victor.safety.launcher` is run with what is in the descriptor `surrender`."""
    program = Path(__file__).with_name("launcher.py")
    # Isolated, so that nothing of the folder that it starts in is imported.
    return (sys.executable, "-I", "-S", str(program), str(surrender))
