"""The command line `victor`: its commands, and what becomes of their errors."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

from victor import __version__
from victor.cli.exits import ExitCode, report
from victor.cli.terminal import survive_odd_text

_COMMANDS = {
    "chat": "victor.cli.chat:chat",
    "config": "victor.cli.config_commands:config",
    "context": "victor.cli.context_command:context",
    "diff": "victor.cli.diff_command:diff",
    "doctor": "victor.cli.doctor:doctor",
    "eval": "victor.cli.eval_command:evaluate",
    "explain": "victor.cli.explain_command:explain",
    "fork": "victor.cli.fork_command:fork",
    "mcp": "victor.cli.mcp_command:mcp",
    "models": "victor.cli.models_command:models",
    "providers": "victor.cli.providers_command:providers",
    "redo": "victor.cli.undo_command:redo",
    "replay": "victor.cli.replay_command:replay",
    "rewind": "victor.cli.undo_command:rewind",
    "run": "victor.cli.run_command:run_workflow",
    "sessions": "victor.cli.sessions_commands:sessions",
    "tools": "victor.cli.tools_command:tools",
    "trust": "victor.cli.trust_command:trust",
    "undo": "victor.cli.undo_command:undo",
}

_EXIT_CODES = """\b
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration,
75 worth a retry (rate limit, outage), 130 cancelled."""


class _LazyGroup(click.Group):
    """Imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        where = _COMMANDS.get(cmd_name)
        if where is None:
            return None
        module, _, name = where.partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(
    cls=_LazyGroup,
    name="victor",
    epilog=_EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(
    __version__, "-V", "--version", prog_name="victor", message="victor %(version)s"
)
def victor() -> None:
    """An agent that reads, searches, edits and runs the code in a folder.

    \b
      victor chat                          talk about the project in this folder
      victor chat "Why does test_x fail?"  one turn, then end
      git diff | victor chat Review: -     with piped text in place of the dash
      victor doctor                        what is set up, and what is missing

    With ANTHROPIC_API_KEY or OPENAI_API_KEY set it uses that vendor; with a running Ollama, that;
    otherwise a small model that runs inside this program, without a key.
    """


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code. Errors are told on stderr, without tracebacks.

    VICTOR_DEBUG=1 shows the traceback as well.
    """
    survive_odd_text()
    _leave_out_relative_paths()
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_left()
    return code


def _leave_out_relative_paths() -> None:
    """Look for programs nowhere that depends on the folder that Victor is started in."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join(folder for folder in folders if os.path.isabs(folder))  # noqa: PTH117  # of PATH


def _invoke(arguments: list[str]) -> int:
    try:
        code: Any = victor.main(args=arguments, prog_name="victor", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as asked:
        click.echo(asked.format_message(), err=True)
        return ExitCode.USAGE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        return ExitCode.CANCELLED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  # the last place: it becomes a text and a code
        return report(error)
    return code if isinstance(code, int) else ExitCode.DONE


def _reader_left() -> int:
    """Return the code for output that nobody reads any more, and keep Python from complaining."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return ExitCode.FAILED
