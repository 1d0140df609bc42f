"""Starts a confined process that never ends, and waits to be killed: KIND WORKSPACE."""

import asyncio
import os
import sys
from pathlib import Path

from victor.protocols import Launch, SandboxPolicy
from victor.safety.sandbox import Sandbox, kinds


async def main(name: str, workspace: Path) -> None:
    (kind,) = [kind for kind in kinds() if kind.name == name]
    # Landlock knows no group of processes that ends together: there it is the command itself.
    rest = "exec sleep 1000" if name == "landlock" else "setsid sleep 1000 & sleep 1000"
    launch = Launch(
        ("/bin/sh", "-c", f"touch src/alive; echo started; {rest}"),
        workspace,
        {"PATH": os.environ["PATH"]},
    )
    async with Sandbox((kind,)).confine(launch, SandboxPolicy((workspace,))) as start:
        process = await asyncio.create_subprocess_exec(
            *start.argv,
            cwd=start.folder,
            env=start.environment,
            pass_fds=start.pass_fds,
            start_new_session=True,
        )
        await process.wait()


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
