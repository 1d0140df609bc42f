"""What a record adds to its session as listed, and what a search looks at, in every store."""

from __future__ import annotations

from victor.protocols import Record

LAST = frozenset({"ended", "failed", "cancelled"})
"""The kinds that end a turn and carry its figures."""


def figures(record: Record) -> tuple[int, int, int]:
    """Return the turns, input tokens and output tokens that the record adds.

    Only a turn that ended counts as one; the tokens of the others were spent all the same.
    """
    if record.kind not in LAST:
        return 0, 0, 0
    return (
        1 if record.kind == "ended" else 0,
        _count(record, "input_tokens"),
        _count(record, "output_tokens"),
    )


def says(record: Record, text: str) -> bool:
    """Return whether the user or the model said `text`, given in lower case, in this record."""
    return record.message is not None and text in record.message.text.lower()


def _count(record: Record, key: str) -> int:
    value = record.data.get(key)
    return value if isinstance(value, int) else 0
