"""Every measurement of every subject, each in a process of its own, side by side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.ledger import Ledger
from benchmarks.measure import BESIDE_SDK, OF_ALL, OF_VICTOR
from benchmarks.script import Json
from benchmarks.vendors import SUBJECTS as SDK_AND_VICTOR

SECONDS = 300.0
"""What one measurement may take."""

_QUIET = {
    "AGNO_TELEMETRY": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "PYTHONWARNINGS": "ignore",
}
"""Nothing leaves this machine, and nobody pays for telemetry."""


@dataclass(slots=True)
class Findings:
    """What a run found."""

    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    """Medians, by row and subject."""
    ledgers: list[Ledger] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """What could not be measured, and why."""

    def figure(self, row: str, subject: str) -> float | None:
        """Return the median, if it was measured."""
        return self.figures.get(row, {}).get(subject)


def run(
    subjects: tuple[str, ...],
    repeats: int,
    options: tuple[str, ...] = (),
    told: Callable[[str], None] = lambda _: None,
) -> Findings:
    """Return the medians of `repeats` processes for each measurement and subject."""
    findings = Findings()
    found: dict[tuple[str, str], list[float]] = {}
    for turn in range(repeats):
        for name, subject in _plan(subjects):
            told(f"{turn + 1}/{repeats} {name} {subject}")
            try:
                figures = _measured(subject, name, options)
            except (subprocess.SubprocessError, ValueError) as error:
                findings.problems.append(f"{subject}: {name}: {_reason(error)}")
                continue
            if ledgers := figures.pop("ledgers", None):
                findings.ledgers = [Ledger(**one) for one in ledgers]
            for row, value in figures.items():
                found.setdefault((row, subject), []).append(value)
    for (row, subject), values in found.items():
        findings.figures.setdefault(row, {})[subject] = median(values)
    return findings


def _plan(subjects: tuple[str, ...]) -> list[tuple[str, str]]:
    shared = [(name, subject) for name in OF_ALL for subject in subjects]
    shared += [(name, one) for name in BESIDE_SDK for one in subjects if one in SDK_AND_VICTOR]
    return shared + [(name, "victor") for name in OF_VICTOR if "victor" in subjects]


def _measured(subject: str, name: str, options: tuple[str, ...]) -> Json:
    command = [sys.executable, "-m", "benchmarks.measure", subject, name, *options]
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            cwd=Path(__file__).parent.parent,
            env=os.environ | _QUIET | {"VICTOR_HOME": home},
        )
    figures: Json = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def _reason(error: Exception) -> str:
    """Return the last line of what went wrong."""
    text = getattr(error, "stderr", None) or str(error)
    return text.strip().splitlines()[-1] if text.strip() else type(error).__name__
