"""The port to a tool."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from victor.guarded import plain_path
from victor.messages import Effect, Image, JsonObject, ToolCall, ToolResult, ToolSpec
from victor.protocols.observer import Emit
from victor.protocols.safety import Access, Mode
from victor.values import quick


@quick
@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool gives back."""

    content: str
    """What the model is told. Capped by the coordinator."""
    display: str = ""
    """What a person is shown instead, such as a diff; may be empty."""
    is_error: bool = False
    source: str = ""
    """Where words in it come from that are neither the person's nor the workspace's, such as
    `the web page https://example.org/`: they are marked as foreign, and safety minds them."""
    images: tuple[Image, ...] = ()
    """Pictures for a model that can see; see `ToolEnvironment.sees_images`."""
    search: str = ""
    """What the model looks for among the tools. What is found is told in front of `content`, and
    sent to the model from the next step on."""
    plan: str = ""
    """All of the session's plan, where the call has written or changed it."""
    vouched: tuple[str, ...] = ()
    """Values in it that the application answers for, such as contacts of the person, or ids of
    their own files: a call may be aimed at them as if the person had named them."""
    private: str = ""
    """What in it must not leave unasked where there are foreign words, such as `the passport
    number`; empty where there is nothing of that kind."""


@quick
@dataclass(frozen=True, slots=True)
class ToolEnvironment:
    """What a tool may use beside its arguments."""

    workspace: Path
    """Resolved folder that file tools are confined to."""
    session_id: str = ""
    writable: bool = True
    """False in modes that may not change the workspace; processes are sandboxed accordingly."""
    timeout: float = 120.0
    """Seconds after which the call is ended; who can give a part of the result ends before."""
    output_limit: int = 40_000
    """About as many characters the model is shown of the result."""
    output_tokens: int = 10_000
    """So many tokens, to be exact; a tool that can page keeps below."""
    progress: Callable[[str], None] = field(default=lambda _: None)
    """Tells a person what is going on, one line at a time; from the thread of the event loop."""
    call_id: str = ""
    """The call that runs."""
    emit: Emit = field(default=lambda _: None)
    """Publishes what the tool has to tell as an event, from the thread of the event loop."""
    sees_images: bool = False
    """Whether the model in use is known to see pictures."""
    hidden: tuple[re.Pattern[str], ...] = ()
    """Names of files that rules keep from being read, as `Allow.hidden`."""
    plan: Path | None = None
    """The file of the session's plan. It may be changed where nothing else may: in `plan` mode."""

    @property
    def plan_only(self) -> bool:
        """Whether the plan may be changed now, and nothing else."""
        return self.plan is not None and not self.writable

    def hides(self, name: str) -> bool:
        """Return whether the file may not be shown; `name` is as in `Access.paths`."""
        if not self.hidden:
            return False
        plain = plain_path(name)
        return any(one.fullmatch(name) or one.fullmatch(plain) for one in self.hidden)


@quick
@dataclass(frozen=True, slots=True)
class Executed:
    """A tool call with its result."""

    call: ToolCall
    result: ToolResult
    seconds: float
    display: str = ""
    """What a person is shown beside the result; may be empty."""
    search: str = ""
    """What the model looks for among the tools, as `ToolOutput.search`."""
    plan: str = ""
    """All of the session's plan, where the call has written or changed it."""


@runtime_checkable
class ITool(Protocol):
    """Something that the model can run."""

    @property
    def spec(self) -> ToolSpec:
        """The tool as the model is told of it."""
        ...

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return the paths that running it with `arguments` may change; empty if it cannot tell."""
        ...

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Run it. `arguments` fit the schema. Raises `ToolError` with a text for the model."""
        ...


@runtime_checkable
class IToolAccess(Protocol):
    """A tool that tells what a call reaches for. Of others, rules see `paths` and plain texts."""

    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        """Return what running it with `arguments` reads, changes or starts."""
        ...


class ISubagents(Protocol):
    """Runs agents for a tool."""

    async def run(self, prompt: str, mode: Mode, environment: ToolEnvironment) -> ToolOutput:
        """Return the answer of an agent with a context of its own. Raises `VictorError`.

        Its mode is never wider than that of the conversation it works for; what it may spend is
        that conversation's. Cancelling ends it.
        """
        ...


@runtime_checkable
class IToolEffect(Protocol):
    """A tool some of whose calls do less than its spec declares."""

    def effect(self, arguments: JsonObject) -> Effect:
        """Return what a call with these arguments, which are not checked yet, may do."""
        ...


@runtime_checkable
class IPlanTool(Protocol):
    """A tool that can write the session's plan."""

    def writes_only(self, arguments: JsonObject, file: Path) -> bool:
        """Return whether a call with these arguments, not checked yet, changes just this file."""
        ...


@runtime_checkable
class IToolTargets(Protocol):
    """A tool that tells whom or what its calls are aimed at."""

    def targets(self, arguments: JsonObject) -> tuple[str, ...] | None:
        """Return the values that decide it, of arguments that are not checked yet.

        Nothing where no value could vouch for the call; None where the tool does not tell.
        """
        ...


@runtime_checkable
class IToolTime(Protocol):
    """A tool whose calls may take another time than the setting allows."""

    def most_seconds(self, arguments: JsonObject, environment: ToolEnvironment) -> float | None:
        """Return how long such a call may take; None where somebody else decides, as a person."""
        ...


@runtime_checkable
class IToolSource(Protocol):
    """Where tools come from that may not be there from the beginning, such as servers."""

    async def join(self) -> tuple[ITool, ...]:
        """Return the tools there are now. Called where a turn begins, which waits for it."""
        ...

    async def aclose(self) -> None:
        """Release what it holds."""
        ...


@runtime_checkable
class IPureTool(Protocol):
    """A tool that gives the same as long as what it depends on stays the same."""

    async def depends_on(
        self, arguments: JsonObject, environment: ToolEnvironment
    ) -> tuple[object, ...] | None:
        """Return the state of what the result depends on; None where it cannot be told."""
        ...
