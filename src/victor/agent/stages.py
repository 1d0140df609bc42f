"""What the turn needs of its coordinators. A coordinator fits by shape; there is no base class.

What a protocol lists as methods, a coordinator must have. What its docstring tells of beside them,
it may have: it is looked up by name, and what it is for does not take place without it. Any of them
may have `configure(config)`, which adopts the settings that concern it, when the session starts and
again on reload, or raises `ConfigError` and keeps the old ones; and `aclose()`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from victor.endpoints import Admission
from victor.errors import ProviderError
from victor.messages import (
    Context,
    Message,
    Reply,
    Request,
    ToolCall,
    ToolSpec,
)
from victor.protocols import (
    Allow,
    Ask,
    CallReview,
    Checkpoint,
    Deny,
    Emit,
    Endpoint,
    Executed,
    IProvider,
    Mode,
    ModelInfo,
    PromptContext,
    Record,
    Rewrite,
    SessionInfo,
    Summarizer,
    Verdict,
)


class ConfigStage(Protocol):
    """Which settings hold.

    Where it has them: `complete(validate=..., defaults=..., providers=...)` is given Victor's own
    before the first load, and `explain(name)` tells where a setting comes from.
    """

    def get_config(self) -> Mapping[str, Any]:
        """Return the settings in force, read-only."""
        ...

    async def load(self, session_id: str) -> Mapping[str, Any]:
        """Ask every source again, adopt and return the result. Raises `ConfigError`."""
        ...


class ProviderStage(Protocol):
    """Which model serves."""

    @property
    def current(self) -> Endpoint:
        """Where the next model call goes."""
        ...

    def fall_back(self, error: ProviderError) -> Endpoint | None:
        """Move to the next endpoint because of `error`, and return it; None if there is none."""
        ...

    def model_info(self, endpoint: Endpoint) -> ModelInfo:
        """Return what is known of the endpoint's model, the settings first."""
        ...

    def succeeded(self) -> None:
        """Note that the current endpoint has answered."""
        ...

    def admission(self, endpoint: Endpoint) -> Admission | None:
        """Return how calls are let in at `endpoint`; None where nothing has to be waited for."""
        ...


class ModeStage(Protocol):
    """What the agent may do now.

    Where it has it, `start_session(session_id)` is called as the session begins.
    """

    @property
    def current(self) -> Mode:
        """The mode in force."""
        ...

    def instructions(self) -> str:
        """Return what the model is told when this mode begins."""
        ...

    def tool_iterations(self, configured: int) -> int:
        """Return how many steps of a turn may use tools, where the setting says `configured`."""
        ...


class PromptStage(Protocol):
    """The system prompt.

    Where it has it, `explain()` gives the parts of the last one, as `PromptPart`.
    """

    async def build_system_prompt(self, context: PromptContext) -> str:
        """Return the prompt, its parts joined in order of priority."""
        ...

    async def note(self, context: PromptContext, paths: tuple[str, ...] = ()) -> str:
        """Return what the model should be told behind the conversation; mostly nothing.

        `paths` are files that a tool has just read or changed; none where a turn begins.
        """
        ...

    def renew(self) -> None:
        """Let contributors read anew what they keep for the session: after a compaction."""
        ...


class ContextStage(Protocol):
    """The messages the model sees.

    Where it has them: `start_session(session_id)` is called as the session begins,
    `count_by(text)` gives it what counts words for the model that serves (None: nothing does),
    and `compact(window, overhead, emit, summarize, focus)` makes it smaller on request.
    """

    def append(self, *messages: Message) -> None:
        """Add messages: a user message, or a whole step."""
        ...

    def get_context(self) -> Context:
        """Return the messages in force."""
        ...

    def replace(self, context: Context, *, source: str, emit: Emit) -> None:
        """Start over from `context`, repaired to a valid history and reported as `source`'s."""
        ...

    def token_count(self) -> int:
        """Return the estimate of the tokens in force; constant time."""
        ...

    async def fit(
        self, window: int, overhead: int, emit: Emit, summarize: Summarizer | None
    ) -> Context:
        """Return a context that fits `window` tokens beside `overhead`, compacting if it must.

        Raises `CompactionError` when even the fallback cannot make it fit.
        """
        ...

    def truncate(self, window: int, overhead: int, emit: Emit) -> Context:
        """Return a context that fits, made by the deterministic fallback alone.

        Raises `CompactionError`.
        """
        ...

    def overhead(self, system: str, tools: tuple[ToolSpec, ...]) -> int:
        """Return the estimate of the tokens that prompt and tools take; kept while they last."""
        ...


