"""What it costs to come into being: CPU time of fresh interpreters, and megabytes on disk."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from benchmarks.script import Figures

_OWN_SOURCE = "victor-ai"


def import_milliseconds(module: str, processes: int) -> float:
    """Return the CPU time of an interpreter that imports `module` and ends."""
    return _command_milliseconds([sys.executable, "-c", f"import {module}"], processes)


def command_line(processes: int) -> Figures:
    """Return the CPU time of the command line's shortest ways."""
    return {
        "version": _command_milliseconds([*_victor(), "--version"], processes),
        "help": _command_milliseconds([*_victor(), "--help"], processes),
    }


def installed_megabytes(distribution: str) -> float | None:
    """Return the size of a distribution and of all that it requires, without compiled files.

    It is read from what is installed, so that nothing is downloaded: extras are left out, whoever
    else may have asked for them. None where that cannot be told.
    """
    if not distribution or find_spec("packaging") is None:
        return None
    return sum(map(_size, _required(distribution))) / 1e6


def _victor() -> list[str]:
    script = Path(sysconfig.get_path("scripts")) / "victor"
    return [str(script)] if script.exists() else [sys.executable, "-m", "victor"]


def _command_milliseconds(command: list[str], processes: int) -> float:
    _cpu_seconds(command)  # The first one compiles.
    return 1e3 * median([_cpu_seconds(command) for _ in range(processes)])


def _cpu_seconds(command: list[str]) -> float:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return used.ru_utime + used.ru_stime


def _required(distribution: str) -> Iterator[str]:
    """Yield the distribution and all that it requires on this machine, each once."""
    from packaging.requirements import Requirement

    seen: set[tuple[str, str]] = set()
    sized: set[str] = set()
    waiting = [(_canonical(distribution), "")]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        if name not in sized:
            sized.add(name)
            yield name
        for line in importlib.metadata.requires(name) or ():
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                found = _canonical(wanted.name)
                waiting += [(found, part) for part in ("", *sorted(wanted.extras))]


def _size(distribution: str) -> int:
    files = importlib.metadata.files(distribution) or ()
    paths = {Path(str(file.locate())) for file in files}
    if distribution == _OWN_SOURCE:
        # It may be installed so that it can be edited; then it is where its source is.
        import victor

        paths |= set(Path(victor.__file__).parent.rglob("*.*"))
    kept = (path for path in paths if path.suffix != ".pyc" and path.is_file())
    return sum(path.stat().st_size for path in kept)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
