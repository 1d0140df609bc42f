"""The documentation of every setting, taken from the code: `python -m victor.config.reference`."""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from victor.config import settings, sources

_HEAD = """# Settings

Made by `make docs` from `victor.config.settings`; a change here is lost.

Where a value comes from, the higher priority winning key by key:

| Source | Priority |
|---|---|
{sources}

`victor config explain KEY` shows the value of a setting, where it comes from, and what it is.
Unknown names are refused. Tables are merged key by key, and lists inside them joined. A project's
file counts only once it is trusted (`victor trust`), and again after each change of it.

```toml
# .victor/config.toml
model = "claude-sonnet-5-5"
max_tool_iterations = 30

[permissions]
allow = ["read", "grep"]
deny = ["shell(git push *)"]
```
"""


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """What there is to say of one setting."""

    name: str
    kind: str
    """Its type, as written in the code."""
    default: str
    """Its default, as written in TOML; empty where it is not set."""
    description: str
    variable: str
    """The environment variable that sets it."""


def describe() -> tuple[SettingDoc, ...]:
    """Return the documentation of every setting, in the order of the code."""
    fields = settings.Settings.model_fields
    written = _written()
    return tuple(
        SettingDoc(
            name,
            _kind(written[name][0]),
            _toml(field.get_default(call_default_factory=True)),
            written[name][1],
            f"{sources.PREFIX}{name.upper()}",
        )
        for name, field in fields.items()
    )


def render() -> str:
    """Return the page that documents every setting, as Markdown."""
    ranks = "\n".join(f"| {name} | {rank} |" for name, rank in sources.PRIORITIES)
    entries = "\n".join(_entry(doc) for doc in describe())
    return f"{_HEAD.format(sources=ranks)}\n{entries}"


def _entry(doc: SettingDoc) -> str:
    default = f"`{doc.default}`" if doc.default else "not set"
    return (
        f"## `{doc.name}`\n\n{doc.description}\n\n"
        f"Type `{doc.kind}` · default {default} · environment `{doc.variable}`\n"
    )


def _written() -> dict[str, tuple[str, str]]:
    """Return the annotation and the docstring of each field, as they stand in the source."""
    body = ast.parse(inspect.getsource(settings.Settings)).body[0]
    found: dict[str, tuple[str, str]] = {}
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for statement, below in pairwise(statements):
        match statement, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name), annotation=annotation),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = ast.unparse(annotation), " ".join(text.split())
    return found


def _kind(annotation: str) -> str:
    """Return the type in a reader's words: choices instead of `Literal`, no machinery."""
    plain = annotation.removeprefix("Annotated[").split(", BeforeValidator")[0]
    plain = plain.removesuffix(" | None").replace("SecretStr", "str").replace("'", '"')
    if plain.startswith("Literal["):
        return plain.removeprefix("Literal[").removesuffix("]").replace(", ", " or ")
    return plain.replace("Permissions", "table")


def _toml(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case dict():
            return "{}"
        case _:
            return str(value)


if __name__ == "__main__":  # pragma: no cover - `render` is what is tested
    Path(sys.argv[1]).write_text(render(), encoding="utf-8")
