"""What of each event becomes an analytics event: its name, its figures, and no words.

An event that is not listed is not part of analytics. Neither is an error's text, a reason or a
path: they may quote what a person wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final, TypeAlias

from victor import events as e

_Figures: TypeAlias = Callable[[Any], dict[str, Any]]

_LONGEST_NAME: Final = 64
"""Models invent tool names; what is longer than any real one is cut."""


def _tool(
    event: e.ToolCallStarted | e.ToolCallReviewed | e.ToolCallRewritten | e.ApprovalRequested,
) -> dict[str, Any]:
    return {"tool": event.call.name[:_LONGEST_NAME]}


def _reviewed(event: e.ToolCallReviewed) -> dict[str, Any]:
    return {**_tool(event), "allowed": event.allowed}


def _tool_ended(event: e.ToolCallEnded) -> dict[str, Any]:
    return {
        "tool": event.call.name[:_LONGEST_NAME],
        "is_error": event.result.is_error,
        "seconds": event.seconds,
        "characters": len(event.result.content),
    }


def _reply(event: e.ReplyReceived) -> dict[str, Any]:
    reply = event.reply
    usage = reply.usage
    return {
        "turn_id": event.turn_id,
        "step": event.step,
        "provider": reply.provider,
        "model": reply.model,
        "stop_reason": str(reply.stop_reason),
        "seconds": event.seconds,
        "first_token_seconds": event.first_token_seconds,
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cached_tokens": usage.cache_read,
        "tool_calls": len(reply.message.tool_calls),
    }


def _turn_ended(event: e.TurnEnded) -> dict[str, Any]:
    response = event.response
    return {
        "turn_id": response.turn_id,
        "stop_reason": str(response.stop_reason),
        "seconds": event.seconds,
        "input_tokens": response.usage.input,
        "output_tokens": response.usage.output,
        "characters": len(response.content),
    }


def _compacted(event: e.ContextCompacted) -> dict[str, Any]:
    return {
        "strategy": event.strategy,
        "messages_before": event.messages_before,
        "messages_after": event.messages_after,
        "tokens_before": event.tokens_before,
        "tokens_after": event.tokens_after,
    }


def _fields(name: str, *more: str) -> _Figures:
    if not more:
        return lambda event: {name: getattr(event, name)}
    names, values = (name, *more), attrgetter(name, *more)
    return lambda event: dict(zip(names, values(event), strict=True))


_TABLE: Final[Mapping[type, _Figures]] = {
    e.SessionStarted: _fields("resumed"),
    e.TurnStarted: lambda event: {"turn_id": event.turn_id, "characters": len(event.text)},
    e.StepStarted: _fields("turn_id", "step", "provider", "model", "context_tokens"),
    e.ReplyReceived: _reply,
    e.OutputRejected: _fields("turn_id", "attempt"),
    e.ModelCallRetried: _fields("provider", "attempt", "wait_seconds"),
    e.ModelCallDelayed: _fields("provider", "model", "wait_seconds"),
    e.ProviderSwitched: _fields("provider", "model"),
    e.ApprovalRequested: _tool,
    e.ToolCallRewritten: _tool,
    e.ToolCallReviewed: _reviewed,
    e.CheckpointTaken: lambda event: {"turn_id": event.turn_id, "paths": len(event.paths)},
    e.ToolCallStarted: _tool,
    e.ToolCallEnded: _tool_ended,
    e.ContextCompacted: _compacted,
    e.HistoryRepaired: lambda event: {"source": event.source, "repairs": len(event.repairs)},
    e.ModeChanged: _fields("before", "after"),
    e.CoordinatorFailed: _fields("coordinator", "operation", "critical"),
    e.CoordinatorRecovered: _fields("coordinator"),
    e.TurnEnded: _turn_ended,
    e.TurnFailed: _fields("turn_id", "error_type"),
    e.TurnCancelled: _fields("turn_id"),
    e.WorkflowStarted: _fields("run_id", "workflow"),
    e.WorkflowStepStarted: _fields("run_id", "step"),
    e.WorkflowStepEnded: _fields("run_id", "step", "status", "seconds"),
    e.WorkflowEnded: _fields("run_id", "workflow", "status", "seconds"),
    e.EvaluationStarted: _fields("run_id", "suite", "tasks", "tries"),
    e.TrialEnded: _fields("run_id", "task", "trial", "passed", "seconds"),
    e.EvaluationEnded: _fields("run_id", "suite", "passed", "tried", "seconds"),
}


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


USAGE: Final[Mapping[type, tuple[str, _Figures]]] = {
    kind: (_snake_case(kind.__name__), figures) for kind, figures in _TABLE.items()
}
"""By event type: the name of the analytics event, and what makes its data."""
