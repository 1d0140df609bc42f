"""YAML that remembers its lines, and refuses what would be read otherwise than it looks."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from victor.errors import WorkflowError

if TYPE_CHECKING:
    from yaml import SafeLoader
    from yaml.nodes import MappingNode, Node

_LARGEST: Final = 1_000_000


class Located(dict[str, Any]):
    """A mapping that knows the line, counted from 1, on which it begins."""

    line: int = 0


def read(path: Path) -> Any:
    """Return the file's content, its mappings as `Located`.

    Raises `WorkflowError` when it cannot be read, is over a megabyte, is no YAML, names a key
    twice, or uses aliases.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise WorkflowError(f"Cannot read {path}: {error.strerror}.") from error
    if len(content) > _LARGEST:
        raise WorkflowError(f"{path} is larger than a megabyte, which no workflow needs.")
    return parse(content, str(path))


def parse(content: str | bytes, source: str) -> Any:
    """Return what YAML text says; `source` is what errors call it. Raises `WorkflowError`."""
    import yaml

    try:
        # The loader derives from SafeLoader and constructs plain values only.
        return yaml.load(content, Loader=_loader())  # noqa: S506  # a safe loader that also notes lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise WorkflowError(f"{source}:{line}: {error.problem or error.context}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise WorkflowError(f"{source}: this is not YAML text: {error}") from error
    except RecursionError as error:
        raise WorkflowError(f"{source}: it is nested too deeply.") from error


@cache
def _loader() -> type[SafeLoader]:
    import yaml

    class Loader(yaml.SafeLoader):
        """A safe loader without aliases: a few of them can unfold to gigabytes."""

        def compose_node(self, parent: Node | None, index: Any) -> Node | None:
            """Compose the next node, unless it is an alias."""
            if self.check_event(yaml.AliasEvent):
                raise yaml.MarkedYAMLError(
                    problem="aliases are not supported here, write the value out",
                    problem_mark=parent.start_mark if parent else None,
                )
            return super().compose_node(parent, index)

    # As YAML 1.2 has it: `no`, `on` and 2025-01-13 are the words that they look like.
    words = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in words]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver(words[0], re.compile("true|True|false|False"), list("tTfF"))
    Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
    return Loader


def _mapping(loader: SafeLoader, node: MappingNode) -> Located:
    import yaml

    mapping = Located()
    mapping.line = node.start_mark.line + 1
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        problem = "" if isinstance(key, str) else f"the key {key!r} is not text, put it in quotes"
        if not problem and key in mapping:
            problem = f"the key {key!r} is there twice"
        if problem:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping
