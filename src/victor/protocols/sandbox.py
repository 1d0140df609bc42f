"""The port to what confines the processes that tools start.

A tool that starts a program is given an `ISandbox` and starts what that returns:

    async with sandbox.confine(Launch(argv, folder, environment), policy) as start:
        process = await asyncio.create_subprocess_exec(
            *start.argv, cwd=start.folder, env=start.environment, pass_fds=start.pass_fds,
            start_new_session=True,
        )
        ...

The context stays open until everything that was started has ended: a program that goes on in the
background takes it along. The program must have no terminal, hence a session of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable


class Network(StrEnum):
    """Whom a confined process may talk to."""

    NONE = "none"
    HOSTS = "hosts"
    """The hosts of the policy, through a proxy that `HTTP_PROXY` and the like name."""
    ALL = "all"


@dataclass(frozen=True, slots=True)
class SandboxPolicy:
    """What a process may do. What it may not is the default."""

    writable: tuple[Path, ...] = ()
    """Folders whose files it may change, such as the workspace; none in modes that only read. A
    private temporary folder, the `TMPDIR` of what is started, is always writable."""
    protected: tuple[Path, ...] = ()
    """Paths in `writable` folders that stay as they are, whether they exist or not; beside those
    that every sandbox protects, such as `.git/hooks`."""
    hidden: tuple[Path, ...] = ()
    """Files and folders that cannot be read, beside those that every sandbox hides, such as
    `~/.ssh`."""
    network: Network = Network.NONE
    hosts: tuple[str, ...] = ()
    """For `Network.HOSTS`: names, `*.example.org` for all below one, `name:port` for one port."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A program to start."""

    argv: tuple[str, ...]
    folder: Path
    """The folder that it starts in."""
    environment: Mapping[str, str]
    """All of its environment."""
    pass_fds: tuple[int, ...] = ()
    """Descriptors that it inherits beside the standard ones."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a sandbox was found to be, by trying it."""

    name: str
    """Such as `bubblewrap`, or `none`."""
    confines: bool
    """Whether a forbidden write and a forbidden connection really failed in it."""
    reason: str
    """Why it is this one: one sentence for a person, without a full stop."""
    limits: str = ""
    """What a command cannot do in it that it might expect to, for the model; may be empty."""
    host_lists: bool = True
    """Whether it can hold `Network.HOSTS`; if not, that means no network in it."""
    hides_files: bool = True
    """Whether it can keep single files of the workspace from being read, and commands still work
    on the others."""
    waived: bool = False
    """Whether a person said that there shall be none: then its lack is no reason to ask."""

    @property
    def masks(self) -> bool:
        """Whether `SandboxPolicy.hidden` may name files of the workspace."""
        return self.confines and self.hides_files

    @property
    def objection(self) -> str:
        """Why a command should not run unasked; empty where nothing speaks against it."""
        if self.confines or self.waived:
            return ""
        return f"there is no sandbox for commands ({self.reason})"


@runtime_checkable
class ISandbox(Protocol):
    """Confines processes."""

    async def confinement(self) -> Confinement:
        """Return what it is. The first call tries it out, which takes a moment; later ones do not.

        Safety asks it whether a command needs a person's word.
        """
        ...

    def confine(self, launch: Launch, policy: SandboxPolicy) -> AbstractAsyncContextManager[Launch]:
        """Return what to start in the place of `launch`, as long as the context is open.

        Where `Confinement.confines` is false, that is `launch` itself. Raises `SandboxError` where
        the policy cannot be held; then nothing may be started.
        """
        ...


class NoSandbox:
    """Confines nothing, and says so."""

    def __init__(self, reason: str = "no sandbox was asked for", *, waived: bool = False) -> None:
        """`waived` says that it is by a person's word."""
        self._confinement = Confinement("none", confines=False, reason=reason, waived=waived)

    async def confinement(self) -> Confinement:
        """Return that it confines nothing, and the reason given."""
        return self._confinement

    @asynccontextmanager
    async def confine(self, launch: Launch, policy: SandboxPolicy) -> AsyncIterator[Launch]:
        """Return `launch` as it is."""
        yield launch
