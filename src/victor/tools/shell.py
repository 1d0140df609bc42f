"""Running commands: `shell`."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from victor.errors import ToolError
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import Access, ToolEnvironment, ToolOutput
from victor.tools.files import refuse_unless_writable
from victor.tools.process import Finished, run_program
from victor.tools.workspace import Workspace

PASSED_ON = frozenset(
    {
        "CARGO_HOME",
        "COLUMNS",
        "CONDA_PREFIX",
        "CPATH",
        "CURL_CA_BUNDLE",
        "DEVELOPER_DIR",
        "GOCACHE",
        "GOMODCACHE",
        "GOPATH",
        "GOROOT",
        "HOME",
        "HOSTNAME",
        "JAVA_HOME",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "LIBRARY_PATH",
        "LINES",
        "LOGNAME",
        "MANPATH",
        "NODE_EXTRA_CA_CERTS",
        "NODE_PATH",
        "NVM_BIN",
        "NVM_DIR",
        "PATH",
        "PKG_CONFIG_PATH",
        "PYENV_ROOT",
        "PYTHONPATH",
        "REQUESTS_CA_BUNDLE",
        "RUSTUP_HOME",
        "SDKROOT",
        "SHELL",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TEMP",
        "TMP",
        "TMPDIR",
        "TZ",
        "USER",
        "VIRTUAL_ENV",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
    }
)
"""Environment variables that commands are given. Everything else stays here, keys above all."""

_PASSED_UNLESS_SECRET = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
_SET = {
    "TERM": "dumb",
    "NO_COLOR": "1",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "MANPAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "DEBIAN_FRONTEND": "noninteractive",
}
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs a command line in the workspace."""

    workspace: Workspace
    passed_on: tuple[str, ...] = ()
    """Names of environment variables to pass on beside `PASSED_ON`."""
    program: str = field(default_factory=lambda: shutil.which("bash") or "/bin/sh")

    spec: ClassVar[ToolSpec] = ToolSpec(
        "shell",
        "Run a shell command in the workspace and get its output and exit code. It has no input.",
        {
            "type": "object",
            "properties": {
                "command": {"type": "string", "description": "Such as: python -m pytest -q"},
                "timeout": {"type": "number", "description": "Seconds after which it is ended"},
            },
            "required": ["command"],
            "additionalProperties": False,
        },
        Effect.EFFECTFUL,
    )

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return nothing: what a command changes cannot be told."""
        return ()

    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        """Return the command."""
        command = arguments.get("command")
        return Access(command=command) if isinstance(command, str) else Access(known=False)

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return what it printed, and how it ended. Raises `ToolError`."""
        refuse_unless_writable(environment)
        command: str = arguments["command"]
        if not command.strip() or "\0" in command:
            raise ToolError("The command is empty or holds a NUL character.")
        asked = arguments.get("timeout")
        # Ended from here, the output so far is still told; ended from outside, it is lost.
        at_most = max(environment.timeout - 2.0, environment.timeout * 0.8)
        seconds = min(asked, at_most) if asked and asked > 0 else at_most
        try:
            finished = await run_program(
                (self.program, "-c", command),
                self.workspace.root,
                child_environment(os.environ, self.passed_on),
                seconds,
            )
        except OSError as error:
            raise ToolError(f"The command could not be started: {error.strerror}.") from error
        return ToolOutput(_told(finished, seconds), is_error=finished.exit_code != 0)


def child_environment(
    environment: Mapping[str, str], passed_on: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return what of `environment` a command is given: names known to be harmless, no others."""
    given = {
        name: value
        for name, value in environment.items()
        if name in PASSED_ON
        or name in passed_on
        or name.startswith("LC_")
        or (name.lower() in _PASSED_UNLESS_SECRET and "@" not in value)
    }
    return {**given, **_SET}


def _told(finished: Finished, seconds: float) -> str:
    text = _decoded(finished)
    lines = [text] if text else []
    lines.append(f"[{_ending(finished.exit_code, seconds)}]")
    if finished.group:
        held = (
            " What it prints from now on is lost; start such a program with its output sent to a"
            " file, as in: program > program.log 2>&1 &"
            if finished.held
            else ""
        )
        lines.append(
            f"[It left something running in the background; stop it with: "
            f"kill -- -{finished.group}{'.' if held else ''}{held}]"
        )
    elif finished.held:
        lines.append("[Something that it started still runs in the background.]")
    return "\n".join(lines)


def _ending(code: int | None, seconds: float) -> str:
    if code is None:
        return f"ended after {seconds:g} s, with everything it had started: it took too long"
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"


def _decoded(finished: Finished) -> str:
    output = finished.output
    if not finished.left_out:
        return _plain(output)
    head, tail = output[: finished.split], output[finished.split :]
    return f"{_plain(head)}\n[... {finished.left_out:,} bytes left out ...]\n{_plain(tail)}"


def _plain(output: bytes) -> str:
    """Return the text without colours, cursor movements and what a progress bar wrote over."""
    text = _ESCAPES.sub("", output.decode("utf-8", "replace"))
    if "\r" in text:
        text = "\n".join(_overwritten(line) for line in text.split("\n"))
    return text.rstrip("\n")


def _overwritten(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]
