"""`python -m benchmarks`: measure everything that is installed, and print the tables."""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks.report import as_json, as_text
from benchmarks.run import run
from benchmarks.subjects import present


def main(arguments: list[str] | None = None) -> int:
    """Return 0 where everything was measured, else 1. A budget that is not met is no failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="see that all runs; means nothing")
    parser.add_argument("--repeats", type=int, default=3, help="processes for each median (3)")
    parser.add_argument(
        "--subjects", nargs="+", choices=present(), default=list(present()), help="only these"
    )
    chosen = parser.parse_args(arguments)
    subjects = tuple(name for name in present() if name in chosen.subjects)
    options = ("--quick",) if chosen.quick else ()
    findings = run(subjects, 1 if chosen.quick else chosen.repeats, options, _tell)
    _tell("")
    if chosen.json:
        print(json.dumps(as_json(findings, subjects), indent=2))
    else:
        print(as_text(findings, subjects))
    return 1 if findings.problems else 0


def _tell(what: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{what}")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
