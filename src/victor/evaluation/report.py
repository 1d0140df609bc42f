"""Reports as tables and JSON, and two of them compared."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from victor.errors import EvaluationError
from victor.evaluation.statistics import Interval, difference, effective_tries, pass_at_k, wilson
from victor.messages import Usage
from victor.protocols.evaluation import EvaluationReport, Trial


@dataclass(frozen=True, slots=True)
class PassRate:
    """How many tries passed, and what that says."""

    passed: int
    tried: int
    rate: float
    interval: Interval
    """95 %, by Wilson, for as many independent tries as these are worth."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs of the same tasks."""

    before: PassRate
    after: PassRate
    difference: float
    """After minus before."""
    interval: Interval
    """95 %, of the difference. With 0 in it, the runs may be equally good."""
    better: tuple[str, ...]
    """Tasks that passed more often after."""
    worse: tuple[str, ...]
    """Tasks that passed less often after."""
    left_out: tuple[str, ...]
    """Tasks that only one of the two runs tried."""

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return not self.interval.low <= 0 <= self.interval.high


def pass_rate(report: EvaluationReport) -> PassRate:
    """Return the pass rate of all tries."""
    return _rate(report, report.tasks)


def _rate(report: EvaluationReport, tasks: tuple[str, ...]) -> PassRate:
    groups = [[trial.passed for trial in report.of(task)] for task in tasks]
    passed, tried = sum(map(sum, groups)), sum(map(len, groups))
    rate = passed / tried if tried else 0.0
    worth = effective_tries(groups)
    return PassRate(passed, tried, rate, wilson(rate * worth, worth))


def mean_pass_at(report: EvaluationReport, k: int) -> float | None:
    """Return pass@k, averaged over the tasks; None where a task has fewer than `k` tries."""
    chances = []
    for task in report.tasks:
        trials = report.of(task)
        chance = pass_at_k(sum(trial.passed for trial in trials), len(trials), k)
        if chance is None:
            return None
        chances.append(chance)
    return sum(chances) / len(chances) if chances else None


def compare(before: EvaluationReport, after: EvaluationReport) -> Comparison:
    """Compare two runs on the tasks that both tried.

    Raises `EvaluationError` when there are none.
    """
    common = tuple(task for task in before.tasks if task in after.tasks)
    if not common:
        raise EvaluationError(
            f"The runs of {before.suite!r} and {after.suite!r} share no task.",
            hint="Compare two runs of one suite.",
        )
    old, new = _rate(before, common), _rate(after, common)
    gap, interval = difference(_worth(before, common, old), _worth(after, common, new))
    change = {task: _share(after, task) - _share(before, task) for task in common}
    return Comparison(
        before=old,
        after=new,
        difference=gap,
        interval=interval,
        better=tuple(task for task, by in change.items() if by > 0),
        worse=tuple(task for task, by in change.items() if by < 0),
        left_out=tuple(sorted(set(before.tasks) ^ set(after.tasks))),
    )


def _worth(report: EvaluationReport, tasks: tuple[str, ...], rate: PassRate) -> tuple[float, float]:
    groups = [[trial.passed for trial in report.of(task)] for task in tasks]
    return rate.rate, effective_tries(groups)


def _share(report: EvaluationReport, task: str) -> float:
    trials = report.of(task)
    return sum(trial.passed for trial in trials) / len(trials)


def table(report: EvaluationReport) -> str:
    """Return the report as text: a line for each task, a line for all, then why tries failed."""
    rows = [("task", "passed", "mean s", "tokens")]
    for task in report.tasks:
        trials = report.of(task)
        passed = sum(trial.passed for trial in trials)
        seconds = sum(trial.seconds for trial in trials) / len(trials)
        tokens = sum(trial.usage.total for trial in trials)
        rows.append((task, f"{passed}/{len(trials)}", f"{seconds:.1f}", f"{tokens:,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, "", _summary(report), *_reasons(report)])


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    first, *rest = zip(row, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]


def _summary(report: EvaluationReport) -> str:
    rate = pass_rate(report)
    low, high = rate.interval
    share = f"{rate.rate:.0%} (95 % interval {low:.0%} to {high:.0%})"
    parts = [f"{report.suite}: {rate.passed} of {rate.tried} passed, {share}"]
    at_least_once = mean_pass_at(report, report.tries)
    if report.tries > 1 and at_least_once is not None:
        parts.append(f"pass@{report.tries} {at_least_once:.0%}")
    parts += [f"{report.seconds:.1f} s", f"{report.usage.total:,} tokens"]
    return ", ".join(parts)


def _reasons(report: EvaluationReport) -> list[str]:
    failed = [trial for trial in report.trials if not trial.passed]
    lines = [f"{trial.task} #{trial.number}: {_first_line(trial.reason)}" for trial in failed]
    return ["", *lines] if lines else []


def _first_line(reason: str) -> str:
    first, _, rest = reason.strip().partition("\n")
    return f"{first[:200]} …" if rest or len(first) > 200 else first


def comparison_text(comparison: Comparison) -> str:
    """Return the comparison as a few lines of text."""
    low, high = comparison.interval
    verdict = "a clear difference" if comparison.is_clear else "it may be chance"
    rates = f"{comparison.before.rate:.0%} before, {comparison.after.rate:.0%} after"
    change = f"{comparison.difference:+.0%} (95 % interval {low:+.0%} to {high:+.0%})"
    lines = [f"{rates}: {change}, {verdict}"]
    for what in ("better", "worse", "left_out"):
        tasks: tuple[str, ...] = getattr(comparison, what)
        if tasks:
            lines.append(f"{what.replace('_', ' ')}: {', '.join(tasks)}")
    return "\n".join(lines)


def to_dict(report: EvaluationReport) -> dict[str, Any]:
    """Return the report, with its statistics, as plain JSON values."""
    rate = pass_rate(report)
    return {
        "suite": report.suite,
        "run_id": report.run_id,
        "tries": report.tries,
        "seconds": report.seconds,
        "passed": rate.passed,
        "tried": rate.tried,
        "pass_rate": rate.rate,
        "interval_95": list(rate.interval),
        "pass_at": {str(k): mean_pass_at(report, k) for k in range(1, report.tries + 1)},
        "input_tokens": report.usage.input,
        "output_tokens": report.usage.output,
        "trials": [asdict(trial) for trial in report.trials],
    }


def to_json(report: EvaluationReport) -> str:
    """Return the report as one JSON object, which `from_json` reads again."""
    return json.dumps(to_dict(report), indent=2)


def from_json(text: str) -> EvaluationReport:
    """Return the report that `to_json` wrote. Raises `EvaluationError`."""
    try:
        raw = json.loads(text)
        trials = tuple(
            Trial(**{**trial, "usage": Usage(**trial["usage"])}) for trial in raw["trials"]
        )
        return EvaluationReport(
            raw["suite"], trials, raw["tries"], raw["seconds"], raw.get("run_id", "")
        )
    except (ValueError, TypeError, KeyError) as error:
        raise EvaluationError(
            f"This is no evaluation report: {error!r:.100}.",
            hint="`victor eval --json` writes one.",
        ) from error
