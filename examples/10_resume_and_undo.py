"""A conversation that goes on in another program, and files that come back.

python examples/10_resume_and_undo.py
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from victor import AgentOrchestrator, Settings
from victor.testing import ScriptedProvider, call


async def first_program(workspace: Path, settings: Settings) -> None:
    provider = ScriptedProvider(
        call("edit", path="poem.txt", old="red", new="blue"), "I made the roses blue."
    )
    async with AgentOrchestrator(settings, provider, workspace=workspace) as orchestrator:
        await orchestrator.chat("Make the roses blue")
    print("after the turn:", (workspace / "poem.txt").read_text(encoding="utf-8"))


async def second_program(workspace: Path, settings: Settings) -> None:
    provider = ScriptedProvider("You asked for blue roses.")
    async with AgentOrchestrator(settings, provider, workspace=workspace) as orchestrator:
        messages = await orchestrator.resume("last")
        print("it goes on after:", [str(message.role) for message in messages])

        preview = await orchestrator.preview_undo()
        print(preview.diff)
        report = await orchestrator.undo()
        print("restored:", [Path(path).name for path in report.restored])
        print("after undo:", (workspace / "poem.txt").read_text(encoding="utf-8"))

        print((await orchestrator.chat("What did I ask for?")).content)


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "work"
        workspace.mkdir()
        (workspace / "poem.txt").write_text("Roses are red", encoding="utf-8")
        settings = Settings(
            session_store=str(Path(folder) / "sessions.db"),
            permissions={"allow": ("edit",)},  # so that nobody need be asked here
        )
        await first_program(workspace, settings)
        await second_program(workspace, settings)


if __name__ == "__main__":
    asyncio.run(main())
