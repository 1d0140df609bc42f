"""What is measured, in which unit, and what Victor may take at most."""

from __future__ import annotations

from dataclasses import dataclass

FLAT = 0.05
"""Microseconds a turn that count as no growth: what remains are one copy of the list of messages
for each model call, and the noise of the measurement."""

COUNTED = 1.0
"""Microseconds by which counting a message may differ: what is larger spills out of the caches."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    key: str
    title: str
    unit: str
    budget: float | None = None
    """What Victor may take at most; None where nothing was promised."""
    compared: bool = False
    """Whether a ratio to the bare loop means something."""
    digits: int = 2
    tolerance: float = 0.0
    """Added to the budget: what cannot be told from it."""

    def verdict(self, value: float | None) -> str:
        """Return how `value` stands to the budget: `met`, or how many times over it is."""
        if self.budget is None or value is None:
            return ""
        if value <= self.budget + self.tolerance:
            return "met"
        return f"{value / self.budget:.2f}x over" if self.budget else "over"


ROWS = (
    Row("text_turn", "text turn", "ms", 0.10, compared=True, digits=3),
    Row("tool_turn", "turn with 1 tool call", "ms", 0.30, compared=True, digits=3),
    Row("parallel_turn", "turn with 8 parallel tool calls", "ms", 0.9, compared=True, digits=3),
    Row("chunk", "one streamed chunk", "us", 3.0, compared=True),
    Row("wire_anthropic", "one chunk off the wire, Anthropic", "us", compared=True, digits=1),
    Row("wire_openai", "one chunk off the wire, OpenAI", "us", compared=True, digits=1),
    Row("growth_young", "turn 2 to 11", "ms", digits=3),
    Row("growth_old", "turn 400 to 500", "ms", digits=3),
    Row("growth", "growth per turn over 500 turns", "us", 0.0, digits=3, tolerance=FLAT),
    Row("long_growth_old", "turn 4,000 to 5,000", "ms", digits=3),
    Row("long_growth", "growth per turn over 5,000 turns", "us", 0.0, digits=3, tolerance=FLAT),
    Row("memory", "memory after 500 turns", "MB", 3.0, digits=1),
    Row("long_memory", "memory after 5,000 turns", "MB", digits=1),
    Row("crowd_cpu", "200 conversations at once: CPU", "ms", 40.0, compared=True, digits=0),
    Row("crowd_wall", "200 conversations at once: wall", "ms", 90.0, compared=True, digits=0),
    Row("crowd_first_cpu", "200 first turns at once: CPU", "ms", compared=True, digits=0),
    Row("import", "import", "ms", 150.0, compared=True, digits=0),
    Row("version", "victor --version", "ms", 60.0, digits=0),
    Row("help", "victor --help", "ms", 150.0, digits=0),
    Row("first_token", "first token of a new process: wall", "ms", compared=True, digits=0),
    Row("install", "core install", "MB", 60.0, digits=0),
    Row("counting", "adding and counting a message", "us"),
    Row("counting_growth", "the same behind 10,000: more by", "us", 0.0, tolerance=COUNTED),
    Row("resume", "10,000 messages: resume (wall)", "s", 1.0),
    Row("resumed_turn", "10,000 messages: the next turn", "ms", 50.0, digits=1),
    Row("resumed_memory", "10,000 messages: memory", "MB", digits=1),
)
