"""What every test stands on: one event loop backend, and a home of its own.

With `CI=true` a test that is skipped fails: there, everything real must be present.
"""

from __future__ import annotations

import gc
import itertools
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

FINE_TO_SKIP = (
    "root may read everything",
    "only root",
    "not on this platform",
    "this protocol has",
)
"""Beginnings of the reasons that no single machine can do without."""

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _nothing_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _nothing_skipped((yield))


def _nothing_skipped(report: Report) -> Report:
    if not report.skipped or os.environ.get("CI") != "true" or hasattr(report, "wasxfail"):
        return report
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith(FINE_TO_SKIP):
        report.outcome = "failed"
        report.longrepr = f"{reason}; nothing may be skipped with CI=true"
    return report


SLOW = (
    "benchmarks",
    "crash",
    "docs",
    "guide",
    "unit/cli/test_command_line",
    "unit/cli/test_conversation",
    "unit/cli/test_doctor_store",
    "unit/cli/test_sessions_commands",
    "unit/evaluation/test_trial",
    "unit/providers/test_exchange",
    "unit/providers/local/test_weights",
    "unit/storage/test_inspection",
    "unit/storage/test_search_index",
    "unit/storage/test_sqlite",
    "unit/storage/test_wal_check",
    "unit/tools/test_search",
    "recall",
    "unit/embedding",
    "unit/tools/test_shell",
    "unit/tools/test_web",
    "wire",
)
"""Where tests import the vendors' SDKs, start servers or processes, run whole programs, or wait for
a database on the disk."""


def pytest_configure() -> None:
    """Hear Ctrl-C, also where the tests run in the background, which lets it be ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Spare the garbage collector the tests themselves: they stay until the end."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the unit suite free of what takes its time from the machine or from many made-up cases,
    and not from the code."""
    here = Path(__file__).parent
    for item in items:
        tries_many = hasattr(getattr(item, "obj", None), "hypothesis")
        if tries_many or item.path.relative_to(here).as_posix().startswith(SLOW):
            item.add_marker("slow")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders, each for one test. pytest's own numbering would look at all of them each time."""
    base = tmp_path_factory.mktemp("homes")
    return (base / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def home_of_its_own(
    homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Path:
    """Nothing of the person who runs the tests is read or written, and no key of theirs is used."""
    home = next(homes)
    home.mkdir()
    kept = {"VICTOR_MODELS_DIR"} if request.node.get_closest_marker("model") else set()
    for name in tuple(os.environ):
        if name.startswith("VICTOR_") and name not in kept:
            monkeypatch.delenv(name)
        if name.endswith(("_API_KEY", "_BASE_URL")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VICTOR_HOME", str(home))
    return home
