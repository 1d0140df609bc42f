"""The pages on events and errors, made from the code: `python -m tests.docs.reference` writes them.

Run it in the project's folder. A test holds that the pages are as this would write them.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import get_args

from victor import errors, events
from victor.agent.subagents import Subagents
from victor.cli.exits import code_for
from victor.cli.json_lines import snake_case
from victor.errors import VictorError
from victor.tools import builtin_tools
from victor.tools.reference import EFFECTS, ToolReference, page

DOCS = Path(__file__).parents[2] / "docs"

_EVENTS = """# Events

Made from `victor.events` by `python -m tests.docs.reference`; a change here is lost.

Everything that happens is published as a frozen value, named in the past tense. `Event` is the
closed union of all {count}. A text turn with one tool call publishes, in this order:

```text
TurnStarted
StepStarted, TextDelta*, ReplyReceived
ToolCallReviewed, ToolCallStarted, ToolCallEnded
StepStarted, TextDelta*, ReplyReceived
TurnEnded
```

`SessionStarted` comes before the first turn. Beside `TextDelta`, pieces of reasoning and of tool
calls arrive as `ThinkingDelta` and `ToolCallDelta`. `CheckpointTaken` stands between the review of
a step's calls and the first that runs, where they may change files.

A turn ends with exactly one of `TurnEnded`, `TurnFailed` and `TurnCancelled`.

Three ways to hear them:

```python
from victor import AgentOrchestrator, Settings
from victor.events import Event, TurnEnded
from victor.testing import EchoProvider


class Printer:
    \"\"\"Hears everything, steers nothing. It must only take note: the turn waits.\"\"\"

    def on_event(self, event: Event) -> None:
        print(type(event).__name__)

    async def flush(self) -> None:
        \"\"\"Do what was put off; called after each step, under a time limit.\"\"\"


async with AgentOrchestrator(Settings(ephemeral=True), EchoProvider()) as orchestrator:
    orchestrator.add_observer(Printer(), "printer")       # 1. as an observer
    async for event in orchestrator.events("One turn"):   # 2. as a stream, one turn
        if isinstance(event, TurnEnded):
            print(event.response.content)
```

3\\. From another program: `victor chat --json` prints each event as one line of JSON, with its name
in snake case under `event`; see [the command line](cli.md#json-events).

An observer that fails hurts only itself: its failures are counted in `orchestrator.health()`, and
after three within a minute it is left alone for half a minute.
"""

_ERRORS = """# Errors

Made from `victor.errors` by `python -m tests.docs.reference`; a change here is lost.

Everything that Victor raises on purpose is a `VictorError`. Its text says what happened, where, and
what to do; `hint` is that last part, and `retryable` tells whether the same call may succeed later
without a change. None carries a secret.

```text
{tree}
```

What a **tool** raises never ends a turn: the model is told, as an error result.

```python
from victor import AgentOrchestrator, Settings
from victor.errors import ConfigError, ProviderError
from victor.testing import Chaos, ChaosProvider

try:
    Settings(max_tool_iteration=5)
except ConfigError as error:
    assert "max_tool_iterations" in str(error)  # the nearest name

async with AgentOrchestrator(Settings(ephemeral=True), ChaosProvider(Chaos.UNAVAILABLE)) as agent:
    try:
        await agent.chat("Hello")
    except ProviderError as error:
        assert error.retryable
        assert (error.provider, error.status) == ("chaos", 529)
```

A provider's error carries `provider`, `model`, `status` (of HTTP, where there was one),
`retry_after` (seconds that the vendor asks to wait) and `partial` (the text that had arrived).

| Error | Meaning | Retryable | Exit code of `victor` |
|---|---|---|---|
{rows}
"""


_TOOLS = """# Tools

Made from the tools themselves by `python -m tests.docs.reference`; a change here is lost. `victor
tools` shows them in the terminal, with those of your plugins; `victor tools NAME` one of them.

What a call may do to the world decides when it runs:

{effects}

A call may do less than its tool: `git` with the command `status` only reads, and in `plan` and
`explore` a `shell` command runs in a sandbox where it can change nothing. Whether a call runs, a
person, a rule or the mode decides; see [safety](safety.md).

The model is told at once what is wrong with the arguments of a call. A tool that takes longer than
`tool_calling_timeout` is ended; what it gives beyond `tool_output_limit` tokens goes to a file that
`read` and `grep` may open. A call that only reads is made once more where it failed for a moment,
such as by a broken connection. The same call with the same result is told to the model from the
third time on, and ends the turn at `tool_repeat_limit`. Where
all tools take too much of the model's window, it is told of some only when it looks for them: see
[many tools](many-tools.md). Your own tools: see [extending](extending.md).
"""


def events_page() -> str:
    """Return the page of events."""
    kinds = get_args(events.Event)
    entries = "\n".join(_event(kind) for kind in kinds)
    return f"{_EVENTS.format(count=len(kinds))}\n{entries}"


def errors_page() -> str:
    """Return the page of errors."""
    return _ERRORS.format(tree="\n".join(_tree(VictorError)), rows="\n".join(_rows(VictorError)))


def tools_page() -> str:
    """Return the page of tools."""
    tools = builtin_tools(".", subagents=Subagents())
    effects = "\n".join(f"- `{effect}`: {text}" for effect, text in EFFECTS.items())
    sections = page(tuple(map(ToolReference.of, tools)))
    return f"{_TOOLS.format(effects=effects)}\n{sections.rstrip()}\n"


def _event(kind: type) -> str:
    rows = "\n".join(
        f"| `{name}` | `{_escaped(annotation)}` | {_escaped(text)} |"
        for name, annotation, text in _fields(kind)
    )
    head = f"## {kind.__name__}\n\n{_line(kind)} In JSON: `{snake_case(kind.__name__)}`.\n"
    return f"{head}\n| Field | Type | |\n|---|---|---|\n{rows}\n" if rows else head


def _fields(kind: type) -> Iterator[tuple[str, str, str]]:
    """Yield each field's name, type and documentation, as they stand in the source."""
    (definition,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)
    for statement, below in pairwise([*definition.body, ast.Pass()]):
        if isinstance(statement, ast.AnnAssign):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    documented = " ".join(text.split())
                case _:
                    documented = ""
            yield ast.unparse(statement.target), ast.unparse(statement.annotation), documented


def _tree(kind: type[VictorError], prefix: str = "", branch: str = "") -> Iterator[str]:
    yield f"{prefix}{branch}{kind.__name__}"
    below = _own(kind)
    inner = prefix + {"": "", "├── ": "│   ", "└── ": "    "}[branch]
    for one in below:
        yield from _tree(one, inner, "└── " if one is below[-1] else "├── ")


def _rows(kind: type[VictorError]) -> Iterator[str]:
    raised = kind.__new__(kind)
    retry = "yes" if kind.retryable else ""
    yield f"| `{kind.__name__}` | {_line(kind)} | {retry} | {int(code_for(raised))} |"
    for one in _own(kind):
        yield from _rows(one)


def _own(kind: type[VictorError]) -> list[type[VictorError]]:
    return [one for one in kind.__subclasses__() if one.__module__ == errors.__name__]


def _line(kind: type) -> str:
    return " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    (DOCS / "events.md").write_text(events_page(), encoding="utf-8")
    (DOCS / "tools.md").write_text(tools_page(), encoding="utf-8")
    (DOCS / "errors.md").write_text(errors_page(), encoding="utf-8")
