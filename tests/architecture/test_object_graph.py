"""No coordinator reaches another, nor the orchestrator: they meet only in the turn.

Import contracts cannot see an instance that was passed in, so the real objects are walked.
"""

from __future__ import annotations

import asyncio
import gc
import re
import types
import weakref
from collections import deque
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import victor.agent.coordinators
from victor.agent.event_bus import EventBus
from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.testing import ScriptedProvider, call

pytestmark = pytest.mark.anyio

NAMES = tuple(name.removesuffix("Coordinator") for name in victor.agent.coordinators.__all__)

OPAQUE = (
    type,
    types.ModuleType,
    types.CodeType,
    types.FrameType,
    types.BuiltinFunctionType,
    weakref.ref,
    asyncio.AbstractEventLoop,
    str,
    bytes,
    int,
    float,
)
"""What is not looked into: code that is shared, values, and the loop that everybody runs on."""


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def referred(found: object) -> list[Any]:
    """Return what an object holds itself; of a function what it closes over, not its globals."""
    match found:
        case types.FunctionType():
            closed = [cell.cell_contents for cell in found.__closure__ or () if _filled(cell)]
            return [*closed, *(found.__defaults__ or ()), *(found.__kwdefaults__ or {}).values()]
        case types.MethodType() if found.__func__ is EventBus.publish:
            return []  # It tells, one way; what listens cannot be asked or steered through it.
        case types.MethodType():
            return [found.__self__, found.__func__]
        case partial():
            return [found.func, *found.args, *found.keywords.values()]
        case _:
            return gc.get_referents(found)


def _filled(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def path_to(start: object, forbidden: dict[int, str]) -> str:
    """Return how `start` reaches one of `forbidden`, or an empty string."""
    seen = {id(start)}
    waiting = deque([(found, "") for found in referred(start)])
    while waiting:
        found, path = waiting.popleft()
        if id(found) in seen or isinstance(found, OPAQUE):
            continue
        seen.add(id(found))
        here = f"{path} -> {type(found).__name__}"
        if id(found) in forbidden:
            return f"{here} ({forbidden[id(found)]})"
        waiting.extend((held, here) for held in referred(found))
    return ""


async def test_no_coordinator_reaches_another_or_the_orchestrator(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    orchestrator = AgentOrchestrator(
        settings=Settings(ephemeral=True),
        provider=ScriptedProvider([call("read", path="a.txt")], "Done", repeat=True),
        model="scripted",
        workspace=tmp_path,
    )
    try:
        await orchestrator.chat("Read a.txt")
        parts = {name: getattr(orchestrator, f"{snake(name)}_coordinator") for name in NAMES}
        forbidden = {id(part): name for name, part in parts.items()}
        forbidden[id(orchestrator)] = "orchestrator"
        found = {
            name: path_to(part, {key: value for key, value in forbidden.items() if value != name})
            for name, part in parts.items()
        }
    finally:
        await orchestrator.close()
    assert {name: path for name, path in found.items() if path} == {}
    assert len(set(map(id, parts.values()))) == 15


class _Holder:
    def __init__(self, held: object) -> None:
        self.held = held

    def method(self) -> None: ...


def _closed_over(held: object) -> object:
    return lambda: held


@pytest.mark.parametrize(
    "hide",
    [
        _Holder,
        lambda held: [{"deep": (held,)}],
        lambda held: _Holder(held).method,
        lambda held: partial(print, held),
        _closed_over,
    ],
    ids=["attribute", "containers", "method", "partial", "closure"],
)
async def test_the_walk_finds_what_is_hidden(hide: Any) -> None:
    secret = _Holder(None)
    assert path_to(_Holder(hide(secret)), {id(secret): "secret"}).endswith("_Holder (secret)")
    assert path_to(_Holder(None), {id(secret): "secret"}) == ""
