"""`victor sessions export` and `import`: whole sessions to files, and back."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from victor.cli.on_record import with_record
from victor.cli.options import workspace_option

if TYPE_CHECKING:
    from victor.agent.orchestrator import AgentOrchestrator
    from victor.protocols import Record, SessionInfo

FORMS = {"html": ".html", "markdown": ".md", "jsonl": ".jsonl"}
"""The forms of an export, and how their files end."""


@click.command()
@click.argument("session_id", metavar="[ID]", default="last")
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMS, "md"]),
    help="Markdown and HTML are for people; jsonl is whole, and can be imported.  [default: by"
    " the name of FILE, or html]",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE",
    help="Where to; a dash is stdout.  [default: victor-ID.html]",
)
@click.option("--force", is_flag=True, help="Write over a file that exists.")
@click.option("--keep-secrets", is_flag=True, help="Leave in what looks like a key or password.")
@workspace_option
def export(
    session_id: str,
    form: str | None,
    output: Path | None,
    force: bool,
    keep_secrets: bool,
    workspace: Path | None,
) -> None:
    """Write a session to a file, for people or for another machine.

    What looks like a key, a token or a password is cut out, and so are the environment's secrets;
    what looks like none of them stays. Look through it before you give it away.

    \b
      victor sessions export last
      victor sessions export 4f2a -o bug.md
      victor sessions export 4f2a --format jsonl -o - | ssh other victor sessions import -
    """
    form = "markdown" if form == "md" else form or _form_of(output)

    async def exported(orchestrator: AgentOrchestrator) -> tuple[str, str]:
        session = orchestrator.session_coordinator
        found = await session.resolve(session_id, str(orchestrator.workspace))
        return found, await session.export(found, form, clean=None if keep_secrets else _clean)

    found, text = with_record(workspace, exported)
    if output is not None and str(output) == "-":
        sys.stdout.write(text)
        return
    file = output or Path(f"victor-{_file_name(found)}{FORMS[form]}")
    _write(file, text, force=force)
    click.echo(f"Written to {file}.", err=True)


def _form_of(output: Path | None) -> str:
    ending = output.suffix.lower() if output is not None else ""
    return next((form for form, known in FORMS.items() if known == ending), "html")


def _file_name(session_id: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in session_id)[:40]


def _clean(
    info: SessionInfo, records: tuple[Record, ...]
) -> tuple[SessionInfo, tuple[Record, ...]]:
    """Return the session without what looks like a secret."""
    from victor.cli.json_lines import secrets_of
    from victor.testing.scrub import Scrubber
    from victor.transcript import without_secrets

    return without_secrets(info, records, Scrubber(secrets_of()))


def _write(file: Path, text: str, *, force: bool) -> None:
    """Write the file, for its owner only. Raises `SessionError`."""
    from victor.errors import SessionError

    mode = os.O_TRUNC if force else os.O_EXCL
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | mode, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
    except FileExistsError:
        raise SessionError(
            f"{file} exists.", hint="Name another file, or give --force to write over it."
        ) from None
    except OSError as error:
        raise SessionError(f"{file} cannot be written: {error.strerror}.") from None


@click.command(name="import")
@click.argument("file", type=click.File("rb"))
@click.option("--new-id", is_flag=True, help="Give it an id of its own, beside one that is there.")
@click.option("--here", is_flag=True, help="List it with this folder instead of its own.")
@workspace_option
def import_session(file: Any, new_id: bool, here: bool, workspace: Path | None) -> None:
    """Take in a session that was exported as JSON lines.

    FILE was written by `victor sessions export --format jsonl`; a dash is stdin. Either all of it
    is recorded, or nothing.
    """
    from victor.errors import SessionError

    try:
        text = file.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise SessionError(
            f"{file.name}: this is no session that Victor has exported: it is not UTF-8 text"
            f" (byte {error.start + 1}).",
            hint="Export it again with `victor sessions export --format jsonl`.",
        ) from None

    async def taken_in(orchestrator: AgentOrchestrator) -> SessionInfo:
        return await orchestrator.session_coordinator.add(
            text,
            as_id=os.urandom(8).hex() if new_id else None,
            workspace=str(orchestrator.workspace) if here else None,
        )

    info = with_record(workspace, taken_in)
    from victor.transcript.words import counted

    turns = counted(info.turns, "turn")
    click.echo(f"Imported {info.id}: {turns}. `victor chat --resume {info.id}` goes on.")
