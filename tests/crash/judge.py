"""What is looked at after each death: a copy of the files, as another process would find them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests.crash.child import SESSION, TURNS
from tests.crash.rules import objections

from victor.agent.coordinators.session_coordinator import SessionCoordinator
from victor.errors import SessionNotFound
from victor.messages import Request, user
from victor.protocols import Record
from victor.storage.checkpoints import SqliteCheckpointStore
from victor.storage.sqlite import SqliteSessionStore


async def problems(home: Path, *, whole: bool = False) -> tuple[str, ...]:
    """Return what is wrong with what a process left; `whole` where it had all its turns."""
    copy = home / "copy"
    copy.mkdir()
    try:
        for name in ("sessions.db", "checkpoints.db"):
            for file in home.glob(f"{name}*"):
                # What is shared between processes is gone when none is left.
                if file.is_file() and not file.name.endswith("-shm"):
                    shutil.copy2(file, copy)
        found = [*await _of_the_record(home, copy, whole=whole)]
        found += [text for file in copy.glob("*.db") for text in _of_the_file(file)]
        return tuple(found)
    finally:
        shutil.rmtree(copy)


async def _of_the_record(home: Path, copy: Path, *, whole: bool) -> list[str]:
    store, checkpoints = (
        SqliteSessionStore(copy / "sessions.db"),
        SqliteCheckpointStore(copy / "checkpoints.db"),
    )
    try:
        records = await store.load(SESSION)
        kept = {checkpoint.id for checkpoint in await checkpoints.list(SESSION)}
        request = Request("m", (*SessionCoordinator(store).messages(records), user("Go on.")))
    except SessionNotFound:
        records, kept, request = (), set(), Request("m", (user("Begin."),))
    finally:
        await store.aclose()
        await checkpoints.aclose()
    shown = [tuple(json.loads(line)) for line in _lines(home / "shown")]
    found = [*_lost(shown, records, kept), *objections(request), *_effects(home, records)]
    if whole and sum(record.kind == "ended" for record in records) < TURNS:
        found.append("the turns were not completed")
    return found


def _lost(
    shown: list[tuple[str, str]], records: tuple[Record, ...], kept: set[str]
) -> Iterator[str]:
    """Yield what a person has seen and is not there, or not in that order."""
    stored = iter([(record.kind, _name(record)) for record in records])
    for kind, name in shown:
        if kind == "checkpoint":
            if name not in kept:
                yield f"lost: checkpoint {name}"
        elif (kind, name) not in stored:
            yield f"lost: {kind} {name} was shown, and is not on record in this place"
            return


def _name(record: Record) -> str:
    return record.result.call_id if record.result is not None else record.turn_id


def _effects(home: Path, records: tuple[Record, ...]) -> Iterator[str]:
    """Yield effects that happened twice, unknown to the record, or not although it says so."""
    happened = Counter(_lines(home / "workspace" / "effects.txt"))
    intended = {intent.call_id for record in records for intent in record.intents}
    for line, times in happened.items():
        if times > 1:
            yield f"effect: {line} happened {times} times"
        if line not in intended:
            yield f"effect: {line} happened and was not intended"
    for record in records:
        result = record.result
        done = result is not None and result.content.startswith("Appended ")
        if result is not None and done and result.call_id not in happened:
            yield f"effect: {result.call_id} is said to be done, and is not"


def _of_the_file(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as connection:
        for check in ("integrity_check", "foreign_key_check"):
            for row in connection.execute(f"PRAGMA {check}"):
                if row != ("ok",):
                    yield f"{path.name}: {check}: {row}"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
