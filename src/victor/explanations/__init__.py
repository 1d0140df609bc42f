"""Why a session is as it is: what its record tells of prompt, context, tools, safety and model.

Nothing is guessed. What was not recorded is listed as unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Topic(StrEnum):
    """What can be explained."""

    PROMPT = "prompt"
    CONTEXT = "context"
    TOOLS = "tools"
    CONFIG = "config"
    SAFETY = "safety"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is there, or is not."""

    name: str
    why: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What else is known of it, by name."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is there, each part with its reason."""

    topic: Topic
    of: str
    """What it is about, such as a turn of a session, or the next model call."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    unknown: tuple[str, ...] = ()
    """What cannot be told, each as a sentence."""
