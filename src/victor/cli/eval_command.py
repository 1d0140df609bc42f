"""`victor eval`: how often the agent solves the tasks of a suite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from victor.cli.exits import ExitCode
from victor.cli.options import agent_options

if TYPE_CHECKING:
    from victor.cli.start import Options
    from victor.protocols.evaluation import EvaluationReport


@click.command(name="eval")
@click.argument("suite", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--tries",
    "-n",
    type=click.IntRange(1),
    help="How often each task is tried.  [default: what the suite says, or 1]",
)
@click.option(
    "--compare",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="REPORT",
    help="Compare with an earlier report, written with --json.",
)
@agent_options
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def evaluate(
    suite: Path, tries: int | None, compare: Path | None, options: Options, as_json: bool
) -> int:
    """Try the tasks of a suite, and report how many pass.

    SUITE is a YAML file. Each try runs in a copy of the task's folder and a conversation of its
    own. The checks of a suite run commands on this machine: evaluate only suites that you trust.
    Nobody is asked while it runs, so most suites need --yes. Ends with 1 if no try passed.

    \b
      victor eval suite.yaml --tries 5 --yes
      victor eval suite.yaml --json > before.json
      victor eval suite.yaml --compare before.json
    """
    from victor.cli.driver import Driver
    from victor.evaluation.report import from_json, to_json

    earlier = from_json(compare.read_text(encoding="utf-8")) if compare else None
    driver = Driver(options, as_json=False)
    report: EvaluationReport = driver.run(
        lambda orchestrator: orchestrator.evaluate(suite, **({"tries": tries} if tries else {}))
    )
    if as_json:
        click.echo(to_json(report))
    else:
        _show(report, earlier)
    return ExitCode.DONE if any(trial.passed for trial in report.trials) else ExitCode.FAILED


def _show(report: EvaluationReport, earlier: EvaluationReport | None) -> None:
    from victor.evaluation.report import compare, comparison_text, table
    from victor.visible import readable

    click.echo(readable(table(report)))
    if earlier is not None:
        click.echo("\n" + readable(comparison_text(compare(earlier, report))))
