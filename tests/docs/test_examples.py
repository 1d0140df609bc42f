"""Every numbered example runs as it stands, without a key or a network, and prints something."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from tests.docs.conftest import ROOT

from victor.agent.coordinators import EvaluationCoordinator, WorkflowCoordinator
from victor.evaluation.load import load as load_suite
from victor.protocols.context import compaction_strategies
from victor.workflow.load import load as load_workflow

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

LAST_LINE = {
    "01_hello": "[scripted, 15 tokens]",
    "02_streaming": "Still here.",
    "03_events": "'TurnEnded': 1}",
    "04_own_tool": "Order 1234 is on its way.",
    "05_modes_and_approval": "  refused: not allowed: rule deny shell(rm *) (in Settings(...))",
    "06_prompt_contributor": "second turn has the rule: False",
    "07_compaction_strategy": "tokens that there is room for)",
    "08_analytics_and_config": "'output_tokens': 5, 'characters': 6}",
    "09_workflow_and_evaluation": "ask #4: the answer does not contain `salt` …",
    "10_resume_and_undo": "You asked for blue roses.",
}


def test_there_are_ten_examples_numbered_from_one() -> None:
    assert [path.stem for path in EXAMPLES] == list(LAST_LINE)
    assert [int(path.stem[:2]) for path in EXAMPLES] == list(range(1, 11))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_ends_as_expected(
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        runpy.run_path(str(path), run_name="__main__")
    finally:
        compaction_strategies.unregister("newest")
    printed = capsys.readouterr().out.rstrip().splitlines()
    assert printed[-1].endswith(LAST_LINE[path.stem])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_says_how_to_run_it(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 60
    assert f"python examples/{path.name}" in text


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples" / "workflows").glob("*.yaml")), ids=lambda path: path.stem
)
def test_an_example_of_a_workflow_is_sound(path: Path) -> None:
    assert WorkflowCoordinator(loader=load_workflow).load(path).name


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples" / "suites").glob("*.yaml")), ids=lambda path: path.stem
)
def test_an_example_of_a_suite_is_sound(path: Path) -> None:
    assert EvaluationCoordinator(loader=load_suite).load(path).tasks
