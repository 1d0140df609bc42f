"""Reports as a person and a program read them, and two of them compared."""

from __future__ import annotations

import json

import pytest

from victor.errors import EvaluationError
from victor.evaluation.report import (
    compare,
    comparison_text,
    from_json,
    mean_pass_at,
    pass_rate,
    table,
    to_json,
)
from victor.messages import Usage
from victor.protocols.evaluation import EvaluationReport, Trial


def report(**tasks: str) -> EvaluationReport:
    """A report of tries written as `x` for a pass and `.` for a failure."""
    trials = tuple(
        Trial(task.replace("_", "-"), number, mark == "x", 2.0, reason(mark), Usage(1000, 50))
        for task, marks in tasks.items()
        for number, mark in enumerate(marks, 1)
    )
    tries = max(map(len, tasks.values()), default=1)
    return EvaluationReport("edits", trials, tries, 12.5, "run-1")


def reason(mark: str) -> str:
    return "" if mark == "x" else "`make test` exited with 2: 1 failed\nTraceback ..."


def test_the_table_has_a_line_for_each_task_and_the_sum_and_why_tries_failed() -> None:
    assert table(report(fix_sum="xx", rename="x.")).splitlines() == [
        "task     passed  mean s  tokens",
        "fix-sum     2/2     2.0   2,100",
        "rename      1/2     2.0   2,100",
        "",
        "edits: 3 of 4 passed, 75% (95 % interval 30% to 95%), pass@2 100%, 12.5 s, 4,200 tokens",
        "",
        "rename #2: `make test` exited with 2: 1 failed …",
    ]


def test_where_all_passed_the_table_has_no_reasons() -> None:
    text = table(report(a="x"))
    assert text.endswith("tokens")
    assert "pass@" not in text


def test_a_run_that_tried_nothing_can_still_be_shown() -> None:
    text = table(report())
    assert "0 of 0 passed" in text
    assert mean_pass_at(report(), 1) is None


def test_json_is_read_back_as_it_was() -> None:
    before = report(a="x.", b="xx")
    text = to_json(before)
    assert from_json(text) == before
    raw = json.loads(text)
    assert (raw["passed"], raw["tried"], raw["pass_rate"]) == (3, 4, 0.75)
    assert raw["pass_at"] == {"1": 0.75, "2": 1.0}
    assert raw["input_tokens"] == 4000
    assert len(raw["interval_95"]) == 2


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"trials": [{"usage": 5}]}', "{"])
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(EvaluationError, match="no evaluation report"):
        from_json(text)


def test_repeated_tries_make_the_interval_narrower_but_less_so_than_further_tasks() -> None:
    def width(of: EvaluationReport) -> float:
        low, high = pass_rate(of).interval
        return high - low

    few = width(report(a="x", b=".", c="x", d="."))
    repeated = width(report(a="xxx.", b="...x", c="x.xx", d=".x.."))
    many = width(report(**{f"t{number}": "x" if number % 2 else "." for number in range(16)}))
    assert few > repeated > many


def test_a_large_difference_is_clear_and_names_who_changed() -> None:
    before = report(**{f"t{number}": "." for number in range(10)}, same="x", gone="x")
    after = report(**{f"t{number}": "x" for number in range(10)}, same=".", came="x")
    found = compare(before, after)
    assert found.is_clear
    assert found.difference == pytest.approx(9 / 11)
    assert found.better == tuple(f"t{number}" for number in range(10))
    assert (found.worse, found.left_out) == (("same",), ("came", "gone"))
    text = comparison_text(found)
    assert text.startswith("9% before, 91% after: +82% (95 % interval")
    assert "a clear difference" in text
    assert "worse: same" in text
    assert "left out: came, gone" in text


def test_a_small_difference_may_be_chance() -> None:
    found = compare(report(a="x", b=".", c="x"), report(a="x", b="x", c="x"))
    assert not found.is_clear
    assert "it may be chance" in comparison_text(found)
    assert "worse" not in comparison_text(found)


def test_runs_without_a_common_task_cannot_be_compared() -> None:
    with pytest.raises(EvaluationError, match="share no task"):
        compare(report(a="x"), report(b="x"))
