"""Running commands: `shell`."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from victor.errors import SandboxError, ToolError
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import (
    Access,
    ISandbox,
    Launch,
    NoSandbox,
    SandboxPolicy,
    ToolEnvironment,
    ToolOutput,
)
from victor.set_aside import folder_of
from victor.tools.background import MOST_RUNNING, Background
from victor.tools.child_environment import child_environment
from victor.tools.files import files_said, hidden_in
from victor.tools.kept_output import FILE_BYTES, KeptOutput, file_in
from victor.tools.printed import ending, plain
from victor.tools.process import Limits, Program
from victor.tools.workspace import Workspace

LONGEST_SECONDS = 3_600.0
"""The most that a call may ask for."""
MOST_HIDDEN = 1_000
"""So many files are kept from a command; bubblewrap knows no more than three times as many."""
NAMED_FILES = 10
"""Of those that are kept from a command, so many are named."""
LOOK_SECONDS = 1.0
"""How long a command that starts in the background is watched for an early end."""


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs a command line in the workspace, inside of the sandbox."""

    workspace: Workspace
    passed_on: tuple[str, ...] = ()
    """Names of environment variables to pass on beside the harmless ones."""
    program: str = field(default_factory=lambda: shutil.which("bash") or "/bin/sh")
    sandbox: ISandbox = field(default_factory=NoSandbox)
    policy: SandboxPolicy = field(default_factory=SandboxPolicy)
    """What commands may do beside changing the workspace."""
    limits: Limits = field(default_factory=Limits)
    spill_folder: Path | None = None
    """Where long outputs are kept in whole; None: nowhere."""
    background: Background = field(default_factory=Background)
    git_hooks: bool = False
    """Whether hooks run when a command uses git."""

    bounds: ClassVar[tuple[str, ...]] = (
        "without `timeout`, it goes on in the background before `tool_calling_timeout` is over",
        "with `timeout`, it is ended then, after an hour at most",
        f"{MOST_RUNNING} commands in the background at once",
        "memory by `command_memory_limit`, processes by `command_process_limit`",
        f"ended when it has printed {Limits().output // 1_000_000} MB",
        f"the beginning and the end of a long output, and {FILE_BYTES // 1_000_000} MB in a file",
    )
    refuses: ClassVar[tuple[str, ...]] = (
        "in `plan` and `explore`, every command where no sandbox works",
        f"every command where rules hide more than {MOST_HIDDEN:,} files",
    )
    spec: ClassVar[ToolSpec] = ToolSpec(
        "shell",
        "Run a shell command in the workspace and get its output and exit code. It has no input."
        " What it leaves running is ended with it; one that takes long goes on in the background,"
        " and shell_output tells what it prints.",
        {
            "type": "object",
            "properties": {
                "command": {"type": "string", "description": "Such as: python -m pytest -q"},
                "timeout": {
                    "type": "number",
                    "description": "Seconds after which it is ended, instead of going on in the"
                    " background",
                },
                "background": {
                    "type": "boolean",
                    "description": "Whether to go on at once, as for a server",
                },
            },
            "required": ["command"],
            "additionalProperties": False,
        },
        Effect.EFFECTFUL,
        essential=True,
    )

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return nothing: what a command changes cannot be told."""
        return ()

    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        """Return the command."""
        command = arguments.get("command")
        return Access(command=command) if isinstance(command, str) else Access(known=False)

    def most_seconds(self, arguments: JsonObject, environment: ToolEnvironment) -> float | None:
        """Return somewhat more than what it asks for, or what the setting allows."""
        asked = _seconds(arguments)
        return environment.timeout if asked is None else asked + 5.0

    async def aclose(self) -> None:
        """End what goes on in the background."""
        await self.background.aclose()

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return what it printed, and how it ended or that it goes on. Raises `ToolError`."""
        command: str = arguments["command"]
        if not command.strip() or "\0" in command:
            raise ToolError("The command is empty or holds a NUL character.")
        await self._check_mode(environment)
        asked, at_once = _seconds(arguments), arguments.get("background") is True
        if asked is None or at_once:
            self.background.check_room()
        hidden = await self._hidden(environment)
        program = self._start(command, environment, hidden)
        goes_on = False
        try:
            # Ended from here, the output so far is still told; ended from outside, it is lost.
            most = asked or max(environment.timeout - 2.0, environment.timeout * 0.8)
            if not await program.wait(LOOK_SECONDS if at_once else most):
                goes_on = asked is None or at_once
                if not goes_on:
                    await program.end(f"it took longer than {most:g} s")
        except (OSError, SandboxError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ToolError(f"The command could not be started: {reason}") from error
        finally:
            if not goes_on:
                await program.end("it was cancelled")
        if goes_on:
            return self._told_going_on(program, most, at_once=at_once)
        text = _told(program)
        if hidden:
            text += f"\n[Kept from it, as empty: {self._listed(hidden)}]"
        return ToolOutput(text, is_error=program.exit_code != 0)

    async def _check_mode(self, environment: ToolEnvironment) -> None:
        if not environment.writable and not (await self.sandbox.confinement()).confines:
            raise ToolError(
                "In this mode nothing may be changed, and without a sandbox a command could."
            )

    async def _hidden(self, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return what the sandbox is to keep from the command. Raises `ToolError`."""
        if not (environment.hidden and (await self.sandbox.confinement()).masks):
            return ()
        found = (await hidden_in(self.workspace, environment)).paths
        if len(found) > MOST_HIDDEN:
            raise ToolError(
                f"{files_said(len(found))} in the workspace must not be shown unasked, and only"
                f" {MOST_HIDDEN:,} can be kept from a command. Use grep and read instead."
            )
        return found

    def _listed(self, paths: tuple[Path, ...]) -> str:
        names = [self.workspace.name(path) for path in paths[:NAMED_FILES]]
        more = len(paths) - len(names)
        return ", ".join(names) + (f" and {files_said(more)} more" if more else "")

    def _start(
        self, command: str, environment: ToolEnvironment, hidden: tuple[Path, ...]
    ) -> Program:
        writable = (self.workspace.root, *self.policy.writable) if environment.writable else ()
        return Program(
            Launch(
                (self.program, "-c", command),
                self.workspace.root,
                child_environment(os.environ, self.passed_on, git_hooks=self.git_hooks),
            ),
            self._kept(environment),
            sandbox=self.sandbox,
            policy=replace(self.policy, writable=writable, hidden=(*self.policy.hidden, *hidden)),
            limits=self.limits,
            on_output=_last_line(environment.progress),
        )

    def _kept(self, environment: ToolEnvironment) -> KeptOutput:
        """Return room for about what the model is shown; the rest goes to a file."""
        room = max(2_000, environment.output_limit * 9 // 10)
        if self.spill_folder is None:
            return KeptOutput(room)
        folder = folder_of(self.spill_folder, environment.session_id)
        name = re.sub(r"[^A-Za-z0-9_-]", "_", f"shell-{environment.call_id}")[:80]
        return KeptOutput(room, file_in(folder, name))

    def _told_going_on(self, program: Program, seconds: float, *, at_once: bool) -> ToolOutput:
        name = self.background.add(program)
        text = plain(program.kept.unread())
        since = "" if at_once else f" after {seconds:g} s"
        told = f"[It goes on in the background{since} as {name}: shell_output tells what it prints,"
        told += " shell_stop ends it. With the conversation it ends, too.]"
        return ToolOutput(f"{text}\n{told}" if text else told)


def _seconds(arguments: JsonObject) -> float | None:
    """Return the time that a call asks for; None where it asks for none that makes sense."""
    asked = arguments.get("timeout")
    if isinstance(asked, bool) or not isinstance(asked, int | float) or not asked > 0:
        return None
    return min(float(asked), LONGEST_SECONDS)


def _last_line(progress: Callable[[str], None]) -> Callable[[bytes], None]:
    """Return what tells the last whole line of each piece of output."""

    def tell(data: bytes) -> None:
        lines = [line for line in plain(data[-2_000:]).splitlines() if line.strip()]
        if lines:
            progress(lines[-1])

    return tell


def _told(program: Program) -> str:
    text = _printed(program.kept)
    lines = [text] if text else []
    lines.append(f"[{ending(program)}]")
    if program.left_running:
        lines.append(
            "[It left something running, which was ended. Start a server with background=true.]"
        )
    return "\n".join(lines)


def _printed(kept: KeptOutput) -> str:
    output, left_out, split = kept.result()
    if not left_out:
        return plain(output)
    where = f" More of it is in {kept.path}: grep it, or read parts of it." if kept.path else ""
    head, tail = plain(output[:split]), plain(output[split:])
    return f"{head}\n[... {left_out:,} bytes left out.{where} ...]\n{tail}"
