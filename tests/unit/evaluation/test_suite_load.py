"""Suites out of YAML, and what is told of the ill-formed ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from victor.errors import EvaluationError
from victor.evaluation.load import load
from victor.evaluation.suite import (
    CommandCheck,
    FileCheck,
    FunctionCheck,
    RegexCheck,
    Suite,
    Task,
)

ROOT = Path(__file__).parents[3]


def loaded(folder: Path, text: str) -> Suite:
    path = folder / "suite.yaml"
    path.write_text(text)
    return load(path)


def test_every_kind_of_check_becomes_its_value(tmp_path: Path) -> None:
    (tmp_path / "fixtures").mkdir()
    suite = loaded(
        tmp_path,
        """
        name: edits
        tries: 3
        timeout: 120
        tasks:
          - id: first-one
            prompt: Do it.
            folder: fixtures
            files: {a/b.txt: hello}
            checks:
              - {command: make test, timeout: 5}
              - command: [python, -V]
              - regex: done
              - not_regex: sorry
              - {file: a.txt, contains: x, regex: "^x"}
              - {file: b.txt, equals: ""}
              - {file: c.txt, absent: true}
              - {function: "checks:good", timeout: 9}
          - {id: second, prompt: x, timeout: 7, checks: [{regex: y}]}
        """,
    )
    assert (suite.name, suite.tries) == ("edits", 3)
    first, second = suite.tasks
    assert (first.timeout, second.timeout) == (120, 7)
    assert first.folder == tmp_path / "fixtures"
    assert first.files == {"a/b.txt": "hello"}
    assert first.checks == (
        CommandCheck("make test", 5),
        CommandCheck(("python", "-V")),
        RegexCheck("done"),
        RegexCheck("sorry", absent=True),
        FileCheck("a.txt", contains="x", regex="^x"),
        FileCheck("b.txt", equals=""),
        FileCheck("c.txt", absent=True),
        FunctionCheck("checks:good", 9, tmp_path),
    )


def test_a_suite_without_a_name_is_called_like_its_file(tmp_path: Path) -> None:
    assert loaded(tmp_path, "tasks: [{id: a, prompt: x, checks: [{regex: y}]}]").name == "suite"


@pytest.mark.parametrize("path", sorted((ROOT / "examples/suites").glob("*.yaml")), ids=str)
def test_the_examples_are_well_formed(path: Path) -> None:
    assert load(path).tasks


def task(**changes: str) -> str:
    fields = {"id": "a", "prompt": "x", "checks": "[{regex: y}]"} | changes
    listed = ", ".join(f"{key}: {value}" for key, value in fields.items() if value)
    return f"tasks: [{{{listed}}}]"


ILL_FORMED = {
    "not a mapping": ("[]", "must be a mapping"),
    "broken yaml": ("tasks: [", "is not YAML"),
    "not text": ("name: \x00", "is not YAML"),
    "no tasks": ("name: x", "needs a list under 'tasks'"),
    "an unknown key": ("task: []", "did you mean 'tasks'"),
    "no tries": ("tries: 0\n" + task(), "number above 0 under 'tries'"),
    "a task that is a text": ("tasks: [x]", "task 1: it must be a mapping"),
    "no id": (task(id=""), "needs text under 'id'"),
    "no prompt": (task(prompt=""), "task a: it needs text under 'prompt'"),
    "no checks": (task(checks="[]"), "needs a list under 'checks'"),
    "an id twice": (
        task().removesuffix("]") + ", " + task().removeprefix("tasks: ["),
        "two tasks 'a'",
    ),
    "a check of no kind": (task(checks="[{regexp: y}]"), "must have one of"),
    "a check of two kinds": (task(checks="[{regex: y, command: z}]"), "unknown key 'regex'"),
    "a broken expression": (task(checks="[{regex: '('}]"), "does not compile"),
    "a command that is a number": (task(checks="[{command: 5}]"), "needs text under 'command'"),
    "no time": (task(checks="[{command: x, timeout: 0}]"), "number above 0"),
    "a function without a module": (task(checks="[{function: f}]"), "module:function"),
    "a file outside": (task(checks="[{file: ../x}]"), "leads out of the task's folder"),
    "absent in words": (task(checks="[{file: x, absent: maybe}]"), "it is true or false"),
    "a set-up file outside": (task(files="{/etc/x: y}"), "leads out of the task's folder"),
    "a set-up file of no text": (task(files="{x: 5}"), "not text"),
    "files in a list": (task(files="[x]"), "needs a mapping under 'files'"),
    "a folder that is not there": (task(folder="absent"), "a folder that is not there"),
}


@pytest.mark.parametrize("case", ILL_FORMED)
def test_an_ill_formed_suite_is_refused_with_file_and_reason(case: str, tmp_path: Path) -> None:
    text, reason = ILL_FORMED[case]
    with pytest.raises(EvaluationError) as raised:
        loaded(tmp_path, text)
    assert reason in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"absent\.yaml: No such file"):
        load(tmp_path / "absent.yaml")


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(10_000_001)
    with pytest.raises(EvaluationError, match="larger than 10 MB"):
        load(path)


def test_a_suite_made_in_python_is_held_to_the_same() -> None:
    with pytest.raises(EvaluationError, match="has no tasks"):
        Suite("s", ())
    with pytest.raises(EvaluationError, match="has no checks, so every answer would pass"):
        Suite("s", (Task("a", "x", ()),))
