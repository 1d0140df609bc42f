"""The sandbox: the first of several kinds that was seen to work here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from victor.config.files import config_folder, data_folder
from victor.errors import ConfigError, SandboxError
from victor.guarded import secrets
from victor.protocols import (
    Confinement,
    ISandbox,
    Launch,
    Network,
    NoSandbox,
    SandboxPolicy,
)
from victor.safety.boundaries import Boundaries, boundaries
from victor.safety.bubblewrap import Bubblewrap, find_program
from victor.safety.git_places import guarded_inside
from victor.safety.landlock import Landlock
from victor.safety.outlet import outlet_to
from victor.safety.placeholders import Placeholders
from victor.safety.proxy import VARIABLES
from victor.safety.rooms import Outlet, PrivateFolder, Rooms
from victor.safety.seatbelt import Seatbelt

CHOICES = ("auto", "bubblewrap", "landlock", "seatbelt", "none")
"""What the setting `sandbox` may say."""
LOOKED_SECONDS = 20.0
"""How long what was found inside of a workspace counts; a look through a large one takes 0.2 s."""
WAIVED = "the setting sandbox is none"


class Kind(Protocol):
    """One way to confine a process."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def limits(self) -> str:
        """What a command cannot do in it, for the model."""
        ...

    @property
    def host_lists(self) -> bool:
        """Whether it can let some hosts through, and no others."""
        ...

    @property
    def own_loopback(self) -> bool:
        """Whether what runs in it has a network of its own, where nobody else listens."""
        ...

    @property
    def hides_files(self) -> bool:
        """Whether it can hide single files of the workspace."""
        ...

    def missing(self) -> str:
        """Return why it cannot even be tried; empty where it can."""
        ...

    def places(self, limits: Boundaries) -> tuple[Path, ...]:
        """Return what must exist to be protected."""
        ...

    def start(
        self,
        launch: Launch,
        limits: Boundaries,
        rooms: Rooms,
        network: Network,
        outlet: Outlet | None,
    ) -> Launch:
        """Return what to start; `rooms` keeps the descriptors that it inherits open."""
        ...


_SEEN_TO_HOLD: set[Kind] = set()
"""Tried in this process, by whichever conversation."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one kind."""

    kind: Kind
    reason: str
    """Why it was not chosen; empty for the one that was."""


def kinds(choice: str = "auto", workspace: Path | None = None) -> tuple[Kind, ...]:
    """Return the kinds to try, the best first; the program of none is taken from `workspace`."""
    program = find_program(workspace)
    wrapped = (Bubblewrap(program), Bubblewrap(program, proc=False))
    by_choice: dict[str, tuple[Kind, ...]] = {
        "auto": (*wrapped, Landlock(), Seatbelt()),
        "bubblewrap": wrapped,
        "landlock": (Landlock(),),
        "seatbelt": (Seatbelt(),),
    }
    try:
        return by_choice[choice]
    except KeyError:
        listed = ", ".join(CHOICES)
        raise ConfigError(f"sandbox must be one of {listed}, not {choice!r}.") from None


def sandbox_of(choice: str = "auto", workspace: Path | None = None) -> ISandbox:
    """Return the sandbox that the setting `sandbox` asks for. Raises `ConfigError`."""
    if choice == "none":
        return NoSandbox(WAIVED, waived=True)
    return Sandbox(kinds(choice, workspace))


def tidy() -> None:
    """Remove the empty folders that a killed Victor's commands had in workspaces.

    Blocks shortly. Raises `OSError`.
    """
    Placeholders(_folder_of_lists()).tidy()


def _folder_of_lists() -> Path:
    return data_folder() / "sandbox"


