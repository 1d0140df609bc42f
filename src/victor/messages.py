"""The values that a turn is made of: messages and their parts, requests, replies, the response.

All are frozen. Collections are tuples, so a value can be shared without a copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from victor.values import quick

JsonObject: TypeAlias = Mapping[str, Any]
"""A decoded JSON object."""


class Role(StrEnum):
    """Who a message is from."""

    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Effect(StrEnum):
    """What running a tool may do to the world. Modes, safety and retries are derived from it."""

    READ_ONLY = "read_only"
    """Changes nothing; may run again and beside others."""

    IDEMPOTENT = "idempotent"
    """Changes something, but running it twice leaves the same state as running it once."""

    EFFECTFUL = "effectful"
    """Changes something each time it runs."""


class StopReason(StrEnum):
    """Why the model, or the turn, came to an end."""

    END = "end"
    TOOL_USE = "tool_use"
    MAX_TOKENS = "max_tokens"
    REFUSAL = "refusal"
    CONTENT_FILTER = "content_filter"
    PAUSE = "pause"
    CONTEXT_EXCEEDED = "context_exceeded"
    MAX_TOOL_ITERATIONS = "max_tool_iterations"
    """The turn ended because `max_tool_iterations` was reached."""
    TOOL_LOOP = "tool_loop"
    """The turn ended because the same tool call gave the same result again and again."""
    UNKNOWN = "unknown"


@quick
@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture."""

    data: bytes = field(repr=False)
    media_type: str
    """Such as `image/png`."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file that the model reads as it is: a PDF."""

    data: bytes = field(repr=False)
    media_type: str = "application/pdf"
    name: str = "document.pdf"
    """What it is called, for the model."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """The model's reasoning, kept because some vendors want it back unchanged."""

    text: str
    signature: str = ""
    """The vendor's proof that the text is its own; empty where there is none."""
    provider: str = ""
    """The vendor that made it; other vendors are not sent it."""


@quick
@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model's wish to run a tool."""

    id: str
    """Unique in its conversation."""
    name: str
    arguments: JsonObject
    invalid: str = ""
    """The raw text where the model's arguments were no JSON object; then `arguments` is empty."""


@quick
@dataclass(frozen=True, slots=True)
class ToolResult:
    """What running a tool call gave. Every tool call gets exactly one."""

    call_id: str
    content: str
    """What the model is told, already capped."""
    is_error: bool = False
    full_output: str = ""
    """Path of the file that holds the rest, where `content` was capped; else empty."""
    images: tuple[Image, ...] = ()
    """Pictures that belong to it."""
    source: str = ""
    """Where foreign words in it come from, such as a web page; empty where there are none."""
    vouched: tuple[str, ...] = ()
    """Values in it that the application answers for; see `ToolOutput.vouched`."""
    private: str = ""
    """What in it must not leave unasked; see `ToolOutput.private`."""


Part: TypeAlias = Text | Image | Document | Thinking | ToolCall | ToolResult


@quick
@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a conversation.

    A `TOOL` message holds the results of one whole step, in the order of the calls.
    """

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """All text parts, joined."""
        parts = self.parts
        if len(parts) == 1:
            return parts[0].text if isinstance(parts[0], Text) else ""
        return "".join(part.text for part in parts if isinstance(part, Text))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls in it, in order."""
        return tuple([part for part in self.parts if isinstance(part, ToolCall)])

    @property
    def tool_results(self) -> tuple[ToolResult, ...]:
        """The tool results in it, in order."""
        return tuple([part for part in self.parts if isinstance(part, ToolResult)])


def user(text: str) -> Message:
    """Return a user message of this text."""
    return Message(Role.USER, (Text(text),))


def assistant(text: str, *calls: ToolCall) -> Message:
    """Return an assistant message of this text, if any, and these tool calls."""
    return Message(Role.ASSISTANT, ((Text(text),) if text else ()) + calls)


def tool_results(*results: ToolResult) -> Message:
    """Return the message that answers one step's tool calls."""
    return Message(Role.TOOL, results)


@dataclass(frozen=True, slots=True, init=False)
class Context:
    """The messages that the model sees."""

    messages: tuple[Message, ...]
    """Oldest first."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        """Keep the messages as a tuple."""
        object.__setattr__(self, "messages", tuple(messages))


@quick
@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that model calls took."""

    input: int = 0
    """Everything sent, cached or not."""
    output: int = 0
    """Everything generated, reasoning included."""
    cache_read: int = 0
    """Part of `input` that the vendor read from its cache."""
    cache_write: int = 0
    """Part of `input` that the vendor wrote to its cache."""
    reasoning: int = 0
    """Part of `output` that was reasoning, where the vendor tells."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.reasoning + other.reasoning,
        )

    @property
    def total(self) -> int:
        """Input and output together."""
        return self.input + self.output


class TodoStatus(StrEnum):
    """How far an item of a todo list is."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class TodoItem:
    """One thing that the model has written down to do."""

    text: str
    status: TodoStatus


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model is told of it."""

    name: str
    description: str
    parameters: JsonObject
    """JSON schema of the arguments: an object."""
    effect: Effect = Effect.EFFECTFUL
    essential: bool = False
    """Whether it is sent to the model however many others there are: what no work does without."""


class ToolChoice(StrEnum):
    """Whether the model may call tools in this reply."""

    AUTO = "auto"
    REQUIRED = "required"
    NONE = "none"


@quick
@dataclass(frozen=True, slots=True)
class Request:
    """One model call."""

    model: str
    messages: tuple[Message, ...]
    system: str = ""
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = ToolChoice.AUTO
    max_tokens: int | None = None
    """Output limit; None leaves it to the provider."""
    temperature: float | None = None
    """None leaves it to the vendor."""
    output_schema: JsonObject | None = None
    """JSON schema, of an object, that the final answer must fit; None leaves its form free."""


@quick
@dataclass(frozen=True, slots=True)
class Reply:
    """One model call's whole answer."""

    message: Message
    stop_reason: StopReason
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    """The model that answered, as the vendor names it."""
    provider: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Response:
    """What a turn gave."""

    content: str
    """The model's last text and nothing else: no footer, no marker."""
    messages: tuple[Message, ...] = ()
    """Every message that the turn added, the user's own first."""
    stop_reason: StopReason = StopReason.END
    usage: Usage = field(default_factory=Usage)
    """Of all model calls of the turn."""
    session_id: str = ""
    turn_id: str = ""
    model: str = ""
    provider: str = ""
    cost: float | None = None
    """US dollars of all model calls of the turn, by list price; None where one is unpriced."""
    output: Any = None
    """What the turn was asked to give beside words, such as an instance of a model; else None."""
