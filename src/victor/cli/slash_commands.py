"""What a person can do in a conversation beside talking: the slash commands."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from victor.cli import slash_modes, slash_sessions, slash_undo, slash_views
from victor.cli.desk import Command, Desk, Leave

_COLUMN = 28
"""Where the list of commands says what they do; longer ones have a line of their own."""


def is_command(text: str) -> bool:
    """Return whether `text` is a command, and not a message that begins with a path."""
    word = text.split(maxsplit=1)[0] if text.strip() else ""
    return word.startswith("/") and "/" not in word[1:]


async def run_command(desk: Desk, text: str) -> None:
    """Run the command in `text`. Raises `Leave`, and what the command raises."""
    word, *rest = text.split(maxsplit=1)
    name = word[1:]
    command = COMMANDS.get(_ALIASES.get(name, name))
    if command is None:
        nearest = difflib.get_close_matches(name, COMMANDS, n=1)
        meant = f" Did you mean /{nearest[0]}?" if nearest else ""
        desk.say(f"There is no command {word}.{meant} /help lists them.", style="red")
        return
    await command.run(desk, "".join(rest).strip())


async def _help(desk: Desk, argument: str) -> None:
    from rich.text import Text

    from victor.cli.terminal import hanging

    width = desk.console.width
    column = _COLUMN if width >= 2 * _COLUMN else 6
    for name, command in COMMANDS.items():
        heading = f"  {_heading(name)}"
        if len(heading) + 2 > column:
            desk.say(heading)
            heading = ""
        desk.console.print(hanging(Text(f"{heading:<{column}}{command.summary}"), column, width))
    desk.say("A line that ends with \\ goes on; ``` opens and closes a block of lines.")
    desk.say("Ctrl-C cancels a turn, Ctrl-C twice or Ctrl-D leaves.")


def _heading(name: str) -> str:
    return f"/{name} {COMMANDS[name].usage}".rstrip()


async def _exit(desk: Desk, argument: str) -> None:
    raise Leave


COMMANDS: Mapping[str, Command] = {
    "help": Command("", "list the commands", _help),
    "mode": Command(
        "[build|plan|explore]", "show or change what the agent may do", slash_modes.mode
    ),
    "build": Command("[WORDS]", "let the agent work, by its plan if you agree", slash_modes.build),
    "plan": Command("[WORDS]", "let it only read and plan; show the plan", slash_modes.plan),
    "explore": Command("[WORDS]", "let it only read, as widely as it needs", slash_modes.explore),
    "model": Command(
        "[MODEL|PROVIDER:MODEL]", "show or change the model that serves", slash_views.model
    ),
    "context": Command("", "show how full the context is, and what was used", slash_views.context),
    "compact": Command(
        "[FOCUS|undo]", "make the context smaller now, or take that back", slash_views.compact
    ),
    "explain": Command(
        "[TOPIC [TURN]]",
        "say why: prompt, context, tools, config, safety or model",
        slash_views.explain,
    ),
    "prompt": Command("", "show the parts of the system prompt", slash_views.prompt),
    "tools": Command("", "list the tools", slash_views.tools),
    "mcp": Command(
        "[WORDS]", "list what to type for prompts and resources of servers", slash_views.mcp
    ),
    "undo": Command(
        "", "take back the last turn's changes to files, after a preview", slash_undo.undo
    ),
    "redo": Command("", "bring back what was taken back last, after a preview", slash_undo.redo),
    "rewind": Command(
        "[TURN [files|conversation]]",
        "go back to before a turn, after a preview",
        slash_undo.rewind,
    ),
    "sessions": Command("", "list the recorded sessions of this folder", slash_sessions.sessions),
    "resume": Command(
        "[ID]", "go on with a recorded session, by default the last one", slash_sessions.resume
    ),
    "rename": Command("TITLE", "give this session another title", slash_sessions.rename),
    "tag": Command(
        "[TAG... -TAG...]", "put tags on this session, or take them off", slash_sessions.tag
    ),
    "fork": Command("[TURN]", "go on in a copy of this session", slash_sessions.fork),
    "clear": Command("", "begin a new session; the old one stays recorded", slash_sessions.clear),
    "health": Command("", "show how each part of Victor is doing", slash_views.health),
    "exit": Command("", "leave", _exit),
}

_ALIASES: Mapping[str, str] = {"quit": "exit", "q": "exit", "new": "clear", "?": "help"}
