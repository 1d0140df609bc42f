"""A conversation out of its record: the messages to go on with, and the turns it is made of."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from victor.messages import Message, Text, ToolCall, ToolResult, tool_results
from victor.pairing import interrupted, repair
from victor.protocols import Record

ENDS = frozenset({"ended", "failed", "cancelled"})
"""The kinds of records that end a turn and say what it took."""
IMPORTED = "imported"
"""In the data of records that came from a file: nobody knows who wrote what is in them."""
PARTS = (
    "system",
    "tools",
    "options",
    "settings",
    "model",
    "mode",
    "user",
    "reply",
    "result",
    "end",
)
"""What of a turn is on record, and can be another when it is had again."""


@dataclass(frozen=True, slots=True)
class RecordedTurn:
    """A turn as it was recorded."""

    number: int
    """Counted from 1."""
    id: str
    records: tuple[Record, ...]
    """Its own, in the order in which they were committed."""

    @property
    def asked(self) -> Message | None:
        """What the user said."""
        return next((r.message for r in self.records if r.kind == "user"), None)

    @property
    def words(self) -> str:
        """What the user wrote, without what Victor has put behind it."""
        return words_of(self.asked) if self.asked is not None else ""

    @property
    def replies(self) -> tuple[Message, ...]:
        """What the model answered, step by step."""
        return tuple(r.message for r in self.records if r.kind == "reply" and r.message is not None)

    @property
    def results(self) -> tuple[ToolResult, ...]:
        """What its tool calls gave, as they came."""
        kept = (r.result for r in self.records if r.kind == "result")
        return tuple(result for result in kept if result is not None)

    @property
    def end(self) -> Record | None:
        """How it ended; None where the record breaks off before."""
        return next((r for r in reversed(self.records) if r.kind in ENDS), None)


def words_of(message: Message) -> str:
    """Return what the user wrote: Victor tells a new mode in a part of its own, behind it."""
    first = message.parts[0] if message.parts else None
    return first.text if isinstance(first, Text) else ""


def restored(records: tuple[Record, ...]) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    """Return the conversation that the model is to see, and what had to be mended in it.

    A call that was begun and has no result gets one that says so.
    """
    records = in_force(records)
    rebuilding = _Rebuilding(records)
    for record in records:
        rebuilding.add(record)
    rebuilding.close_step()
    messages, repairs = repair(tuple(rebuilding.messages))
    return messages, (*rebuilding.notes, *repairs)


def in_force(records: tuple[Record, ...]) -> tuple[Record, ...]:
    """Return the records that the conversation goes by: without the turns that were taken back."""
    if not any(record.kind == "rewound" for record in records):
        return records
    kept, _ = _rewound(records)
    return tuple(kept)


def last_rewind(records: tuple[Record, ...]) -> Record | None:
    """Return what a redo brings back: the last `rewound` record that no turn came after."""
    if not any(record.kind == "rewound" for record in records):
        return None
    _, taken = _rewound(records)
    return taken[-1][0] if taken else None


def restored_files(records: tuple[Record, ...]) -> tuple[str, ...]:
    """Return the files that were taken back or brought back since the last turn began."""
    files: dict[str, None] = {}
    for record in reversed(records):
        if record.kind == "user":
            break
        if record.kind == "rewound":
            files.update(dict.fromkeys(record.data.get("files", ())))
    return tuple(files)


def _rewound(
    records: tuple[Record, ...],
) -> tuple[list[Record], list[tuple[Record, list[Record]]]]:
    """Return the records in force, and what was taken back, each with its `rewound` record."""
    kept: list[Record] = []
    taken: list[tuple[Record, list[Record]]] = []
    for record in records:
        if record.kind != "rewound":
            if record.kind == "user":
                taken.clear()
            kept.append(record)
        elif not record.data.get("redo"):
            start = _beginning(kept, record.data.get("to", ""))
            taken.append((record, kept[start:]))
            del kept[start:]
        elif taken:
            kept.extend(taken.pop()[1])
    return kept, taken


def _beginning(records: list[Record], turn_id: str) -> int:
    """Return where the turn begins; the end where there is none of it."""
    if not turn_id:
        return len(records)
    begins = (n for n, one in enumerate(records) if (one.kind, one.turn_id) == ("user", turn_id))
    return next(begins, len(records))


def turns(records: Iterable[Record]) -> tuple[RecordedTurn, ...]:
    """Return the turns, oldest first. What came before the first user message belongs to none."""
    grouped: dict[int, list[Record]] = {}
    for number, record in _numbered(records):
        grouped.setdefault(number, []).append(record)
    return tuple(
        RecordedTurn(number, next(r.turn_id for r in kept if r.kind == "user"), tuple(kept))
        for number, kept in grouped.items()
        if number
    )


def last_number(records: Iterable[Record]) -> int:
    """Return the highest number that a turn of the record has in its id; the next one is free."""
    numbers = (record.turn_id.rpartition("-")[2] for record in records)
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def until(records: Iterable[Record], last: int) -> tuple[Record, ...]:
    """Return the records up to the end of the turn `last`, counted from 1; 0 keeps no turn.

    A result that came after its turn had been cancelled is kept with its turn.
    """
    return tuple(record for number, record in _numbered(records) if number <= last)


def as_it_ended(records: Iterable[Record], last: int) -> tuple[Record, ...]:
    """Return the records up to the end of the turn `last`, also where it was taken back later."""
    kept = list(until(records, last))
    while kept and kept[-1].kind == "rewound":
        kept.pop()
    return tuple(kept)


def taken_back(records: tuple[Record, ...]) -> frozenset[str]:
    """Return the ids of the turns that the model no longer sees, as a rewind took them back."""
    left = {record.turn_id for record in in_force(records)}
    return frozenset(turn.id for turn in turns(records) if turn.id not in left)


def inherited(record: Record) -> Record:
    """Return the record as a fork has it: what the turn took was spent by the parent."""
    if record.kind == "rewound":
        # What was done to files, and can be brought back, is the parent's as well.
        told = {key: value for key, value in record.data.items() if key != "restore"}
        return replace(record, data=told)
    if record.kind not in ENDS:
        return record
    return replace(record, data={"of_parent": dict(record.data)})


def _numbered(records: Iterable[Record]) -> Iterator[tuple[int, Record]]:
    """Give each record with the number of its turn; 0 before the first one."""
    numbers: dict[str, int] = {}
    for record in records:
        if record.kind == "user" and record.turn_id not in numbers:
            numbers[record.turn_id] = len(numbers) + 1
        # What has no turn, such as a workflow's call, stands in the one that it came after.
        yield numbers.get(record.turn_id, len(numbers)), record


@dataclass(slots=True)
class _Rebuilding:
    """A walk through the records: the messages so far, and the step that is not closed yet."""

    records: tuple[Record, ...]
    messages: list[Message] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    open_turn: str = ""
    open_calls: tuple[ToolCall, ...] = ()
    results: dict[tuple[str, str], deque[ToolResult]] = field(default_factory=dict)
    """What calls gave, by turn and call; a result may have come after its turn was cancelled."""

    def __post_init__(self) -> None:
        for record in self.records:
            if record.kind == "result" and record.result is not None:
                key = (record.turn_id, record.result.call_id)
                self.results.setdefault(key, deque()).append(record.result)

    def add(self, record: Record) -> None:
        match record.kind:
            case "user" | "reply" if record.message is not None:
                self.close_step()
                self.messages.append(record.message)
                self._open_step(record.turn_id, record.calls or record.message.tool_calls)
            case "compacted":
                self.close_step()
                self.messages = list(record.context)
                if self.messages:
                    self._open_step(record.turn_id, self.messages[-1].tool_calls)
            case "cancelled" | "failed" | "ended":
                self.close_step()

    def close_step(self) -> None:
        """Answer the calls of the step, if it had some, in one message."""
        if self.open_calls:
            self.messages.append(tool_results(*self._answers(self.open_calls)))
        self.open_calls = ()

    def _open_step(self, turn_id: str, calls: tuple[ToolCall, ...]) -> None:
        self.open_turn, self.open_calls = turn_id, calls

    def _answers(self, calls: tuple[ToolCall, ...]) -> Iterable[ToolResult]:
        for call in calls:
            given = self.results.get((self.open_turn, call.id))
            if given:
                yield given.popleft()
                continue
            self.notes.append(f"tool call {call.name!r} ({call.id}) was interrupted; it is said so")
            yield interrupted(call)
