"""What the agent may do: modes, rules, and a person who is asked about the rest.

python examples/05_modes_and_approval.py
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from victor import AgentOrchestrator, Settings
from victor.messages import ToolCall
from victor.testing import ScriptedProvider, call


class Person:
    """Says yes to everything but deleting. A real one would be asked on a screen."""

    async def approve(self, call: ToolCall, question: str) -> bool:
        answer = "rm " not in question
        print(f"  asked: {question.splitlines()[0]} -> {'yes' if answer else 'no'}")
        return answer


async def attempt(workspace: Path, settings: Settings) -> None:
    """Let the model try a read, a write and two commands, and show what became of each."""
    provider = ScriptedProvider(
        call("write", path="notes.txt", content="hello\n"),
        call("read", path="notes.txt"),
        call("shell", command="touch made-by-a-command"),
        call("shell", command="rm -r ."),
        "That is all I tried.",
    )
    async with AgentOrchestrator(
        settings, provider, workspace=workspace, approver=Person()
    ) as orchestrator:
        response = await orchestrator.chat("Try things")
        for message in response.messages:
            for result in message.tool_results:
                print("  refused:" if result.is_error else "  done:   ", result.content.strip())


async def main() -> None:
    rules = {"allow": ("write(*.txt)",), "deny": ("shell(rm *)",)}
    for mode in ("plan", "build"):
        print(f"mode {mode}")
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings.model_validate(
                {"ephemeral": True, "mode": mode, "permissions": rules}
            )
            await attempt(Path(folder), settings)


if __name__ == "__main__":
    asyncio.run(main())