class ToolSelectionStage(Protocol):
    """Which tools are worth offering.

    Where it has them: `start_turn(number, window=..., most=...)` is called before the first
    choice of a turn, with the tokens of the window and those that tools may take at most;
    `preview(tools)` tells before the first choice what would be sent, `find(query, tools)`
    searches for the model, `called(names)` hears which it has called, and `restore(sent)` which
    were sent in a session that is resumed; `explain()` gives every `Candidate` of the last choice.
    """

    async def select(self, task: str, tools: tuple[ToolSpec, ...]) -> tuple[ToolSpec, ...]:
        """Return the tools to offer; sticky within a session."""
        ...


class ChatStage(Protocol):
    """One exchange with the model."""

    async def reply(self, provider: IProvider, request: Request, emit: Emit) -> Reply:
        """Return the whole answer, emitting its deltas as they arrive. Raises `ProviderError`."""
        ...


class SafetyStage(Protocol):
    """Whether tool calls may run.

    Where it has them: `hear(words)` takes note of what the person said and `learn(results)` of what
    was read, `locate_rules(places)` of where each rule stands; `granted` are the rules that a
    person has given for the session, and `taint`, a `Taint`, and `rules` are what a subagent's
    safety inherits, the latter by `inherit(rules)`.
    """

    async def review(self, reviews: tuple[CallReview, ...], mode: Mode) -> tuple[Verdict, ...]:
        """Return one verdict for each call, in order. Raises `SafetyError`."""
        ...

    async def ask(self, call: ToolCall, verdict: Ask) -> Allow | Deny | Rewrite:
        """Let a person decide; without one, deny."""
        ...


class CheckpointStage(Protocol):
    """Restorable points."""

    async def before(
        self, session_id: str, turn_id: str, paths: tuple[Path, ...], *, workspace: bool
    ) -> Checkpoint | None:
        """Keep what is at `paths` now; with `workspace`, what is anywhere in it.

        Returns None where there is nothing to keep. Raises `CheckpointError`.
        """
        ...

    async def after(self, checkpoint: Checkpoint) -> None:
        """Note what the call left behind. Raises `CheckpointError`."""
        ...


class ToolStage(Protocol):
    """Running tools.

    Where it has them: `start_session(session_id)` is called as the session begins, and
    `forget_session(session_id)` when one is deleted; `join_tools()` before a turn, to let tools in
    that have come since, and `start_turn(sees_images=...)` before the first call of a turn;
    `most_seconds(calls)` bounds the wait for a result (None: not at all), and a text in `stuck`
    ends the turn. `attachments` are what a person can name in a message, and a subagent's
    `borrow(tools)` is given what is `joined` here.
    """

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """Every tool there is."""
        ...

    def reviews(self, calls: tuple[ToolCall, ...]) -> tuple[CallReview, ...]:
        """Return what safety needs to know of each call, in order."""
        ...

    def paths(self, calls: tuple[ToolCall, ...]) -> tuple[Path, ...]:
        """Return the paths that the calls may change."""
        ...

    def execute(
        self,
        calls: tuple[ToolCall, ...],
        verdicts: tuple[Verdict, ...],
        mode: Mode,
        emit: Emit,
    ) -> AsyncIterator[Executed]:
        """Run the allowed calls and yield one result for every call, as they come.

        Emits `ToolCallStarted` for each call that runs. Closing the generator ends what still runs.
        """
        ...


class SessionStage(Protocol):
    """The durable record."""

    async def start(self, info: SessionInfo) -> None:
        """Open the session for writing, creating it if need be. Raises `SessionError`."""
        ...

    async def record(self, session_id: str, record: Record) -> None:
        """Commit one entry. Raises `SessionError`."""
        ...

    async def load(self, session_id: str) -> tuple[Record, ...]:
        """Return what was committed. Raises `SessionError`."""
        ...

    async def close(self) -> None:
        """Release the record. Raises `SessionError`."""
        ...


@dataclass(frozen=True, slots=True)
class Stages:
    """The coordinators that a turn calls, by role."""

    provider: ProviderStage
    mode: ModeStage
    prompt: PromptStage
    context: ContextStage
    tool_selection: ToolSelectionStage
    chat: ChatStage
    safety: SafetyStage
    checkpoint: CheckpointStage | None
    """None where undo is switched off."""
    tool: ToolStage
    session: SessionStage
