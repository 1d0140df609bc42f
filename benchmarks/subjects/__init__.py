"""The frameworks that are measured; each has a module here that opens conversations with it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import cast

from benchmarks.script import Subject


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a subject before its framework is imported."""

    title: str
    distribution: str
    """What is installed to have it; empty where nothing is."""
    module: str
    """What is imported to use it."""


SUBJECTS = {
    "bare": About("bare loop", "", "asyncio"),
    "victor": About("Victor", "victor-ai", "victor.agent.orchestrator"),
    "agno": About("agno", "agno", "agno.agent"),
    "strands": About("Strands", "strands-agents", "strands"),
    "pydantic_ai": About("pydantic-ai", "pydantic-ai-slim", "pydantic_ai"),
    "openai_agents": About("OpenAI Agents", "openai-agents", "agents"),
    "langchain": About("LangChain", "langchain", "langchain.agents"),
}
"""By the name of their module, the bare loop and Victor first."""


def present() -> tuple[str, ...]:
    """Return the subjects that are installed."""
    return tuple(
        name for name, about in SUBJECTS.items() if find_spec(about.module.partition(".")[0])
    )


def load(name: str) -> Subject:
    """Return the subject; importing it imports its framework."""
    return cast("Subject", import_module(f"benchmarks.subjects.{name}"))
