"""The options that every command that starts an agent takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from victor.cli.start import Options

Function = TypeVar("Function", bound=Callable[..., Any])

MODES = ("build", "plan", "explore")

workspace_option = click.option(
    "--workspace",
    "-C",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="The folder to work in.  [default: the current one]",
)
provider_option = click.option(
    "--provider",
    metavar="NAME",
    help="Who serves: anthropic, openai, ollama, local, ... `victor models` lists them.",
)
model_option = click.option(
    "--model", "-m", metavar="NAME", help="The model's name, as its vendor spells it."
)
mode_option = click.option(
    "--mode",
    type=click.Choice(MODES, case_sensitive=False),
    help="What the agent may do: build changes things, plan and explore only read.",
)
yes_option = click.option(
    "--yes",
    "-y",
    is_flag=True,
    help="Run what would be asked about. What the rules deny stays denied.",
)
no_sandbox_option = click.option(
    "--no-sandbox",
    is_flag=True,
    help="Run commands unconfined: they can do whatever you can do.",
)
ephemeral_option = click.option(
    "--ephemeral", is_flag=True, help="Keep no record: the session is lost at the end."
)

_AGENT = (
    workspace_option,
    provider_option,
    model_option,
    mode_option,
    yes_option,
    no_sandbox_option,
    ephemeral_option,
)


def agent_options(function: Function) -> Function:
    """Give a command the options of an agent; it receives them as `options`."""

    @wraps(function)
    def with_options(
        *,
        workspace: Path | None,
        provider: str | None,
        model: str | None,
        mode: str | None,
        yes: bool,
        no_sandbox: bool,
        ephemeral: bool,
        **others: Any,
    ) -> Any:
        options = Options(workspace, provider, model, mode, yes, ephemeral, no_sandbox=no_sandbox)
        return function(options=options, **others)

    decorated: Any = with_options
    for option in reversed(_AGENT):
        decorated = option(decorated)
    return cast("Function", decorated)
