"""Which words of a run are its author's or the person's, and not what some step gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from victor.provenance import texts_in
from victor.workflow.model import LoopStep, PromptStep, ToolStep, Workflow, walk
from victor.workflow.templates import literal


def own_words(workflow: Workflow, inputs: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts of the inputs, and what the templates say themselves."""
    yield from texts_in(inputs)
    for step in walk(workflow.steps):
        match step:
            case PromptStep(prompt=prompt):
                yield literal(prompt)
            case ToolStep(arguments=arguments):
                yield from map(literal, texts_in(arguments))
            case LoopStep(for_each=items) if items:
                yield literal(f"{{{{ {items} }}}}")
            case _:
                pass
