"""The forms that sessions are written in and read from."""

from __future__ import annotations

from victor.protocols import Record, SessionInfo


def exported(form: str, info: SessionInfo, records: tuple[Record, ...]) -> str:
    """Return a session in one of the forms that there are."""
    from victor.storage.session_file import written
    from victor.transcript import as_html, as_markdown

    forms = {"markdown": as_markdown, "html": as_html, "jsonl": written}
    return forms[form](info, records)


def imported(text: str) -> tuple[SessionInfo, tuple[Record, ...]]:
    """Return the session that was exported as JSON lines. Raises `SessionError`."""
    from victor.storage.session_file import read

    return read(text)
