"""Opens each repository named on the command line as a person would: SERVER_PORT REPOSITORY...

Prints a JSON line for each: which programs were started, whom was talked to, and what was read.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

STARTED: list[str] = []
CALLED: list[str] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen":
        STARTED.append(os.fsdecode(arguments[0] or arguments[1][0]))
    elif event in ("os.system", "os.exec", "os.posix_spawn", "os.spawn"):
        STARTED.append(str(arguments[0]))
    elif event == "socket.connect":
        CALLED.append(str(arguments[1]))


async def _session(folder: Path) -> list[str]:
    from victor.cli.start import Options, Start
    from victor.testing import ScriptedProvider, call

    calls = [
        *(call("read", path=name) for name in ("README.md", "AGENTS.md", ".git/config", ".env")),
        call("list"),
        call("glob", pattern="**/*.md"),
        call("grep", pattern="hello"),
        call("write", path="new.txt", content="x"),
        *(call("shell", command=f"git {command}") for command in ("status", "log", "diff")),
        call("shell", command="make"),
    ]
    start = Start(Options(folder), choose=lambda *_: None)  # type: ignore[arg-type, return-value]
    provider = ScriptedProvider(calls, "Done.", repeat=True)
    agent = await start.open(provider, "scripted")
    names = {spec.name for spec in agent.tool_coordinator.specs}
    if "git" in names:
        calls += [call("git", command=command) for command in ("status", "diff", "log", "show")]
        calls += [
            call("git", command="blame", paths=["README.md"]),
            call("git", command="commit", paths=["README.md"], message="two"),
        ]
    try:
        await agent.chat("What is this?", prompt_context={})
        sent = provider.requests[-1]
        results = [result.content for result in sent.messages[-1].tool_results]
        return [sent.system or "", *results]
    finally:
        await agent.close()


def main(folders: list[str]) -> None:
    from victor.cli.app import run

    sys.addaudithook(_hear)
    for folder in folders:
        STARTED.clear()
        CALLED.clear()
        os.chdir(folder)
        told: list[str] = []
        for arguments in (["doctor"], ["config", "show"], ["tools"], ["trust"]):
            with redirect_stdout(io.StringIO()) as out, redirect_stderr(out):
                run(arguments)
            told.append(out.getvalue())
        told += asyncio.run(asyncio.wait_for(_session(Path(folder)), 50))
        line = {"folder": folder, "started": STARTED, "called": CALLED, "told": told}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
