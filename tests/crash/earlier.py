"""A database as the first version of Victor left it, written without the code of today."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from zlib import crc32

from tests.crash.child import SESSION

from victor.storage.schema import APPLICATION_ID, MIGRATIONS

_BODIES = (
    ("user", '{"v":1,"message":{"role":"user","parts":[{"text":"Turn 0"}]}}'),
    ("reply", '{"v":1,"message":{"role":"assistant","parts":[{"text":"Done."}]}}'),
    ("ended", '{"v":1,"data":{"input_tokens":10,"output_tokens":5,"cost_usd":0.25,"seconds":2}}'),
)


def write(path: Path, version: int = 1, turns: int = 2) -> None:
    """Write a database of that version with one session of some turns."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statements in MIGRATIONS[:version]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute(
            "INSERT INTO sessions (number, id, title, workspace, provider, model, created, updated,"
            " turns, input_tokens, output_tokens)"
            " VALUES (1, ?, 'Old', '/w', 'p', 'm', 1, 2, ?, ?, ?)",
            (SESSION, turns, 10 * turns, 5 * turns),
        )
        for number in range(turns):
            for kind, body in _BODIES:
                turn_id = f"{SESSION}-{number + 1}"
                check = crc32(f"{kind}\0{turn_id}\0{body}".encode())
                connection.execute(
                    "INSERT INTO records (session, position, kind, turn_id, time, body, crc32)"
                    " SELECT 1, count(*), ?, ?, 3, ?, ? FROM records",
                    (kind, turn_id, body, check),
                )
