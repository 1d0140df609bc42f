"""What `victor doctor` looks at in the store, and what `--repair` does about it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from victor.cli.findings import Finding, State
from victor.errors import SessionError, VictorError
from victor.visible import one_line

if TYPE_CHECKING:
    from victor.storage.salvage import SalvageReport

SCARCE_BYTES = 200_000_000
"""Below this much free space it is worth a word."""
TOO_LITTLE_BYTES = 5_000_000
"""Below this a conversation can hardly be recorded."""


@dataclass(frozen=True, slots=True)
class Store:
    """The files that Victor keeps."""

    sessions: Path
    checkpoints: Path

    @property
    def databases(self) -> tuple[tuple[str, Path], ...]:
        """Name and path of each."""
        return (("sessions", self.sessions), ("checkpoints", self.checkpoints))


def store_of(config: Mapping[str, Any]) -> Store:
    """Return where the settings say that the store is."""
    from victor.storage.chosen import is_postgres
    from victor.storage.location import checkpoints_database, sessions_database

    named = config.get("session_store")
    if not named or is_postgres(named):
        return Store(sessions_database(), checkpoints_database())
    sessions = Path(named).expanduser().absolute()
    return Store(sessions, checkpoints_database())


def store_findings(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what was found in the store."""
    store = store_of(config)
    folder = store.sessions.parent
    yield _folder(folder)
    yield from _space(folder)
    for name, path in store.databases:
        if path.exists() or _mark(path).exists():
            yield _database(name, path)
            yield from _beside(name, path)
    yield from _open_to_others(store)
    yield from _server(config)
    yield _sqlite()


