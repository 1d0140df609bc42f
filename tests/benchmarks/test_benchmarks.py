from __future__ import annotations

import asyncio
import json

import pytest
from benchmarks.counting import counting
from benchmarks.ledger import PROMISED_SHARE, Clock, Ledger, ledger
from benchmarks.long_session import long_session
from benchmarks.measure import OF_ALL, OF_VICTOR
from benchmarks.processes import installed_megabytes
from benchmarks.report import as_json, as_text
from benchmarks.rows import ROWS, Row
from benchmarks.run import Findings, run
from benchmarks.script import PROMPT, Figures, Script
from benchmarks.subjects import load, present
from benchmarks.turns import MEASURES, QUICK
from benchmarks.vendors import per_chunk

from benchmarks import __main__ as command
from victor.agent.coordinator_access import COORDINATORS

pytestmark = pytest.mark.anyio

TINY = QUICK
OUR_OWN = ("bare", "victor")


@pytest.mark.parametrize("subject", OUR_OWN)
@pytest.mark.parametrize("name", MEASURES)
async def test_each_measurement_runs_and_fills_a_row(name: str, subject: str) -> None:
    figures = await MEASURES[name](load(subject), TINY)
    assert set(figures) & {row.key for row in ROWS}


@pytest.mark.parametrize("subject", OUR_OWN)
async def test_a_subject_answers_in_both_ways_and_runs_every_tool_call(subject: str) -> None:
    script = Script(calls=3, pieces=5)
    conversation = load(subject).open_conversation(script)
    assert await conversation.turn(PROMPT) == script.answer
    assert await conversation.stream(PROMPT) == len(script.answer)
    assert script.looks == 6


@pytest.mark.parametrize("subject", OUR_OWN)
def test_an_answer_off_the_wire_is_measured_for_both_vendors(subject: str) -> None:
    figures = per_chunk(subject, TINY.pieces)
    assert set(figures) == {"wire_anthropic", "wire_openai"}
    assert min(figures.values()) > 0


async def test_a_subject_that_does_not_do_its_work_is_not_measured() -> None:
    class Lazy:
        async def turn(self, text: str) -> str:
            return "done"

    class Subject:
        def open_conversation(self, script: Script) -> Lazy:
            return Lazy()

    with pytest.raises(AssertionError, match="answer"):
        await MEASURES["text_turn"](Subject(), TINY)  # type: ignore[arg-type]


async def test_the_ledger_charges_the_coordinators_that_a_turn_calls() -> None:
    text, tools = await ledger(0, 3), await ledger(1, 3)
    assert {name for name in COORDINATORS if text.seconds[name]} == {
        "provider", "mode", "prompt", "context", "tool_selection", "chat", "safety", "tool",
        "session", "metrics", "analytics",
    }  # fmt: skip
    assert tools.coordinators > text.coordinators


def test_a_clock_stands_still_for_the_caller_while_another_part_runs() -> None:
    clock = Clock()
    clock.read()
    clock.enter("outer")
    clock.enter("inner")
    asyncio.run(asyncio.sleep(0.01))
    clock.leave()
    clock.leave()
    seconds = clock.read()
    assert seconds["inner"] > 0.009
    assert seconds["outer"] < seconds["inner"] / 2


def test_a_message_is_counted_behind_many() -> None:
    figures = counting(20, repeats=2)
    assert figures["counting"] > 0
    assert set(figures) <= {row.key for row in ROWS}


async def test_the_long_session_is_resumed_from_its_database() -> None:
    figures: Figures = await long_session(8, repeats=1)
    assert set(figures) == {"resume", "resumed_turn", "resumed_memory"}


def test_the_core_install_counts_what_victor_requires() -> None:
    megabytes = installed_megabytes("victor-ai")
    assert megabytes is not None
    assert 10 < megabytes < 60


@pytest.mark.parametrize(
    ("value", "verdict"), [(1.0, "met"), (2.0, "met"), (5.0, "2.50x over"), (None, "")]
)
def test_a_row_says_how_a_figure_stands_to_its_budget(value: float | None, verdict: str) -> None:
    assert Row("any", "any", "ms", 2.0).verdict(value) == verdict


def test_growth_is_met_within_what_cannot_be_told_from_none() -> None:
    growth = next(row for row in ROWS if row.key == "growth")
    assert growth.verdict(growth.tolerance) == "met"
    assert growth.verdict(growth.tolerance * 2) == "over"


def test_the_report_says_what_was_measured_what_was_not_and_which_budgets_hold() -> None:
    seconds = dict.fromkeys((*COORDINATORS, "turn", "model"), 1e-5)
    findings = Findings(
        {"text_turn": {"bare": 0.01, "victor": 0.2}, "chunk": {"victor": 1.0}},
        [Ledger(1, seconds)],
        ["agno: chunk: it broke"],
    )
    text = as_text(findings, OUR_OWN)
    assert "2.00x over" in text
    assert "20x" in text
    assert "less than 5% is kept" in text
    assert "not measured: agno: chunk: it broke" in text
    report = json.loads(json.dumps(as_json(findings, OUR_OWN)))
    assert report["rows"]["chunk"]["verdict"] == "met"
    assert report["ledgers"][0]["share"] == pytest.approx(15e-5 / 0.2)
    assert report["ledgers"][0]["share"] < PROMISED_SHARE


@pytest.mark.slow
def test_a_subject_that_breaks_is_reported_and_hurts_no_other() -> None:
    findings = run(("no_such_subject",), 1, ("--quick",))
    assert len(findings.problems) == len(OF_ALL)
    assert not findings.figures


def test_what_is_not_installed_is_not_measured() -> None:
    assert present()[:2] == OUR_OWN


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_whole_of_it_runs_and_prints_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--quick", "--json", "--subjects", *OUR_OWN]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {key for key, row in report["rows"].items() if not row["figures"]} == set()
    assert len(report["ledgers"]) == 2
    assert "ledger" in OF_VICTOR
