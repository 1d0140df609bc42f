"""The facade: what an application calls. Nothing that a turn does is decided here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from victor.agent.assembly import assemble
from victor.agent.conversation import Conversation
from victor.agent.coordinator_access import Coordinators, named
from victor.agent.guard import Health, State
from victor.agent.restore_access import RestoreAccess
from victor.agent.subagents import KeptByParent, Passing, child_settings, hand_down, shared
from victor.agent.turn_stream import stream_turn
from victor.errors import SessionError, TurnInProgress, VictorError, WrongEventLoop
from victor.events import Event, ProviderSwitched, TextDelta
from victor.messages import JsonObject, Response, ToolCall, ToolResult
from victor.protocols import (
    Emit,
    Endpoint,
    IApprover,
    IObserver,
    IProvider,
    ITool,
    Mode,
    RunTurn,
)
from victor.protocols.evaluation import EvaluationReport, ISuite
from victor.protocols.workflow import IWorkflow, WorkflowResult

if TYPE_CHECKING:
    from typing import Self, Unpack

    from victor.budget import Budget
    from victor.config.settings import Settings


class AgentOrchestrator(RestoreAccess):
    """One conversation with an agent that may use tools in a workspace.

    Not thread-safe: it belongs to the event loop that it is first used in, and raises
    `WrongEventLoop` in any other. One turn runs at a time; a second raises `TurnInProgress`.
    """

    def __init__(
        self,
        settings: Settings,
        provider: IProvider,
        model: str | None = None,
        *,
        tools: tuple[ITool, ...] | None = None,
        workspace: Path | str | None = None,
        approver: IApprover | None = None,
        session_id: str | None = None,
        budget: Budget | None = None,
        **coordinators: Unpack[Coordinators],
    ) -> None:
        """Put the coordinators together; nothing is read, written or sent yet.

        `tools`: those of Victor where None. `workspace`: the folder that tools are confined to, by
        default the current one. `approver`: who is asked about risky calls; without one, they are
        denied. `budget`: what the session draws on beside its own; several may share one. Any
        coordinator may be replaced by one of your own.

        Raises `ConfigError` for settings that cannot hold, such as an unknown strategy.
        """
        self.workspace = Path(workspace or Path.cwd()).resolve()
        self.prompt_context: dict[str, Any] = {}
        """What every turn tells the prompt's contributors."""
        self._settings = settings
        self._tools = tools
        self._approver = approver
        parts = assemble(
            settings, provider, model, tools, self.workspace, approver, named(coordinators)
        )
        self._coordinators = parts.coordinators
        self._bus = parts.bus
        self._turns = parts.turn_loop
        parts.subagents.join(self._open_child)
        session_id = session_id or os.urandom(8).hex()
        self._conversation = Conversation(parts, self.workspace, session_id, budget)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = False
        self._closed = False

    @property
    def session_id(self) -> str:
        """The id that the conversation is recorded under."""
        return self._conversation.session_id

    @property
    def current(self) -> Endpoint:
        """The provider and model that the next model call goes to."""
        return self._conversation.endpoint()

    @property
    def mode(self) -> Mode:
        """What the agent may do now."""
        return self._conversation.mode()

    async def chat(
        self, text: str, *, output: Any = None, prompt_context: Mapping[str, Any] | None = None
    ) -> Response:
        """Run one turn and return its response.

        `output` is what the answer must be, beside words: a pydantic model, a dataclass, another
        type, or a JSON schema; `Response.output` is then one, or `OutputError` is raised.
        `prompt_context` is what this turn tells the prompt's contributors, over
        `self.prompt_context`. Raises `ProviderError`, `SessionError`, `ConfigError`,
        `CompactionError` or `CoordinatorError`; the user's message stays recorded.
        """
        self._enter()
        self._running = True
        try:
            await self._conversation.begin()
            told = {**self.prompt_context, **(prompt_context or {})}
            return await self._turns.run(self._conversation.turn(text, told, output))
        finally:
            self._running = False

    async def events(
        self, text: str, *, output: Any = None, prompt_context: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[Event, None]:
        """Run one turn and yield everything that happens. Raises what `chat` raises.

        Leaving early cancels the turn; use `contextlib.aclosing` to leave at once.
        """
        self._enter()
        chat = self.chat(text, output=output, prompt_context=prompt_context)
        turn = stream_turn(self._bus, chat)
        async with aclosing(turn) as happened:
            async for event in happened:
                yield event

    async def stream_chat(
        self, text: str, *, output: Any = None, prompt_context: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[TextDelta, None]:
        """Run one turn and yield the text as it arrives, in pieces with a `content`.

        Raises what `chat` raises. Leaving early cancels the turn.
        """
        events = self.events(text, output=output, prompt_context=prompt_context)
        async with aclosing(events) as happened:
            async for event in happened:
                if type(event) is TextDelta:
                    yield event

    def switch(self, provider: IProvider | None = None, model: str | None = None) -> Endpoint:
        """Let another model serve from the next call on, and return where that goes.

        `provider` None keeps the provider; `model` None keeps the model's name.
        """
        endpoint = self.provider_coordinator.switch(provider, model or self.current.model)
        self.config_coordinator.set("model", endpoint.model, source="switch")
        self._bus.publish(ProviderSwitched(endpoint.provider.name, endpoint.model, "asked for"))
        return endpoint

    async def run_workflow(
        self, workflow: IWorkflow | Path | str, inputs: JsonObject | None = None
    ) -> WorkflowResult:
        """Run a workflow (or the YAML file of one) in this conversation. Raises `WorkflowError`."""
        self._enter()
        await self._conversation.begin()
        run, emit = self.workflow_coordinator.run, self._bus.publish
        talk = self._conversation.quoting(self.chat)
        return await self._bus.guard.critical(
            "workflow",
            "run",
            lambda: run(workflow, inputs or {}, **talk, tool=self._run_tool, emit=emit),
            fits=lambda value: isinstance(value, WorkflowResult),
            seconds=None,
        )

    async def evaluate(
        self, suite: ISuite | Path | str, *, tries: int | None = None, concurrency: int = 1
    ) -> EvaluationReport:
        """Run a suite of tasks (or the YAML file of one), each try in a conversation of its own.

        `tries` of each task, by default what the suite says; `concurrency` of them at once.
        Its checks run commands: evaluate only suites that you trust. Raises `EvaluationError`.
        """
        self._enter()
        run, emit = self.evaluation_coordinator.run, self._bus.publish
        return await self._bus.guard.critical(
            "evaluation",
            "run",
            lambda: run(
                suite, new_chat=self._new_chat, emit=emit, tries=tries, concurrency=concurrency
            ),
            fits=lambda value: isinstance(value, EvaluationReport),
            seconds=None,
        )

    def add_observer(self, observer: IObserver, name: str = "") -> None:
        """Let `observer` hear every event from now on; `health()` lists it under its name."""
        self._bus.add(name or type(observer).__name__, observer)

    async def reload_config(self) -> None:
        """Ask every source of configuration again; a failing one leaves all as it was.

        Raises `ConfigError` or `CoordinatorError`.
        """
        self._enter()
        await self._conversation.reload_config()

    def health(self) -> dict[str, Health]:
        """Return how each coordinator is doing, by name."""
        return self._bus.guard.health()

    async def close(self) -> None:
        """Flush, close and release everything; safe to call twice.

        Every part is closed even where another fails to. Raises `SessionError` when the record
        could not be.
        """
        if self._closed:
            return
        self._enter()
        self._closed = True
        await self._bus.flush()
        guard = self._bus.guard
        for name, coordinator in self._coordinators.items():
            shut = getattr(coordinator, "aclose", None)
            if shut is not None and guard.health()[name].state is not State.DISABLED:
                await guard.optional(name, "aclose", shut, None)
        await self._conversation.aclose()
        close = self.session_coordinator.close
        await guard.critical("session", "close", close, error=SessionError)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _enter(self) -> None:
        """Raises `WrongEventLoop`, `TurnInProgress`, or `VictorError` once it is closed."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise WrongEventLoop("This orchestrator belongs to another event loop.")
        if self._closed:
            raise VictorError("This orchestrator is closed.", hint="Create another one.")
        if self._running:
            raise TurnInProgress("A turn is running on this orchestrator.")

    async def _run_tool(self, name: str, arguments: JsonObject) -> ToolResult:
        await self._conversation.begin()
        call = ToolCall(f"workflow_{os.urandom(6).hex()}", name, arguments)
        return await self._turns.run_tool(self._conversation.turn("", self.prompt_context), call)

    @asynccontextmanager
    async def _open_child(self, mode: Mode, emit: Emit) -> AsyncIterator[RunTurn]:
        """Give a conversation of its own below the running turn, no wider than this one is."""
        # Who plans lets others explore: the plan is its own.
        mode = mode if self.mode is Mode.BUILD else Mode.EXPLORE
        settings = child_settings(self._settings, mode, self.config_coordinator.get_config())
        turn_id = self._conversation.turn_id
        kept = KeptByParent(self.checkpoint_coordinator, self.session_id, turn_id)
        async with AgentOrchestrator(
            settings,
            self.current.provider,
            self.current.model,
            tools=self._tools,
            workspace=self.workspace,
            approver=self._approver,
            budget=self._conversation.turn_budget,
            **shared(kept, self.safety_coordinator),
        ) as child:
            child.set_mode(mode)
            child.add_observer(Passing(emit), "parent")
            hand_down(self._coordinators, child._coordinators)
            yield child.chat

    @asynccontextmanager
    async def _new_chat(self, workspace: Path) -> AsyncIterator[RunTurn]:
        """Give a conversation of its own, in `workspace`, with the same settings and model."""
        settings = self._settings.changed(ephemeral=True)
        provider, model = self.current.provider, self.current.model
        async with AgentOrchestrator(
            settings,
            provider,
            model,
            tools=self._tools,
            workspace=workspace,
            budget=self._conversation.budget,
        ) as fresh:
            yield fresh.chat
