"""Workflows out of YAML.

    name: fix-tests
    inputs: {command: make test}          # a default; or {name: {description: ...}} without one
    steps:
      - id: run
        tool: shell                       # a tool call
        arguments: {command: "{{ inputs.command }}"}
        on_error: continue
      - id: fix                           # a loop: for_each (with as), while or until, and max
        until: "steps.test.status == 'done'"
        max: 3
        steps:
          - {id: ask, prompt: "Fix this: {{ steps.run }}"}
          - {id: test, tool: shell, arguments: {command: make test}, on_error: continue}
      - id: report                        # a condition: if, then, else
        if: "steps.test.status == 'done'"
        then: [{id: good, prompt: Summarise the change., save_as: summary}]
      - id: both                          # steps side by side
        parallel: [...]
    outputs: {summary: "{{ summary }}"}

Every step may have `needs`, `save_as`, `timeout` (seconds) and `on_error` (`fail` or `continue`),
prompts and tools also `retry` (a number of attempts, or `{attempts, wait}`).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from victor.errors import WorkflowError
from victor.workflow.check import check
from victor.workflow.located_yaml import Located, parse, read
from victor.workflow.model import (
    REQUIRED,
    ConditionStep,
    Input,
    LoopStep,
    OnError,
    ParallelStep,
    PromptStep,
    Retry,
    Step,
    ToolStep,
    Workflow,
)

_COMMON: Final = ("id", "needs", "save_as", "timeout", "on_error")
_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "prompt": ("prompt", "retry"),
    "tool": ("tool", "arguments", "retry"),
    "parallel": ("parallel",),
    "if": ("if", "then", "else"),
    "steps": ("steps", "for_each", "as", "while", "until", "max"),
}
"""The keys of each kind of step, by the key that tells the kind."""


def load(path: Path) -> Workflow:
    """Return the workflow that a YAML file describes, checked.

    Raises `WorkflowError`, naming file, line and step, for whatever would stop it from running.
    """
    return _workflow(read(path), str(path), path.stem)


def loads(text: str, *, source: str = "workflow") -> Workflow:
    """Return the workflow that YAML text describes, checked. Raises `WorkflowError`."""
    return _workflow(parse(text, source), source, source)


def _workflow(raw: Any, source: str, name: str) -> Workflow:
    fields = _Fields(raw, source, "The workflow")
    fields.only("name", "description", "inputs", "steps", "outputs")
    workflow = Workflow(
        name=fields.text("name", name),
        description=fields.text("description", ""),
        inputs=tuple(_inputs(fields)),
        steps=_steps(fields, "steps"),
        outputs={key: str(value) for key, value in fields.mapping("outputs").items()},
        source=source,
    )
    check(workflow)
    return workflow


def _inputs(fields: _Fields) -> list[Input]:
    inputs = []
    for name, raw in fields.mapping("inputs").items():
        if not isinstance(raw, Located):
            inputs.append(Input(name, raw))
            continue
        one = _Fields(raw, fields.source, f"Input {name!r}")
        one.only("default", "description")
        inputs.append(Input(name, raw.get("default", REQUIRED), one.text("description", "")))
    return inputs


def _steps(fields: _Fields, key: str) -> tuple[Step, ...]:
    raw = fields.raw.get(key)
    if not isinstance(raw, list) or not raw:
        fields.refuse(f"has no list of steps under {key!r}")
    return tuple(_step(one, fields) for one in raw)


def _step(raw: Any, parent: _Fields) -> Step:
    identity = raw.get("id") if isinstance(raw, Located) else None
    line = parent.raw.line
    fields = _Fields(raw, parent.source, f"Step {identity!r}" if identity else "A step", line)
    kinds = [key for key in _KINDS if key in fields.raw]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none"
        fields.refuse(f"must have exactly one of {', '.join(_KINDS)}; it has {found}")
    fields.only(*_COMMON, *_KINDS[kinds[0]])
    common: dict[str, Any] = {
        "id": fields.text("id"),
        "needs": fields.names("needs"),
        "save_as": fields.text("save_as", ""),
        "timeout": fields.number("timeout", None),
        "on_error": fields.choice("on_error", OnError.FAIL),
        "line": fields.raw.line,
    }
    match kinds[0]:
        case "prompt":
            return PromptStep(prompt=fields.text("prompt"), retry=_retry(fields), **common)
        case "tool":
            arguments = fields.mapping("arguments")
            tool = fields.text("tool")
            return ToolStep(tool=tool, arguments=arguments, retry=_retry(fields), **common)
        case "parallel":
            return ParallelStep(steps=_steps(fields, "parallel"), **common)
        case "if":
            otherwise = _steps(fields, "else") if "else" in fields.raw else ()
            then = _steps(fields, "then")
            condition = fields.expression("if")
            return ConditionStep(condition=condition, then=then, otherwise=otherwise, **common)
        case _:
            return _loop(fields, common)


def _loop(fields: _Fields, common: dict[str, Any]) -> LoopStep:
    default = 100 if "for_each" in fields.raw else 10
    return LoopStep(
        steps=_steps(fields, "steps"),
        for_each=fields.expression("for_each", ""),
        item=fields.text("as", "item"),
        while_=fields.expression("while", ""),
        until=fields.expression("until", ""),
        max_rounds=fields.integer("max", default),
        **common,
    )


def _retry(fields: _Fields) -> Retry:
    raw = fields.raw.get("retry")
    if not isinstance(raw, Located):
        return Retry(fields.integer("retry", 1))
    inner = _Fields(raw, fields.source, f"{fields.what}, retry")
    inner.only("attempts", "wait")
    return Retry(inner.integer("attempts", 1), inner.number("wait", 0.0) or 0.0)


class _Fields:
    """A mapping, with typed access that complains in terms of file, line and step."""

    def __init__(self, raw: Any, source: str, what: str, line: int = 1) -> None:
        self.source = source
        self.what = what
        self.raw = Located()
        self.raw.line = line
        if not isinstance(raw, Located):
            self.refuse(f"must be a mapping, not {raw!r:.60}")
        self.raw = raw

    def refuse(self, problem: str) -> NoReturn:
        raise WorkflowError(f"{self.source}:{self.raw.line}: {self.what} {problem}.")

    def only(self, *known: str) -> None:
        for key in self.raw:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                meant = f" (did you mean {near[0]!r}?)" if near else ""
                self.refuse(f"has an unknown key {key!r}{meant}; known are {', '.join(known)}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.raw.get(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            self.refuse(f"needs text under {key!r}, not {value!r:.60}")
        return value

    def expression(self, key: str, default: str | None = None) -> str:
        value = self.raw.get(key, default)
        return str(value) if isinstance(value, bool | int) else self.text(key, default)

    def number(self, key: str, default: float | None) -> float | None:
        value = self.raw.get(key, default)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            self.refuse(f"needs a number of at least 0 under {key!r}, not {value!r:.60}")
        return float(value)

    def integer(self, key: str, default: int) -> int:
        value = self.raw.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            self.refuse(f"needs a whole number of at least 1 under {key!r}, not {value!r:.60}")
        return value

    def mapping(self, key: str) -> dict[str, Any]:
        value = self.raw.get(key, {})
        if not isinstance(value, dict):
            self.refuse(f"needs a mapping under {key!r}, not {value!r:.60}")
        return value

    def names(self, key: str) -> tuple[str, ...] | None:
        value = self.raw.get(key)
        if value is None:
            return None
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self.refuse(f"needs a list of step ids under {key!r}, not {value!r:.60}")
        return tuple(names)

    def choice(self, key: str, default: OnError) -> OnError:
        value = self.raw.get(key, default)
        if value not in list(OnError):
            self.refuse(f"has {key!r} {value!r:.60}; it may be {', '.join(OnError)}")
        return OnError(value)
