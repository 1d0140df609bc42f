"""Processes to be killed: each runs a conversation of real parts, with only the model scripted.

`python -m tests.crash.child` has everything imported, reads orders from its input, one a line, and
forks a process for each; so a process costs milliseconds, and starts as if it were new.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.crash.places import (
    Death,
    DyingCheckpointStore,
    DyingProvider,
    DyingSessionStore,
    die_in_sqlite,
)
from tests.crash.rules import objections

from victor.agent.coordinators.checkpoint_coordinator import CheckpointCoordinator
from victor.agent.coordinators.session_coordinator import SessionCoordinator
from victor.agent.orchestrator import AgentOrchestrator
from victor.config.settings import Settings
from victor.errors import SessionNotFound
from victor.events import CheckpointTaken, Event, ToolCallEnded, TurnEnded, TurnStarted
from victor.messages import Effect, Request, Role
from victor.protocols import ITool, ToolEnvironment
from victor.storage.file_images import FileImages
from victor.testing import ScriptedProvider, call
from victor.testing.scripted import ScriptedReply
from victor.tools import builtin_tools
from victor.tools.decorator import tool

SESSION = "crash"
TURNS = 12
LONGEST_SECONDS = 60
NOTES = "".join(f"note {n}: the quick brown fox jumps over the lazy dog\n" for n in range(60))


@dataclass(frozen=True)
class Order:
    """What a process is to do."""

    home: str
    """The folder of its databases, its workspace, and what it showed."""
    place: str = ""
    """Where it dies; empty where it does not by itself."""
    count: int = 1
    """At which time that it gets there."""
    kill_after: float | None = None
    """Seconds after which it is killed, wherever it is."""


class Shown:
    """What a person has seen, in a file: what is written there outlives the process.

    It observes, as that is the earliest that anybody can hear of what happened.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def on_event(self, event: Event) -> None:
        """Show what is said to be on record."""
        match event:
            case TurnStarted():
                self._write("user", event.turn_id)
            case ToolCallEnded():
                self._write("result", event.call.id)
            case TurnEnded():
                self._write("ended", event.response.turn_id)
            case CheckpointTaken():
                self._write("checkpoint", event.checkpoint_id)

    async def flush(self) -> None:
        """Do nothing: nothing waits."""

    def _write(self, *words: str) -> None:
        os.write(self._file, f"{json.dumps(words)}\n".encode())


def appending(workspace: Path, death: Death) -> ITool:
    """Return the tool whose effect must not happen twice: it appends a line to a file."""
    file = workspace / "effects.txt"

    def paths(_arguments: object, _environment: ToolEnvironment) -> tuple[Path, ...]:
        return (file,)

    @tool(effect=Effect.EFFECTFUL, paths=paths)
    async def append(line: str) -> str:
        """Append a line to the file of effects.

        Args:
            line: What to append.
        """
        death.at("effect: before it")
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(descriptor, f"{line}\n".encode())
        os.close(descriptor)
        death.at("effect: done, and no result yet")
        return f"Appended {line}."

    return append


def reading(workspace: Path, death: Death) -> ITool:
    """Return a tool that may run again."""

    @tool(effect=Effect.READ_ONLY)
    async def recall() -> str:
        """Read all notes."""
        text = (workspace / "notes.txt").read_text()
        death.at("resume: a call has run again, and no result yet")
        return text

    return recall


def model(unique: str) -> ScriptedProvider:
    """Return a model that calls three tools in each turn and then ends it.

    It is as strict as a vendor about the history that it is sent.
    """
    numbers = itertools.count()

    def answer(request: Request) -> ScriptedReply:
        wrong = objections(request)
        if wrong:
            raise AssertionError(f"no vendor would take this request: {wrong}")
        if request.messages[-1].role is Role.TOOL:
            return "All three of them are done, as you asked."
        step = f"{unique}-{next(numbers)}"
        return (
            call("append", call_id=f"{step}-a", line=f"{step}-a"),
            call("recall", call_id=f"{step}-b"),
            call("write", call_id=f"{step}-c", path=f"{step}.txt", content=f"{step}\n"),
        )

    return ScriptedProvider(answer, repeat=True)


async def converse(order: Order) -> None:
    """Go on with the conversation until it has had all its turns."""
    home, death = Path(order.home), Death(order.place, order.count)
    die_in_sqlite(death)
    workspace = home / "workspace"
    sessions = DyingSessionStore(home / "sessions.db")
    checkpoints = DyingCheckpointStore(home / "checkpoints.db")
    sessions.death = checkpoints.death = death
    built_in = {one.spec.name: one for one in builtin_tools(workspace)}
    orchestrator = AgentOrchestrator(
        Settings(approve="always", context_window=9_000, max_output_tokens=1_000),
        DyingProvider(model(f"{os.getpid()}.{time.time_ns()}"), death),
        "m",
        tools=(appending(workspace, death), reading(workspace, death), built_in["write"]),
        workspace=workspace,
        session_id=SESSION,
        session_coordinator=SessionCoordinator(sessions),
        checkpoint_coordinator=CheckpointCoordinator(checkpoints, FileImages(workspace)),
    )
    orchestrator.add_observer(Shown(home / "shown"))
    async with orchestrator:
        done = 0
        try:
            await orchestrator.resume(SESSION)
            records = await orchestrator.session_coordinator.load(SESSION)
            done = sum(record.kind == "ended" for record in records)
        except SessionNotFound:
            pass
        for number in range(done, TURNS):
            await orchestrator.chat(f"Turn {number}: do all three.")


def serve() -> None:
    """Fork a process for each order, and print how it ended."""
    # What is put together imports what it needs, and does nothing yet.
    AgentOrchestrator(Settings(ephemeral=True), model("unused"), "m")
    for line in sys.stdin:
        order = Order(**json.loads(line))
        pid = os.fork()
        if pid == 0:
            _be(order)
        if order.kill_after is not None:
            time.sleep(order.kill_after)
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _be(order: Order) -> None:
    """Be the process; never comes back."""
    signal.alarm(LONGEST_SECONDS)
    status = 1
    try:
        log = os.open(Path(order.home) / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for descriptor in (1, 2):
            os.dup2(log, descriptor)
        os.environ["VICTOR_HOME"] = order.home
        asyncio.run(converse(order))
        status = 0
    except BaseException:  # told to the log: a fork must not return
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def as_line(order: Order) -> str:
    """Return the order as a line of input."""
    return f"{json.dumps(asdict(order))}\n"


if __name__ == "__main__":
    serve()
