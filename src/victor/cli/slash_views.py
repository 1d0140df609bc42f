"""The slash commands that show something: the model, the context, tools, health and reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from victor.errors import VictorError
from victor.messages import Effect
from victor.transcript.words import counted as number_of
from victor.visible import one_line

if TYPE_CHECKING:
    from victor.cli.desk import Desk


async def model(desk: Desk, argument: str) -> None:
    """Show or change the model."""
    if argument:
        vendor, _, model = argument.partition(":")
        if model or _is_provider(vendor):
            desk.orchestrator.switch(*desk.connect(vendor, model or None))
        else:
            desk.orchestrator.switch(None, argument)
    current = desk.orchestrator.current
    info = current.provider.model_info(current.model)
    known = "" if info.known else " (unknown to Victor: figures are guessed)"
    desk.say(
        f"{current.provider.name} · {current.model} · window {info.context_window:,} tokens{known}"
    )


def _is_provider(name: str) -> bool:
    from victor.cli.start import provider_names

    return name in provider_names()


async def context(desk: Desk, argument: str) -> None:
    """Show how full the context is, and what was used."""
    from victor.cli.context_view import show_picture

    orchestrator = desk.orchestrator
    show_picture(desk.console, await orchestrator.context_picture())
    await _vendors_count(desk)
    snapshot = getattr(orchestrator.metrics_coordinator, "snapshot", None)
    if snapshot is None:
        return
    figures = snapshot()
    cost = f", {figures.cost_usd:.4f} USD" if figures.cost_usd else ""
    desk.say(
        f"So far {number_of(figures.turns, 'turn')}, "
        f"{number_of(figures.model_calls, 'model call')}, "
        f"{figures.usage.input:,} tokens in, {figures.usage.output:,} out{cost}."
    )


async def _vendors_count(desk: Desk) -> None:
    """Say how many tokens the vendor itself counts, where it does and there are messages."""
    from victor.errors import ProviderError
    from victor.messages import Request
    from victor.protocols import ITokenCounting

    current = desk.orchestrator.current
    messages = desk.orchestrator.context_coordinator.get_context().messages
    if not messages or not isinstance(current.provider, ITokenCounting):
        return
    try:
        counted = await current.provider.count_tokens(Request(current.model, messages))
    except ProviderError:  # a server that speaks the protocol often does not count
        desk.say(f"{current.provider.name} itself gives no count now.")
        return
    desk.say(f"{current.provider.name} itself counts {counted:,} tokens in these messages.")


async def compact(desk: Desk, argument: str) -> None:
    """Make the context smaller, or take that back."""
    from victor.cli.context_view import receipt

    if argument == "undo":
        undone = await desk.orchestrator.undo_compaction()
        desk.say("The compaction is taken back." if undone else "Nothing was compacted.")
        return
    done = await desk.orchestrator.compact(argument)
    desk.say("There is nothing that could be left out." if done is None else receipt(done))


async def explain(desk: Desk, argument: str) -> None:
    """Say why."""
    from victor.cli.context_view import show_explanation

    topic, _, turn = argument.partition(" ")
    number = int(turn) if turn.isdecimal() else None
    found = await desk.orchestrator.explain(topic or "prompt", turn=number)
    show_explanation(desk.console, found)


async def tools(desk: Desk, argument: str) -> None:
    """List the tools."""
    from rich.text import Text

    specs = desk.orchestrator.tool_coordinator.specs
    width = max((len(one_line(spec.name, 40)) for spec in specs), default=0)
    for spec in specs:
        does = "reads  " if spec.effect is Effect.READ_ONLY else "changes"
        line = Text.assemble((f"  {one_line(spec.name, 40):<{width}}", "bold"), f"  {does}  ")
        line.append(one_line(spec.description), style="dim")
        desk.console.print(line, no_wrap=True, overflow="ellipsis")


def known_names(desk: Desk) -> tuple[str, ...]:
    """Return what can be typed for prompts and resources of servers that run by now."""
    attachments = getattr(desk.orchestrator.tool_coordinator, "attachments", None)
    return () if attachments is None else tuple(one.name for one in attachments.mentionable())


async def mcp(desk: Desk, argument: str) -> None:
    """List what MCP servers let a person name in a message, or what of it has these words."""
    found = await desk.orchestrator.mentionable()
    for one in found:
        if argument in one.name:
            desk.say(f"  {one_line(f'{one.name} {one.usage}', 300)}  {one_line(one.summary)}")
    if not found:
        desk.say("No MCP server offers a prompt or a resource; `victor mcp` lists the servers.")


async def health(desk: Desk, argument: str) -> None:
    """Show how each part is doing."""
    for name, health in desk.orchestrator.health().items():
        error = f": {one_line(health.last_error)}" if health.last_error else ""
        desk.say(f"  {name:<16} {health.state}{error}", style="yellow" if error else "")
    endpoints = getattr(desk.orchestrator.provider_coordinator, "health", tuple)
    for endpoint in endpoints():
        desk.say(f"  {endpoint}")


async def prompt(desk: Desk, argument: str) -> None:
    """Show the parts of the system prompt."""
    explain = getattr(desk.orchestrator.prompt_coordinator, "explain", None)
    if explain is None:
        raise VictorError("This prompt coordinator does not explain itself.")
    parts = explain()
    for part in parts:
        desk.say(
            f"{part.contributor} · priority {part.priority} · {part.tokens:,} tokens", style="bold"
        )
        desk.say(f"{part.text}\n", style="dim")
    if not parts:
        desk.say("The system prompt is built with the first message.")
