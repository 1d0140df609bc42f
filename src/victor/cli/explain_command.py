"""`victor explain`: why the prompt, the context, the tools and the rest are as they are."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from victor.cli.options import workspace_option
from victor.cli.start import Options

if TYPE_CHECKING:
    from victor.explanations import Explanation

TOPICS = ("prompt", "context", "tools", "config", "safety", "model")


@click.command()
@click.argument("topic", metavar="TOPIC", type=click.Choice(TOPICS))
@click.option("--session", "session_id", metavar="ID", help="The session.  [default: last]")
@click.option("--turn", type=click.IntRange(1), metavar="N", help="The turn.  [default: last]")
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, in whole.")
def explain(
    topic: str, session_id: str | None, turn: int | None, workspace: Path | None, as_json: bool
) -> None:
    """Say why something is as it is, of a recorded turn.

    \b
      prompt    each part of the system prompt: who wrote it, priority, tokens, cached or not
      context   each message with its tokens; what was compacted, why, and where it is kept
      tools     which were considered and offered, with score and reason
      config    each setting and where it comes from; of a turn, those that shaped its requests
      safety    the rules in force, and what decided of each call
      model     which served, why, and what it took

    What is not on record is said to be unknown, and not guessed.
    """
    options = Options(workspace, on_record=True)
    shown = asyncio.run(_explained(options, topic, session_id, turn))
    if as_json:
        from victor.cli.json_lines import plain

        click.echo(json.dumps(plain(shown), indent=2))
        return
    from victor.cli.context_view import show_explanation
    from victor.cli.terminal import console

    show_explanation(console(plain=not sys.stdout.isatty()), shown)


async def _explained(
    options: Options, topic: str, session_id: str | None, turn: int | None
) -> Explanation:
    """Explain a recorded turn or, where nothing is recorded, what a first one would have."""
    from victor.cli.start import Start

    start = Start(options)
    try:
        orchestrator = await start.open_without_model()
        if session_id is not None or await orchestrator.sessions(1):
            return await orchestrator.explain(topic, turn=turn, session_id=session_id or "last")
        if topic == "config":
            return await orchestrator.explain(topic)
        served = await asyncio.to_thread(start.choose)
        orchestrator = await start.open(served.provider, served.model)
        found = await orchestrator.explain(topic, turn=turn)
        if topic != "model":
            return found
        return replace(found, facts={"chosen, because": served.reason, **found.facts})
    finally:
        await start.close()
