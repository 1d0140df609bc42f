"""What a person can do in a conversation beside talking: the slash commands."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from victor.cli.approval import ReadLine, read_typed_line
from victor.cli.restore_view import show_points, show_preview, show_result
from victor.cli.session_table import session_table
from victor.errors import VictorError
from victor.pairing import INTERRUPTED
from victor.visible import one_line, readable

if TYPE_CHECKING:
    from rich.console import Console

    from victor.agent.orchestrator import AgentOrchestrator
    from victor.protocols import IProvider
    from victor.restore_plan import UndoReport


class Leave(Exception):
    """The person wants to end the conversation."""


Reopen: TypeAlias = "Callable[[str | None], Awaitable[AgentOrchestrator]]"
"""Closes the conversation and opens another: a recorded session, or a fresh one for None."""

Connect: TypeAlias = "Callable[[str, str | None], tuple[IProvider, str]]"
"""Returns the provider of this name and the model: the given one, or its default."""


class Desk:
    """What slash commands work on: the conversation, and the terminal."""

    def __init__(
        self,
        orchestrator: AgentOrchestrator,
        console: Console,
        *,
        reopen: Reopen,
        connect: Connect,
        read_line: ReadLine = read_typed_line,
    ) -> None:
        self.orchestrator = orchestrator
        self.console = console
        self.reopen = reopen
        self.connect = connect
        self.read_line = read_line

    def say(self, text: str = "", *, style: str = "") -> None:
        """Print a line or more."""
        from rich.text import Text

        self.console.print(Text(readable(text), style=style))

    async def confirm(self, question: str) -> bool:
        """Return whether the person answers with yes."""

        def ask() -> None:
            self.console.print(f"{question} [y/n] ", end="")
            self.console.file.flush()

        answer = await self.read_line(ask)
        return (answer or "").strip().lower() in {"y", "yes"}


@dataclass(frozen=True, slots=True)
class Command:
    """One slash command."""

    usage: str
    """Its arguments, in brackets where they may be left out."""
    summary: str
    run: Callable[[Desk, str], Awaitable[None]]


def is_command(text: str) -> bool:
    """Return whether `text` is a command, and not a message that begins with a path."""
    word = text.split(maxsplit=1)[0] if text.strip() else ""
    return word.startswith("/") and "/" not in word[1:]


async def run_command(desk: Desk, text: str) -> None:
    """Run the command in `text`. Raises `Leave`, and what the command raises."""
    word, _, argument = text.partition(" ")
    name = word[1:]
    command = COMMANDS.get(_ALIASES.get(name, name))
    if command is None:
        nearest = difflib.get_close_matches(name, COMMANDS, n=1)
        meant = f" Did you mean /{nearest[0]}?" if nearest else ""
        desk.say(f"There is no command {word}.{meant} /help lists them.", style="red")
        return
    await command.run(desk, argument.strip())


async def _help(desk: Desk, argument: str) -> None:
    from rich.padding import Padding

    width = max(len(_heading(name)) for name in COMMANDS)
    longest = max(len(command.summary) for command in COMMANDS.values())
    for name, command in COMMANDS.items():
        if width + 4 + longest <= desk.console.width:
            desk.say(f"  {_heading(name):<{width}}  {command.summary}")
        else:
            desk.say(f"  {_heading(name)}")
            desk.console.print(Padding(command.summary, (0, 0, 0, 6)))
    desk.say("A line that ends with \\ goes on; ``` opens and closes a block of lines.")
    desk.say("Ctrl-C cancels a turn, Ctrl-C twice or Ctrl-D leaves.")


def _heading(name: str) -> str:
    return f"/{name} {COMMANDS[name].usage}".rstrip()


async def _mode(desk: Desk, argument: str) -> None:
    if argument:
        desk.orchestrator.set_mode(argument)
    desk.say(f"Mode: {desk.orchestrator.mode}")


def _mode_of(mode: str) -> Callable[[Desk, str], Awaitable[None]]:
    async def run(desk: Desk, argument: str) -> None:
        await _mode(desk, mode)

    return run


async def _model(desk: Desk, argument: str) -> None:
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


async def _context(desk: Desk, argument: str) -> None:
    from victor.cli.context_view import show_picture
    from victor.messages import Request
    from victor.protocols import ITokenCounting

    orchestrator = desk.orchestrator
    show_picture(desk.console, await orchestrator.context_picture())
    current, messages = (
        orchestrator.current,
        orchestrator.context_coordinator.get_context().messages,
    )
    if messages and isinstance(current.provider, ITokenCounting):
        counted = await current.provider.count_tokens(Request(current.model, messages))
        desk.say(f"{current.provider.name} itself counts {counted:,} tokens in these messages.")
    snapshot = getattr(orchestrator.metrics_coordinator, "snapshot", None)
    if snapshot is None:
        return
    figures = snapshot()
    cost = f", {figures.cost_usd:.4f} USD" if figures.cost_usd else ""
    desk.say(
        f"So far {figures.turns} turns, {figures.model_calls} model calls, "
        f"{figures.usage.input:,} tokens in, {figures.usage.output:,} out{cost}."
    )


async def _compact(desk: Desk, argument: str) -> None:
    from victor.cli.context_view import receipt

    if argument == "undo":
        undone = await desk.orchestrator.undo_compaction()
        desk.say("The compaction is taken back." if undone else "Nothing was compacted.")
        return
    done = await desk.orchestrator.compact(argument)
    desk.say("There is nothing that could be left out." if done is None else receipt(done))


async def _explain(desk: Desk, argument: str) -> None:
    from victor.cli.context_view import show_explanation

    topic, _, turn = argument.partition(" ")
    number = int(turn) if turn.isdecimal() else None
    found = await desk.orchestrator.explain(topic or "prompt", turn=number)
    show_explanation(desk.console, found)


async def _tools(desk: Desk, argument: str) -> None:
    from rich.text import Text

    for spec in desk.orchestrator.tool_coordinator.specs:
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(f"  {one_line(spec.name, 40)}", style="bold")
        line.append(f"  {spec.effect}  ", style="dim")
        line.append(one_line(spec.description))
        desk.console.print(line)


async def _undo(desk: Desk, argument: str) -> None:
    orchestrator = desk.orchestrator
    await _agreed(desk, "undo", await orchestrator.preview_undo(), orchestrator.undo)


async def _redo(desk: Desk, argument: str) -> None:
    orchestrator = desk.orchestrator
    await _agreed(desk, "redo", await orchestrator.preview_redo(), orchestrator.redo)


async def _rewind(desk: Desk, argument: str) -> None:
    """Go back to before a turn; without one, list the turns. `files` or `conversation`: only it."""
    orchestrator = desk.orchestrator
    number, _, part = argument.partition(" ")
    if not number.isdecimal() or part not in ("", "files", "conversation"):
        show_points(desk.console, await orchestrator.points())
        desk.say("/rewind TURN goes back to before it; add files or conversation for one of them.")
        return
    turn, files, conversation = int(number), part != "conversation", part != "files"
    await _agreed(
        desk,
        "rewind",
        await orchestrator.preview_rewind(turn, files=files, conversation=conversation),
        lambda: orchestrator.rewind(turn, files=files, conversation=conversation),
    )


async def _agreed(
    desk: Desk, verb: str, preview: UndoReport, act: Callable[[], Awaitable[UndoReport]]
) -> None:
    """Show what would be done, and do it once the person agrees."""
    if not show_preview(desk.console, preview):
        desk.say(f"There is nothing to {verb}.")
    elif await desk.confirm(f"{verb.capitalize()} this?"):
        show_result(desk.console, await act())


async def _sessions(desk: Desk, argument: str) -> None:
    sessions = await desk.orchestrator.sessions(20)
    if not sessions:
        desk.say("No session is recorded for this folder yet.")
        return
    desk.console.print(session_table(sessions, desk.orchestrator.session_id))
    desk.say("/resume ID goes on with one.", style="dim")


async def _resume(desk: Desk, argument: str) -> None:
    desk.orchestrator = await desk.reopen(argument or "last")
    desk.say(going_on(desk.orchestrator))


def going_on(orchestrator: AgentOrchestrator) -> str:
    """Say which session goes on, where, and whether something in it was interrupted at the end."""
    messages = orchestrator.context_coordinator.get_context().messages
    said = f"Session {orchestrator.session_id} goes on after {len(messages)} messages."
    last = messages[-1].tool_results if messages else ()
    cut = sum(result.content == INTERRUPTED for result in last)
    if not cut:
        return said
    calls = "1 tool call" if cut == 1 else f"{cut} tool calls"
    return f"{said} Interrupted before, outcome unknown: {calls}."


async def _clear(desk: Desk, argument: str) -> None:
    desk.orchestrator = await desk.reopen(None)
    desk.say(f"A new session: {desk.orchestrator.session_id}. The one before stays recorded.")


async def _health(desk: Desk, argument: str) -> None:
    for name, health in desk.orchestrator.health().items():
        error = f": {one_line(health.last_error)}" if health.last_error else ""
        desk.say(f"  {name:<16} {health.state}{error}", style="yellow" if error else "")
    endpoints = getattr(desk.orchestrator.provider_coordinator, "health", tuple)
    for endpoint in endpoints():
        desk.say(f"  {endpoint}")


async def _prompt(desk: Desk, argument: str) -> None:
    explain = getattr(desk.orchestrator.prompt_coordinator, "explain", None)
    if explain is None:
        raise VictorError("This prompt coordinator does not explain itself.")
    parts = explain()
    for part in parts:
        desk.say(f"  {part}")
    if not parts:
        desk.say("The system prompt is built with the first message.")


async def _exit(desk: Desk, argument: str) -> None:
    raise Leave


COMMANDS: Mapping[str, Command] = {
    "help": Command("", "list the commands", _help),
    "mode": Command("[build|plan|explore]", "show or change what the agent may do", _mode),
    "build": Command("", "let the agent change files and run commands", _mode_of("build")),
    "plan": Command("", "let it only read, and answer with a plan", _mode_of("plan")),
    "explore": Command("", "let it only read, as widely as it needs", _mode_of("explore")),
    "model": Command("[MODEL|PROVIDER:MODEL]", "show or change the model that serves", _model),
    "context": Command("", "show how full the context is, and what was used", _context),
    "compact": Command("[FOCUS|undo]", "make the context smaller now, or take that back", _compact),
    "explain": Command(
        "[TOPIC [TURN]]",
        "say why: prompt, context, tools, config, safety or model",
        _explain,
    ),
    "prompt": Command("", "show the parts of the system prompt", _prompt),
    "tools": Command("", "list the tools", _tools),
    "undo": Command("", "take back the last turn's changes to files, after a preview", _undo),
    "redo": Command("", "bring back what was taken back last, after a preview", _redo),
    "rewind": Command(
        "[TURN [files|conversation]]", "go back to before a turn, after a preview", _rewind
    ),
    "sessions": Command("", "list the recorded sessions of this folder", _sessions),
    "resume": Command("[ID]", "go on with a recorded session, by default the last one", _resume),
    "clear": Command("", "begin a new session; the old one stays recorded", _clear),
    "health": Command("", "show how each part of Victor is doing", _health),
    "exit": Command("", "leave", _exit),
}

_ALIASES: Mapping[str, str] = {"quit": "exit", "q": "exit", "new": "clear", "?": "help"}
