"""What a compaction took out can be read again by the model's own tools."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.messages import Request, ToolCall, ToolResult
from victor.testing import ScriptedProvider, call

pytestmark = pytest.mark.anyio

New = Callable[..., AgentOrchestrator]


def said(request: Request) -> str:
    texts = []
    for message in request.messages:
        texts.append(message.text)
        texts += [part.content for part in message.parts if isinstance(part, ToolResult)]
    return "\n".join(texts)


async def test_a_fact_that_was_left_out_is_one_search_away(
    new: New, workspace: Path, tmp_path: Path
) -> None:
    (workspace / "notes.txt").write_text("The port is 48211.\n" + "filler line\n" * 400)
    asked: list[str] = []

    def search(request: Request) -> list[ToolCall]:
        found = re.search(r"word for word in (\S+):", said(request))
        assert found, "the place was to be told"
        asked.append(found[1])
        return [call("grep", pattern="The port is", path=found[1])]

    provider = ScriptedProvider(
        [call("read", path="notes.txt")],
        "Read.",
        *["word " * 400] * 9,
        search,
        "48211",
        context_window=9_000,
        max_output=1_000,
    )
    made = new(
        provider=provider,
        ephemeral=False,
        session_store=str(tmp_path / "sessions.db"),
        context_compaction_strategy="truncation",
    )
    await made.chat("Read the notes.")
    for _ in range(9):
        await made.chat("Go on.")
    assert "48211" not in said(provider.requests[-1])

    response = await made.chat("Which port was it?")
    await made.close()

    assert response.content == "48211"
    assert "The port is 48211." in said(provider.requests[-1])
    assert oct(Path(asked[0]).stat().st_mode & 0o777) == "0o600"
