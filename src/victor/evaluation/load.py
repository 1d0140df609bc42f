"""Suites out of YAML.

name: small-edits
tries: 3                              # of each task
timeout: 300                          # seconds for each turn
tasks:
  - id: fix-sum
    prompt: The tests fail. Fix the code.
    folder: fixtures/sum              # beside the suite; copied for each try
    files: {notes.txt: "Be brief."}   # written over the copy
    checks:
      - command: python -m pytest -q  # or a list, which no shell reads
        timeout: 60
      - regex: fixed                  # or not_regex, on the answer
      - file: sum.py                  # with contains, regex, equals, or absent: true
        contains: return
      - function: checks:is_short     # checks.py beside the suite, or any module
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path, PurePosixPath
from typing import Any, Final, NoReturn

from victor.errors import EvaluationError
from victor.evaluation.suite import (
    Check,
    CommandCheck,
    FileCheck,
    FunctionCheck,
    RegexCheck,
    Suite,
    Task,
)

_LARGEST: Final = 10_000_000
_KINDS: Final = ("file", "command", "function", "regex", "not_regex")
"""A file check comes first, because it may have a regex too."""


def load(path: Path) -> Suite:
    """Return the suite in a YAML file. Raises `EvaluationError`, naming file, task and key."""
    import yaml

    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise EvaluationError(f"Cannot read {path}: {error.strerror}.") from error
    if len(content) > _LARGEST:
        raise EvaluationError(f"{path} is larger than 10 MB.", hint="Use `folder` for big files.")
    try:
        raw = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise EvaluationError(f"{path} is not YAML: {error}") from error
    return _suite(raw, path)


def _suite(raw: Any, path: Path) -> Suite:
    fields = _Fields(raw, str(path))
    fields.only("name", "description", "tries", "timeout", "tasks")
    limit = fields.number("timeout", 600.0)
    tasks = fields.items("tasks")
    return Suite(
        name=fields.text("name", path.stem),
        tasks=tuple(_task(one, path, place, limit) for place, one in enumerate(tasks, 1)),
        tries=int(fields.number("tries", 1)),
        description=fields.text("description", ""),
    )


def _task(raw: Any, path: Path, place: int, limit: float) -> Task:
    name = raw.get("id") if isinstance(raw, dict) else None
    fields = _Fields(raw, f"{path}, task {name or place}")
    fields.only("id", "prompt", "folder", "files", "checks", "timeout")
    folder = fields.text("folder", "")
    files = fields.mapping("files")
    for name, content in files.items():
        if not isinstance(name, str) or not isinstance(content, str):
            fields.refuse(f"has a file {name!r} whose name or content is not text")
        fields.inside(name)
    checks = [_check(one, path, fields.where) for one in fields.items("checks")]
    return Task(
        id=fields.text("id"),
        prompt=fields.text("prompt"),
        checks=tuple(checks),
        folder=_folder(path.parent / folder, fields) if folder else None,
        files=files,
        timeout=fields.number("timeout", limit),
    )


def _folder(folder: Path, fields: _Fields) -> Path:
    if not folder.is_dir():
        fields.refuse(f"names a folder that is not there: {folder}")
    return folder.resolve()


def _check(raw: Any, path: Path, where: str) -> Check:
    fields = _Fields(raw, f"{where}, a check")
    kind = next((kind for kind in _KINDS if kind in fields.raw), "")
    if not kind:
        fields.refuse(f"must have one of {', '.join(_KINDS)}")
    match kind:
        case "command":
            fields.only("command", "timeout")
            return CommandCheck(fields.command(), fields.number("timeout", 60.0))
        case "function":
            fields.only("function", "timeout")
            limit = fields.number("timeout", 60.0)
            return FunctionCheck(fields.function(), limit, path.parent.resolve())
        case "file":
            return _file(fields)
        case _:
            fields.only(kind)
            return RegexCheck(fields.pattern(kind), absent=kind == "not_regex")


def _file(fields: _Fields) -> FileCheck:
    fields.only("file", "contains", "regex", "equals", "absent")
    absent = fields.raw.get("absent", False)
    if not isinstance(absent, bool):
        fields.refuse(f"has absent {absent!r}; it is true or false")
    return FileCheck(
        fields.inside(fields.text("file")),
        contains=fields.text("contains", ""),
        regex=fields.pattern("regex") if "regex" in fields.raw else "",
        equals=fields.text("equals", "") if "equals" in fields.raw else None,
        absent=absent,
    )


class _Fields:
    """A mapping, with typed access that complains in terms of file and task."""

    def __init__(self, raw: Any, where: str) -> None:
        self.where = where
        if not isinstance(raw, dict):
            self.refuse(f"must be a mapping, not {raw!r:.60}")
        self.raw: dict[str, Any] = raw

    def refuse(self, problem: str) -> NoReturn:
        raise EvaluationError(f"{self.where}: it {problem}.")

    def only(self, *known: str) -> None:
        for key in self.raw:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                meant = f" (did you mean {near[0]!r}?)" if near else ""
                self.refuse(f"has an unknown key {key!r}{meant}; known are {', '.join(known)}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.raw.get(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            self.refuse(f"needs text under {key!r}, not {value!r:.60}")
        return value

    def number(self, key: str, default: float) -> float:
        value = self.raw.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            self.refuse(f"needs a number above 0 under {key!r}, not {value!r:.60}")
        return value

    def items(self, key: str) -> list[Any]:
        value = self.raw.get(key)
        if not isinstance(value, list) or not value:
            self.refuse(f"needs a list under {key!r}, not {value!r:.60}")
        return value

    def mapping(self, key: str) -> dict[str, Any]:
        value = self.raw.get(key, {})
        if not isinstance(value, dict):
            self.refuse(f"needs a mapping under {key!r}, not {value!r:.60}")
        return value

    def pattern(self, key: str) -> str:
        text = self.text(key)
        try:
            re.compile(text)
        except re.error as error:
            self.refuse(f"has a regular expression {text!r} that does not compile: {error}")
        return text

    def command(self) -> str | tuple[str, ...]:
        value = self.raw["command"]
        if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
            return tuple(value)
        return self.text("command")

    def function(self) -> str:
        text = self.text("function")
        if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", text):
            self.refuse(f"has a function {text!r}; write it as module:function")
        return text

    def inside(self, name: str) -> str:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            self.refuse(f"has a path {name!r} that leads out of the task's folder")
        return name