class Sandbox:
    """Confines by the first of `kinds` that holds when tried; having held, it is tried no more."""

    def __init__(
        self, kinds: tuple[Kind, ...], *, home: Path | None = None, folder: Path | None = None
    ) -> None:
        """`home` is the person's, by default; `folder` is where places held are listed."""
        self._kinds = kinds
        self._home = home or Path.home()
        self._folder = folder or _folder_of_lists()
        self._placeholders = Placeholders(self._folder)
        self._private: PrivateFolder | None = None
        self._inside: dict[Path, tuple[float, tuple[Path, ...]]] = {}
        """By workspace: when it was looked through, and what was found."""
        self._choosing: asyncio.Future[Kind | None] | None = None
        self.tried: tuple[Tried, ...] = ()
        """What came of each kind that was tried so far, in order."""

    async def confinement(self) -> Confinement:
        """Return the kind that was chosen, and why no better one."""
        kind = await self._chosen()
        passed = "; ".join(f"{one.kind.name}: {one.reason}" for one in self.tried if one.reason)
        if kind is None:
            reason = f"no sandbox works here ({passed or 'there is none for this system'})"
            return Confinement("none", confines=False, reason=reason)
        because = f", because of {passed}" if passed else ""
        return Confinement(
            kind.name,
            confines=True,
            reason=f"a forbidden write and a forbidden connection failed in it{because}",
            limits=kind.limits,
            host_lists=kind.host_lists,
            hides_files=kind.hides_files,
        )

    @asynccontextmanager
    async def confine(self, launch: Launch, policy: SandboxPolicy) -> AsyncIterator[Launch]:
        """Return what to start in the place of `launch`. Raises `SandboxError`."""
        kind = await self._chosen()
        if kind is None:
            yield launch
            return
        own = (config_folder(), data_folder())
        limits = await asyncio.to_thread(
            boundaries, policy, self._home, secrets(self._home, own), self._look
        )
        async with self.confined(kind, launch, limits, policy) as start:
            yield start

    @asynccontextmanager
    async def confined(
        self, kind: Kind, launch: Launch, limits: Boundaries, policy: SandboxPolicy
    ) -> AsyncIterator[Launch]:
        """Return what to start for `limits` in this kind, whichever was chosen.

        Of `policy` the network counts. Raises `SandboxError`.
        """
        network, outlet = policy.network, None
        if network is Network.HOSTS and not (policy.hosts and kind.host_lists):
            network = Network.NONE
        async with AsyncExitStack() as stack:
            try:
                if network is Network.HOSTS:
                    outlet = await stack.enter_async_context(
                        outlet_to(policy.hosts, own_loopback=kind.own_loopback)
                    )
                    launch = _through(outlet, launch)
                rooms = stack.enter_context(Rooms(self._rooms()))
                held = self._placeholders.hold(kind.places(limits))
                stack.callback(self._placeholders.release, held)
                start = kind.start(launch, limits, rooms, network, outlet)
            except OSError as error:
                raise SandboxError(
                    f"The command cannot be confined: {error}.",
                    hint="`victor doctor` shows which sandbox works here.",
                ) from error
            yield start

    def _look(self, root: Path) -> tuple[Path, ...]:
        """Return what is protected inside of `root`, by a look that is not too old."""
        now = time.monotonic()
        looked, found = self._inside.get(root, (now - LOOKED_SECONDS, ()))
        if now - looked >= LOOKED_SECONDS:
            found = tuple(guarded_inside(root))
            self._inside[root] = now, found
        return found

    def _rooms(self) -> PrivateFolder:
        if self._private is None or not self._private.temporary.is_dir():
            self._private = PrivateFolder()
        return self._private

    async def _chosen(self) -> Kind | None:
        """Return the kind that holds; the first caller tries, others wait for it."""
        if self._choosing is None:
            self._choosing = asyncio.ensure_future(self._choose())
        return await asyncio.shield(self._choosing)

    async def _choose(self) -> Kind | None:
        from victor.safety.probe import fault

        for kind in self._kinds:
            reason = kind.missing()
            if not reason and kind not in _SEEN_TO_HOLD:
                reason = await fault(kind, self)
            self.tried = (*self.tried, Tried(kind, reason))
            if not reason:
                _SEEN_TO_HOLD.add(kind)
                return kind
        return None


def _through(outlet: Outlet, launch: Launch) -> Launch:
    """Return the launch with variables that send it to the proxy, for all hosts."""
    kept = {name: text for name, text in launch.environment.items() if name.lower() != "no_proxy"}
    address = f"http://127.0.0.1:{outlet.port}"
    return replace(launch, environment={**kept, **dict.fromkeys(VARIABLES, address)})


def policy_of(hosts: tuple[str, ...]) -> SandboxPolicy:
    """Return what the setting `sandbox_hosts` lets commands do."""
    if "*" in hosts:
        return SandboxPolicy(network=Network.ALL)
    return SandboxPolicy(network=Network.HOSTS if hosts else Network.NONE, hosts=hosts)
