"""`victor run`: workflows."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from victor.cli.exits import ExitCode
from victor.cli.options import agent_options
from victor.errors import WorkflowError

if TYPE_CHECKING:
    from victor.cli.start import Options
    from victor.protocols.workflow import WorkflowResult


@click.command(name="run")
@click.argument("workflow", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--input",
    "-i",
    "inputs",
    multiple=True,
    metavar="NAME=TEXT",
    help="An input of the workflow; NAME:=JSON for other than text. May be given several times.",
)
@agent_options
@click.option("--json", "as_json", is_flag=True, help="Print every event as one line of JSON.")
def run_workflow(workflow: Path, inputs: tuple[str, ...], options: Options, as_json: bool) -> int:
    """Run the workflow in a YAML file, step by step.

    Ends with 1 if a step failed. The outputs are printed to stdout, the progress to stderr.

    \b
      victor run fix-tests.yaml -i command="make test"
      victor run release.yaml -i version=1.4 -i dry_run:=true --yes
    """
    from victor.cli.driver import Driver
    from victor.protocols.workflow import WorkflowResult

    driver = Driver(options, as_json=as_json)
    values = parsed(inputs)
    try:
        result: WorkflowResult = driver.run(
            lambda orchestrator: orchestrator.run_workflow(workflow, values)
        )
    except WorkflowError as failure:
        if as_json and isinstance(failure.result, WorkflowResult):
            driver.lines.line("result", **_plain(failure.result))
        raise
    if as_json:
        driver.lines.line("result", **_plain(result))
    else:
        _show(result)
    return ExitCode.DONE if result.status == "done" else ExitCode.FAILED


def parsed(inputs: tuple[str, ...]) -> dict[str, Any]:
    """Return inputs by name. Raises `click.UsageError` for what is not `NAME=TEXT`."""
    values: dict[str, Any] = {}
    for given in inputs:
        name, equals, text = given.partition("=")
        if not (equals and name.rstrip(":")):
            raise click.UsageError(f"An input is written NAME=TEXT or NAME:=JSON, not {given!r}.")
        if not name.endswith(":"):
            values[name] = text
            continue
        try:
            values[name[:-1]] = json.loads(text)
        except ValueError as error:
            raise click.UsageError(f"Input {name[:-1]!r} is no JSON: {error}.") from error
    return values


def _plain(result: WorkflowResult) -> dict[str, Any]:
    from victor.cli.json_lines import plain

    shown: dict[str, Any] = plain(result)
    return shown


def _show(result: WorkflowResult) -> None:
    from victor.visible import readable

    for name, value in result.outputs.items():
        text = value if isinstance(value, str) else json.dumps(_value(value), ensure_ascii=False)
        prefix = f"{name}: " if len(result.outputs) > 1 else ""
        click.echo(readable(prefix + text))
    if result.error:
        sys.stdout.flush()
        click.echo(f"Error: {readable(result.error)}", err=True)


def _value(value: Any) -> Any:
    from victor.cli.json_lines import plain

    return plain(value)
