"""What is open on the todo list outlives a compaction, without touching the prompt in front."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.messages import Request
from victor.testing import ScriptedProvider, call

pytestmark = pytest.mark.anyio

New = Callable[..., AgentOrchestrator]
ITEMS = [{"text": "read it", "status": "done"}, {"text": "mend it", "status": "in_progress"}]


def seen(request: Request) -> str:
    return "\n".join(message.text for message in request.messages)


@pytest.mark.parametrize("strategy", ["truncation", "hybrid", "summarization"])
async def test_an_open_todo_list_is_told_again_and_a_resumed_session_has_it(
    new: New, tmp_path: Path, strategy: str
) -> None:
    words = "word " * 400
    recorded: dict[str, Any] = {
        "ephemeral": False,
        "session_store": str(tmp_path / "s.db"),
        "context_compaction_strategy": strategy,
    }
    provider = ScriptedProvider(
        call("todo", items=ITEMS), "Begun.", *[words] * 9, "A summary.", "Done.", repeat=True
    )
    made = new(provider=provider, **recorded)
    await made.chat("Begin.")
    for turn in range(9):
        await made.chat(f"Look at part {turn}.")
    before = provider.requests[-1]

    done = await made.compact()
    await made.chat("Go on.")

    assert done is not None
    after = provider.requests[-1]
    assert not any(message.tool_calls for message in after.messages)
    assert seen(after).count("todo list as it stands, 1 of 2 items done") == 1
    assert "[>] mend it" in seen(after)
    assert "1 open todo list told again" in done.what
    assert (after.system, after.tools) == (before.system, before.tools)
    explained = await made.explain("context")
    assert any("1 open todo list told again" in str(part.figures) for part in explained.parts)
    assert any(part.why.startswith("(Victor: your todo list") for part in explained.parts)
    await made.close()

    last = ScriptedProvider("Fine.", repeat=True)
    again = new(provider=last, **recorded)
    await again.resume()
    await again.chat("Go on.")
    assert "[>] mend it" in seen(last.requests[-1])
    await again.close()
