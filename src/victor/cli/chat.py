"""`victor chat`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from victor.cli.options import agent_options

if TYPE_CHECKING:
    from victor.cli.start import Options


@click.command()
@click.argument("prompt", nargs=-1)
@click.option(
    "--resume",
    metavar="[ID]",
    is_flag=False,
    flag_value="last",
    help="Go on with a recorded session; without an ID, with the last one of this folder.",
)
@click.option(
    "--build-plan",
    is_flag=True,
    help="Hand over the plan of the session that --resume names: it is built, without asking.",
)
@agent_options
@click.option("--json", "as_json", is_flag=True, help="Print every event as one line of JSON.")
@click.option("--no-color", is_flag=True, help="Print no escape codes; so does NO_COLOR=1.")
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write every model call to FILE, without secrets, to be replayed.",
)
@click.option(
    "--replay",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Let a recording answer in a model's place; no key or network is needed.",
)
def chat(
    prompt: tuple[str, ...],
    resume: str | None,
    build_plan: bool,
    options: Options,
    as_json: bool,
    no_color: bool,
    record: Path | None,
    replay: Path | None,
) -> int:
    """Talk with the agent about the code in a folder.

    With a PROMPT, or with text piped in, it runs one turn and ends: the answer goes to stdout,
    everything else to stderr unless stdout is a terminal. In PROMPT, a lone dash stands for the
    piped text. Without either, a conversation begins; /help lists its commands.

    What is risky is asked about. Without a terminal to ask on it is denied, unless --yes is given.

    \b
      victor chat
      victor chat "List the files here and say what the project is"
      git diff | victor chat "Review this change:" -
      victor chat --mode plan "How would you speed up the parser?"
      victor chat --resume --build-plan
      victor chat --json "Run the tests" | jq -r 'select(.event == "text_delta").content'
    """
    if record is not None and replay is not None:
        raise click.UsageError("Give --record or --replay, not both.")
    if build_plan and resume is None:
        raise click.UsageError("--build-plan is about a recorded session: give --resume, too.")
    from victor.cli.chat_session import ChatSession
    from victor.cli.prompt_text import message_of
    from victor.cli.slash_modes import BUILD_IT

    if resume is not None and len(resume.split()) > 1:
        # No session has blanks in its id: these are words, and the session is the last one.
        resume, prompt = "last", (resume, *prompt)
    if build_plan and not prompt and sys.stdin.isatty():
        prompt = (BUILD_IT,)
    try:
        message = message_of(prompt, sys.stdin.buffer, stdin_is_terminal=sys.stdin.isatty())
    except click.UsageError as error:
        if prompt or resume in (None, "last"):
            raise
        meant = f"If {resume!r} is the prompt: victor chat --resume last {resume}"
        raise click.UsageError(f"{error.message} {meant}") from None
    if message is None and (as_json or not sys.stdout.isatty()):
        raise click.UsageError("A conversation needs a terminal. Give a PROMPT, or pipe one in.")
    options = replace(options, record=record, replay=replay)
    session = ChatSession(
        options, resume=resume, build_plan=build_plan, as_json=as_json, plain=no_color
    )
    return session.run(message)
