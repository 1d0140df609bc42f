"""`python -m tests.crash`: kill 500 processes and print what came of it (`make crash-test`)."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.crash.campaign import run


def main() -> int:
    """Return 0 where nothing was lost, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=500, help="how many processes to kill (500)")
    parser.add_argument("--seed", type=int, default=1, help="of what is left to chance (1)")
    parser.add_argument("--workers", type=int, default=2 * (os.cpu_count() or 2))
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="victor-crash-"))
    report = run(chosen.kills, folder, seed=chosen.seed, workers=chosen.workers, tell=_tell)
    _tell(None)
    print(report.table())
    print(f"\n{report.kills} killed in {report.seconds:.0f} s, {len(report.problems)} wrong.")
    for text in report.problems:
        print(f"- {text}")
    if not report.problems:
        folder.rmdir()
    return 1 if report.problems or report.kills < chosen.kills else 0


def _tell(killed: int | None) -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" if killed is None else f"\r\033[K{killed} killed")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
