"""One measurement of one subject, in this process: `python -m benchmarks.measure victor chunk`.

Prints one line of JSON, the last of its output: the figures, by the key of their row.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict

from benchmarks.counting import counting
from benchmarks.ledger import ledger
from benchmarks.long_session import long_session
from benchmarks.processes import command_line, import_milliseconds, installed_megabytes
from benchmarks.script import Json
from benchmarks.subjects import SUBJECTS, load
from benchmarks.turns import MEASURES, QUICK, Counts
from benchmarks.vendors import first_token, per_chunk


def measure(subject: str, name: str, counts: Counts) -> Json:
    """Return the figures of the measurement `name`."""
    if name in _OTHERS:
        return _OTHERS[name](subject, counts)
    figures: Json = dict(asyncio.run(MEASURES[name](load(subject), counts)))
    return figures


def _startup(subject: str, counts: Counts) -> Json:
    about = SUBJECTS[subject]
    figures: Json = {"import": import_milliseconds(about.module, counts.processes)}
    size = installed_megabytes(about.distribution)
    return figures if size is None else figures | {"install": size}


def _command_line(_: str, counts: Counts) -> Json:
    return dict(command_line(counts.processes))


def _wire(subject: str, counts: Counts) -> Json:
    return dict(per_chunk(subject, counts.pieces))


def _first_token(subject: str, counts: Counts) -> Json:
    return dict(first_token(subject, counts.processes))


def _session(_: str, counts: Counts) -> Json:
    return dict(asyncio.run(long_session(counts.messages)))


def _counting(_: str, counts: Counts) -> Json:
    return dict(counting(counts.messages, counts.conversations))


def _ledger(_: str, counts: Counts) -> Json:
    turns = counts.conversations * counts.turns
    return {"ledgers": [asdict(asyncio.run(ledger(calls, turns))) for calls in (0, 1)]}


_OTHERS: dict[str, Callable[[str, Counts], Json]] = {
    "startup": _startup,
    "command_line": _command_line,
    "long_session": _session,
    "counting": _counting,
    "wire": _wire,
    "first_token": _first_token,
    "ledger": _ledger,
}

OF_VICTOR = ("long_growth", "command_line", "long_session", "counting", "ledger")
"""Measurements that only Victor has."""

BESIDE_SDK = ("wire", "first_token")
"""Measurements of Victor and, as the bare loop, of a vendor's SDK."""

OF_ALL = (*(name for name in MEASURES if name not in OF_VICTOR), "startup")
"""Measurements that every subject has."""


def main(arguments: list[str]) -> None:
    """Measure what the command line names, and print the figures."""
    subject, name, *options = arguments
    print(json.dumps(measure(subject, name, QUICK if "--quick" in options else Counts())))


if __name__ == "__main__":
    main(sys.argv[1:])