def _server(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield whether the PostgreSQL server answers, where sessions are on one."""
    from victor.storage.chosen import is_postgres, server

    if not is_postgres(config.get("session_store")):
        return
    try:
        yield Finding("session store", State.OK, asyncio.run(server(config).ping()))
    except VictorError as error:
        yield Finding("session store", State.BROKEN, str(error.args[0]), error.hint)


def repairs(config: Mapping[str, Any]) -> Iterator[str]:
    """Repair what is broken in the store, and yield what was done. Raises `SessionError`."""
    from victor.storage.holds import drop_stale
    from victor.storage.inspection import problems
    from victor.storage.salvage import salvage, set_aside

    store = store_of(config)
    for folder in {path.parent for _, path in store.databases if path.exists()}:
        if not os.access(folder, os.W_OK | os.X_OK):
            raise SessionError(f"{folder} cannot be written.", hint="Make it writable.")
    for path in _exposed(store):
        path.chmod(0o700 if path.is_dir() else 0o600)
        yield f"{path} is for you alone now."
    for _, path in store.databases:
        if dropped := drop_stale(path):
            yield f"{dropped} lock files of processes that have ended were removed."
    if _is_broken(store.sessions) and problems(store.sessions):
        yield from _told(asyncio.run(salvage(store.sessions)), store.sessions)
    if _is_broken(store.checkpoints) and problems(store.checkpoints):
        damaged = set_aside(store.checkpoints)
        yield f"{store.checkpoints} is begun anew: what was done before cannot be undone any more."
        yield f"The damaged file is kept as {damaged}."


def _is_broken(path: Path) -> bool:
    """Return whether there is something that could be; a newer version's is left alone."""
    from victor.storage.schema import VERSION

    return _mark(path).exists() or (path.exists() and (_version(path) or 0) <= VERSION)


def _told(report: SalvageReport, path: Path) -> Iterator[str]:
    kept = sum(session.kept for session in report.sessions)
    lost = sum(session.lost for session in report.sessions)
    yield f"{path} is a new file with {len(report.sessions)} sessions and {kept} records."
    if report.log:
        yield f"The newest records may be gone, as its log could not be read: {report.log}."
    if lost:
        what = "1 record" if lost == 1 else f"{lost} records"
        yield f"{what} could not be read; each session says where:"
    for session in report.sessions:
        if session.lost:
            total = session.kept + session.lost
            yield f"  {session.info.id}: {session.kept} of {total} ({one_line(session.info.title)})"
    if not lost and not report.log:
        yield "Nothing is known to be lost."
    yield f"The damaged file is kept as {report.damaged}."


def _folder(folder: Path) -> Finding:
    nearest = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        detail = f"{folder} is writable" if nearest == folder else f"{folder} will be made"
        return Finding("data folder", State.OK, detail)
    detail = f"{folder} cannot be written"
    return Finding("data folder", State.BROKEN, detail, "Set VICTOR_HOME to a folder of yours.")


def _space(folder: Path) -> Iterator[Finding]:
    nearest = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    free = shutil.disk_usage(nearest).free
    if free < SCARCE_BYTES:
        state = State.BROKEN if free < TOO_LITTLE_BYTES else State.NOTE
        detail = f"{free / 1e6:.1f} MB are free for {folder}"
        yield Finding("free space", state, detail, "Free some, or set VICTOR_HOME to another disk.")


def _database(name: str, path: Path) -> Finding:
    from victor.storage.database import REPAIR
    from victor.storage.inspection import problems
    from victor.storage.schema import VERSION

    try:
        found = problems(path)
    except VictorError as error:
        return Finding(name, State.BROKEN, str(error.args[0]), error.hint)
    version = _version(path)
    if found:
        remedy = "Update Victor." if (version or 0) > VERSION else REPAIR
        return Finding(name, State.BROKEN, f"{path}: {'; '.join(found)}", remedy)
    older = "" if version == VERSION else "; the next use brings it up, and keeps a copy"
    size = f"{path.stat().st_size / 1e6:.1f} MB"
    return Finding(name, State.OK, f"{path}, {size}, intact, version {version}{older}")


def _beside(name: str, path: Path) -> Iterator[Finding]:
    from victor.storage.holds import stale_locks

    stale = len(stale_locks(path))
    if stale:
        detail = f"{stale} of processes that have ended; they keep nobody out"
        yield Finding(f"{name}: lock files", State.NOTE, detail, "--repair removes them.")
    for kept, what in ((".damaged-", "damaged"), (".before-version-", "an earlier version's")):
        files = [
            file
            for file in sorted(path.parent.glob(f"{path.name}{kept}*"))
            if not file.name.endswith(("-wal", "-shm", ".part"))
        ]
        for file in files:
            detail = f"{file}, {file.stat().st_size / 1e6:.1f} MB"
            remedy = "Delete it when you no longer need it; Victor never does."
            yield Finding(f"{name}: {what} copy", State.NOTE, detail, remedy)


def _open_to_others(store: Store) -> Iterator[Finding]:
    exposed = tuple(_exposed(store))
    if exposed:
        names = ", ".join(map(str, exposed))
        detail = f"others may read or write {names}"
        yield Finding("permissions", State.NOTE, detail, "--repair makes them yours alone.")


def _exposed(store: Store) -> Iterator[Path]:
    for _, path in store.databases:
        for file in (path, *sorted(path.parent.glob(f"{path.name}[-.]*"))):
            if file.exists() and file.stat().st_mode & 0o077:
                yield file


def _sqlite() -> Finding:
    import sqlite3

    from victor.storage.inspection import FIXED_SINCE, has_reset_race

    found = sqlite3.sqlite_version
    if not has_reset_race(sqlite3.sqlite_version_info):
        return Finding("sqlite", State.OK, found)
    fixed = ".".join(map(str, FIXED_SINCE))
    return Finding(
        "sqlite",
        State.NOTE,
        f"{found} is older than {fixed}: where one process writes while another moves the log into"
        " the file, a commit may get lost; Victors take turns at both, so they are safe",
        "Let no other program write to Victor's files while Victor runs.",
    )


def _mark(path: Path) -> Path:
    from victor.storage.connection import repair_mark

    return repair_mark(path)


def _version(path: Path) -> int | None:
    """Return the version of the schema; None where it cannot be read."""
    import sqlite3

    from victor.storage.connection import unsafe
    from victor.storage.inspection import version

    try:
        return None if unsafe(path) else version(path)
    except (sqlite3.Error, VictorError):
        return None
