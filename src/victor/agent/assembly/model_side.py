"""Making the coordinators that speak with the model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from victor.agent.assembly.given import Given
from victor.agent.plugged import plugged_parts
from victor.errors import ConfigError
from victor.plugins import Group, installed
from victor.protocols import Endpoint


def provider(given: Given) -> Any:
    """What knows the model at work, and connects the ones to fall back to."""
    from victor.agent.coordinators.provider_coordinator import ProviderCoordinator

    connect = partial(_connect, given.config)
    return ProviderCoordinator(given.provider, given.model, connect=connect)


def _connect(config: Mapping[str, Any], endpoint: str) -> Endpoint:
    """Return the endpoint that `provider:model` names. Raises `ConfigError`."""
    from victor.providers.catalog import default_model
    from victor.providers.choose import create_provider, parse_endpoint
    from victor.providers.exchange import Patience

    name, model = parse_endpoint(endpoint)
    model = model or default_model(name)
    provider = create_provider(
        name,
        model=model or config.get("local_model"),
        patience=Patience.of(config),
        streaming=config["streaming"],
        small_model=config["small_model"],
        num_ctx=config["ollama_num_ctx"],
    )
    model = model or getattr(provider, "model", "")
    if not model:
        raise ConfigError(
            f"The fallback {endpoint!r} names no model.", hint=f"Write it as {name}:MODEL."
        )
    return Endpoint(provider, model)


def mode(given: Given) -> Any:
    """What knows BUILD, PLAN and EXPLORE."""
    from victor.agent.coordinators.mode_coordinator import ModeCoordinator

    return ModeCoordinator(plan_of=given.plans.of)


def prompt(given: Given) -> Any:
    """What joins the system prompt of Victor's own parts and of those plugged in."""
    from victor.agent.coordinators.prompt_coordinator import PromptCoordinator
    from victor.prompt import builtin_contributors

    plugged = plugged_parts(Group.PROMPT_CONTRIBUTORS, "prompt", given.bus.guard)
    built_in = builtin_contributors(given.workspace, skills=given.skills)
    return PromptCoordinator((*built_in, *plugged), on_failure=given.failed_in("prompt"))


def context(given: Given) -> Any:
    """What makes the conversation fit, by the built-in strategies and those plugged in."""
    from victor.agent.coordinators.context_coordinator import ContextCoordinator
    from victor.agent.outputs import Outputs
    from victor.context import strategies
    from victor.embedding import text_likeness

    plugged = installed().factories(Group.COMPACTION_STRATEGIES)
    left_out = None if given.outputs is None else Outputs(given.outputs)
    return ContextCoordinator(
        strategies={**strategies(text_likeness), **plugged}, left_out=left_out
    )


def tool_selection(given: Given) -> Any:
    """What chooses the tools that the model is told of."""
    from victor.agent.coordinators.tool_selection_coordinator import ToolSelectionCoordinator
    from victor.embedding import text_likeness
    from victor.selection import strategies

    return ToolSelectionCoordinator(strategies=strategies(text_likeness))


def chat(given: Given) -> Any:
    """What carries a request to the model and retries it."""
    from victor.agent.coordinators.chat_coordinator import ChatCoordinator
    from victor.providers.retry import RetryPolicy

    return ChatCoordinator(retries_of=RetryPolicy.of)
