"""The findings as tables."""

from __future__ import annotations

import importlib.metadata
import os
import platform

from benchmarks.ledger import PROMISED_SHARE, Ledger
from benchmarks.rows import ROWS, Row
from benchmarks.run import Findings
from benchmarks.script import Json
from benchmarks.subjects import SUBJECTS
from victor.agent.coordinator_access import COORDINATORS


def as_text(findings: Findings, subjects: tuple[str, ...]) -> str:
    """Return the tables that a person reads; they are also Markdown."""
    parts = [_conditions(subjects), _absolute(findings, subjects), _ratios(findings, subjects)]
    parts += map(_ledger, findings.ledgers)
    parts += [f"not measured: {problem}" for problem in findings.problems]
    return "\n\n".join(parts)


def as_json(findings: Findings, subjects: tuple[str, ...]) -> Json:
    """Return everything as one JSON object."""
    rows = {
        row.key: {
            "title": row.title,
            "unit": row.unit,
            "budget": row.budget,
            "verdict": row.verdict(findings.figure(row.key, "victor")),
            "figures": findings.figures.get(row.key, {}),
        }
        for row in ROWS
    }
    ledgers = [
        {
            "tool_calls": one.calls,
            "seconds": one.seconds,
            "coordinators_seconds": one.coordinators,
            "share": one.share(one.coordinators),
            "promised_share": PROMISED_SHARE,
        }
        for one in findings.ledgers
    ]
    return {
        "conditions": _conditions(subjects),
        "rows": rows,
        "ledgers": ledgers,
        "problems": findings.problems,
    }


def _conditions(subjects: tuple[str, ...]) -> str:
    versions = ", ".join(
        f"{SUBJECTS[name].title} {importlib.metadata.version(SUBJECTS[name].distribution)}"
        for name in subjects
        if SUBJECTS[name].distribution
    )
    return (
        f"Python {platform.python_version()} on {platform.system()}, {os.cpu_count()} cores;"
        f" medians; CPU time unless it says wall. {versions}."
    )


def _absolute(findings: Findings, subjects: tuple[str, ...]) -> str:
    head = ["Work", "Unit", *(SUBJECTS[name].title for name in subjects), "Victor at most", ""]
    lines: list[list[str]] = []
    for row in ROWS:
        if not findings.figures.get(row.key):
            continue
        cells = [_number(row, findings.figure(row.key, name)) for name in subjects]
        verdict = row.verdict(findings.figure(row.key, "victor"))
        lines.append([row.title, row.unit, *cells, _number(row, row.budget), verdict])
    return _table(head, lines)


def _ratios(findings: Findings, subjects: tuple[str, ...]) -> str:
    """Return how many times the bare loop everybody takes, and Victor its budget."""
    others = tuple(name for name in subjects if name != "bare")
    head = ["Ratio", *(f"{SUBJECTS[name].title} / bare" for name in others), "Victor / budget"]
    lines: list[list[str]] = []
    for row in ROWS:
        bare = findings.figure(row.key, "bare") if row.compared else None
        cells = [_ratio(findings.figure(row.key, name), bare) for name in others]
        cells.append(_ratio(findings.figure(row.key, "victor"), row.budget))
        if any(cells):
            lines.append([row.title, *cells])
    return _table(head, lines)


def _ledger(ledger: Ledger) -> str:
    work = f"turn with {ledger.calls} tool call" if ledger.calls else "text turn"
    calls = "2 model calls" if ledger.model_calls == 2 else "1 model call"
    head = [f"Ledger: {work}", "us", f"% of {calls} of 100 ms"]
    lines = [_entry(name, ledger.seconds[name], ledger) for name in COORDINATORS]
    lines.append(_entry("all fifteen", ledger.coordinators, ledger))
    lines.append(_entry("the turn itself: order, guard, events", ledger.seconds["turn"], ledger))
    table = _table(head, lines)
    kept = "kept" if ledger.share(ledger.coordinators) < PROMISED_SHARE else "broken"
    return f"{table}\n\nThe promise of less than {PROMISED_SHARE:.0%} is {kept}."


def _entry(name: str, seconds: float, ledger: Ledger) -> list[str]:
    return [name, f"{seconds * 1e6:.1f}", f"{100 * ledger.share(seconds):.3f}"]


def _number(row: Row, value: float | None) -> str:
    return "" if value is None else f"{value:,.{row.digits}f}"


def _ratio(value: float | None, base: float | None) -> str:
    if value is None or not base:
        return ""
    ratio = value / base
    return f"{ratio:,.0f}x" if ratio >= 10 else f"{ratio:.2f}x"


def _table(head: list[str], lines: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]

    def written(cells: list[str]) -> str:
        first, *rest = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
        return f"| {' | '.join(padded)} |"

    rule = "|".join(["", "-" * (widths[0] + 2), *("-" * (w + 1) + ":" for w in widths[1:]), ""])
    return "\n".join([written(head), rule, *map(written, lines)])
