"""What the record keeps of each model call beside its answer, so that it can be tried again.

The prompt, the tools, the options and the settings mostly stay what they were, so each is noted
with the first answer that it led to, and again when it has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from victor.messages import Request, ToolSpec, Usage
from victor.protocols import Mode, ModelInfo
from victor.protocols.prompt import PromptPart

SETTINGS = (
    "context_compaction_strategy",
    "context_compaction_threshold",
    "enable_task_hints",
    "essential_tools",
    "max_tool_iterations",
    "max_tools",
    "system_prompt_template",
    "tool_output_limit",
    "tool_selection_strategy",
    "tool_window_share",
)
"""The settings that shape what is sent; none of them is a secret."""


REASONS_LEFT_OUT = 50


class RequestNotes:
    """Notes what has changed since the request before."""

    def __init__(self, explain: Callable[[str], Any] = lambda part: None) -> None:
        """`explain` gives why a part, `system` or `tools`, is what it is; asked when it changed."""
        self._explain = explain
        self._last: dict[str, Any] = {}
        self._settings: Mapping[str, Any] = {}

    def configure(self, config: Mapping[str, Any]) -> None:
        """Note from now on that the settings are these."""
        self._settings = {name: _plain(config[name]) for name in SETTINGS if name in config}

    def of(self, request: Request, provider: str, mode: Mode, known: ModelInfo) -> dict[str, Any]:
        """Return the parts of the request that are not as in the one before, by name.

        `known` is what is known of its model.
        """
        parts = {
            "provider": provider,
            "model": request.model,
            "known_model": known,
            "mode": mode,
            "system": request.system,
            "tools": request.tools,
            "options": (
                request.tool_choice,
                request.max_tokens,
                request.temperature,
                request.output_schema,
            ),
            "settings": self._settings,
        }
        last, self._last = self._last, parts
        if parts == last:
            return {}
        changed = {
            name: _form(name, part)
            for name, part in parts.items()
            if name not in last or last[name] != part
        }
        changed.update(
            (f"{name}_because", because)
            for name in ("system", "tools")
            if name in changed and (because := self._explain(name))
        )
        return changed


def explained(prompt: object, selection: object, part: str) -> list[list[Any]]:
    """Return why the prompt, or the choice of tools, is what it is, where that can be told.

    Of `system`: contributor, priority, tokens and characters of each part. Of `tools`: name, score,
    reason and whether it is offered, of each that was considered; of those that are not, only the
    first `REASONS_LEFT_OUT` have their whole reason, since a record of hundreds would fill up.
    """
    explain: Any = getattr(prompt if part == "system" else selection, "explain", None)
    if explain is None:
        return []
    try:
        told = [_because(one) for one in explain()]
    except (AttributeError, TypeError):
        return []  # It explains itself in a form of its own.
    if part == "tools":
        for one in [one for one in told if not one[3]][REASONS_LEFT_OUT:]:
            one[2] = one[2].partition(";")[0]
    return told


def _because(one: Any) -> list[Any]:
    if isinstance(one, PromptPart):
        return [one.contributor, one.priority, one.tokens, len(one.text)]
    return [one.name, round(one.score, 4), one.reason, one.offered]


def spent(usage: Usage, cost: float | None, estimate: int) -> dict[str, Any]:
    """Return what a model call took; `estimate` is what its input was expected to be."""
    return {
        "input": usage.input,
        "output": usage.output,
        "cache_read": usage.cache_read,
        "cache_write": usage.cache_write,
        "cost_usd": cost,
        "estimate": estimate,
    }


def known_model(info: ModelInfo) -> dict[str, Any]:
    """Return what is known of a model as the record keeps it; prices in dollars for a million."""
    return {
        "window": info.context_window,
        "max_output": info.max_output,
        "input_price": info.input_price,
        "output_price": info.output_price,
        "cache_read_price": info.cache_read_price,
        "abilities": sorted(map(str, info.abilities)),
        "known": info.known,
    }


def _plain(value: Any) -> Any:
    """Return the value as it comes back from the record."""
    return list(value) if isinstance(value, tuple) else value


def _form(name: str, part: Any) -> Any:
    match name:
        case "mode":
            return str(part)
        case "known_model":
            return known_model(part)
        case "tools":
            return [_tool(spec) for spec in part]
        case "options":
            names = ("tool_choice", "max_tokens", "temperature", "output_schema")
            return dict(zip(names, part, strict=True))
        case "settings":
            return dict(part)
    return part


def _tool(spec: ToolSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "description": spec.description,
        "parameters": dict(spec.parameters),
        "effect": str(spec.effect),
    }
