"""Analytics on the console and in a file."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from victor.protocols import AnalyticsEvent, IAnalyticsExporter
from victor.telemetry import ConsoleAnalyticsExporter, JsonLinesAnalyticsExporter

pytestmark = pytest.mark.anyio

EVENTS = [
    AnalyticsEvent("turn_started", "s1", {"characters": 5}, 1.5),
    AnalyticsEvent("tool_call_ended", "s1", {"tool": "evil\x1b[2J\n", "is_error": False}, 2.5),
]


async def test_the_console_gets_one_line_for_each_event_with_nothing_that_moves_the_cursor() -> (
    None
):
    stream = io.StringIO()
    result = await ConsoleAnalyticsExporter(stream).export(EVENTS)
    assert (result.success, result.exported_count) == (True, 2)
    assert stream.getvalue().splitlines() == [
        'analytics turn_started session="s1" characters=5',
        'analytics tool_call_ended session="s1" tool="evil\\u001b[2J\\n" is_error=false',
    ]


async def test_the_console_is_stderr_unless_told_otherwise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    await ConsoleAnalyticsExporter().export(EVENTS[:1])
    assert capsys.readouterr().err.startswith("analytics turn_started")


async def test_a_closed_console_is_a_failed_export() -> None:
    stream = io.StringIO()
    stream.close()
    result = await ConsoleAnalyticsExporter(stream).export(EVENTS)
    assert not result.success
    assert "console" in (result.error or "")


async def test_the_file_gets_one_json_object_a_line_and_batches_are_appended(
    tmp_path: Path,
) -> None:
    path = tmp_path / "deep" / "events.jsonl"
    exporter = JsonLinesAnalyticsExporter(path)
    assert (await exporter.export(EVENTS)).exported_count == 2
    assert (await exporter.export(EVENTS[:1])).success
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record["name"] for record in records] == [
        "turn_started",
        "tool_call_ended",
        "turn_started",
    ]
    assert records[0] == {
        "name": "turn_started",
        "session_id": "s1",
        "timestamp": 1.5,
        "data": {"characters": 5},
    }


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    await JsonLinesAnalyticsExporter(path).export(EVENTS)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_file_that_cannot_be_written_is_a_failed_export_that_says_where(
    tmp_path: Path,
) -> None:
    result = await JsonLinesAnalyticsExporter(tmp_path).export(EVENTS)
    assert not result.success
    assert str(tmp_path) in (result.error or "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
async def test_a_full_disk_is_a_failed_export() -> None:
    result = await JsonLinesAnalyticsExporter("/dev/full").export(EVENTS)
    assert not result.success
    assert "space" in (result.error or "")


async def test_after_a_torn_write_the_next_line_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.jsonl"
    exporter = JsonLinesAnalyticsExporter(path)
    write = os.write

    def torn(descriptor: int, data: memoryview) -> int:
        write(descriptor, data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", torn)
    assert not (await exporter.export(EVENTS)).success
    monkeypatch.setattr(os, "write", write)
    assert (await exporter.export(EVENTS)).success
    lines = path.read_text().splitlines()
    assert [json.loads(line)["name"] for line in lines[1:]] == ["turn_started", "tool_call_ended"]


def test_both_fit_the_port() -> None:
    assert isinstance(ConsoleAnalyticsExporter(sys.stderr), IAnalyticsExporter)
    assert isinstance(JsonLinesAnalyticsExporter("x"), IAnalyticsExporter)
