"""The first half of a step: everything that a model call needs, and the call."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from victor import tokens
from victor.agent.admission import AdmittedProvider
from victor.agent.context_step import ContextStep, VendorsTask
from victor.agent.event_bus import EventBus
from victor.agent.fits import ENDPOINT, ENDPOINT_OR_NONE, MODE, NONE, TEXT
from victor.agent.guard import describe
from victor.agent.metering import MeteredProvider
from victor.agent.offering import Offering
from victor.agent.pictures import Pictures
from victor.agent.request_notes import RequestNotes, explained, spent
from victor.agent.stages import Stages
from victor.agent.structured_output import answering
from victor.agent.turn import Limits, Turn
from victor.agent.vendors_summary import vendors_own
from victor.budget import NOTHING, Amounts, Budget, BudgetLimits
from victor.calibration import Fit
from victor.endpoints import Admission
from victor.errors import ProviderError
from victor.events import (
    Event,
    ProviderSwitched,
    ReplyReceived,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
)
from victor.messages import Context, Reply, Request, ToolChoice, ToolSpec, user
from victor.protocols import Emit, Endpoint, IProvider, Mode, TextCounter
from victor.rate_limits import Demand

MINIMAL_PROMPT = (
    "You are Victor, a careful assistant. Do only what the user asks for, and say so when a tool "
    "or an instruction is missing."
)
"""The system prompt when none can be built."""

REPORTING_SECONDS = 5.0
"""How much longer than the model the chat coordinator may take, to tell what had arrived."""


@dataclass(frozen=True, slots=True)
class ContextRoom:
    """What a model call has room for, and what stands in it beside the messages."""

    endpoint: Endpoint
    system: str
    tools: tuple[ToolSpec, ...]
    window: int
    reserve: int
    """What of the window is kept for the answer."""
    fit: Fit
    """How the vendor's own counts stand to the estimate."""
    vocabulary: TextCounter | None = None
    """What counts by the model's own vocabulary; None: it is estimated."""


class ModelStep:
    """Asks the coordinators for a model call's parts, and falls back where one fails."""

    def __init__(self, stages: Stages, bus: EventBus) -> None:
        self._stages = stages
        self._bus = bus
        self._publish = bus.publish
        self._guard = bus.guard
        self._last_prompt = MINIMAL_PROMPT
        self._cached = 0
        self._because = ""
        """The failure that made the next endpoint serve; empty where none did."""
        self._notes = RequestNotes(partial(explained, stages.prompt, stages.tool_selection))
        self._pictures = Pictures()
        self.context = ContextStep(stages, bus, self._summarize)
        self.offering = Offering(stages, bus)
        self.limits = Limits()

    async def room(self, system: str) -> ContextRoom:
        """Return what a request with this prompt would be made of."""
        context, endpoint = self.context, self.endpoint()
        await context.count_for(endpoint)
        window, reserve = context.window(endpoint)
        fit = context.calibrated(endpoint)
        tools, vocabulary = self.offering.offered(window), context.vocabulary
        return ContextRoom(endpoint, system, tools, window, reserve, fit, vocabulary)

    async def system_prompt(self, turn: Turn) -> str:
        """Return the system prompt; the last good one when building fails."""
        build = self._stages.prompt.build_system_prompt
        self._last_prompt = await self._guard.optional(
            "prompt",
            "build_system_prompt",
            lambda: build(turn.facts),
            self._last_prompt,
            fits=TEXT,
        )
        return self._last_prompt

    def configure(self, config: Mapping[str, Any], limits: Limits) -> None:
        """Adopt the settings, and the limits among them."""
        self.limits = limits
        self.context.configure(limits)
        self._notes.configure(config)

    def endpoint(self) -> Endpoint:
        """Return where the call goes. Raises `CoordinatorError`."""
        provider = self._stages.provider
        return self._guard.require("provider", "current", lambda: provider.current, fits=ENDPOINT)

    def fall_back(self, failure: ProviderError) -> bool:
        """Move to the next endpoint because of `failure`; return whether there is one."""
        provider = self._stages.provider
        endpoint = self._guard.read(
            "provider",
            "fall_back",
            lambda: provider.fall_back(failure),
            None,
            fits=ENDPOINT_OR_NONE,
        )
        if endpoint is None:
            return False
        self._because = describe(failure)
        self._publish(ProviderSwitched(endpoint.provider.name, endpoint.model, describe(failure)))
        return True

    async def reply(
        self,
        turn: Turn,
        endpoint: Endpoint,
        system: str,
        context: Context,
        tools: tuple[ToolSpec, ...],
        tool_choice: ToolChoice,
    ) -> Reply:
        """Return the model's whole answer. Raises `ProviderError` or `BudgetExceeded`."""
        provider, model = endpoint.provider, endpoint.model
        request = Request(
            model=model,
            messages=context.messages,
            system=system,
            tools=tools,
            tool_choice=tool_choice,
            max_tokens=self._output_limit(endpoint),
            temperature=self.limits.temperature,
            output_schema=turn.output.schema if turn.output else None,
        )
        request = self._pictures.seen(request, lambda: self.context.model_info(endpoint))
        size = self.context.size()
        estimate = size + self.context.overhead
        provider, metered = self._drawing(turn, endpoint, request, estimate, cached=self._cached)
        asked = answering(provider, request)
        self._publish(StepStarted(turn.id, turn.step, provider.name, model, size))
        started = time.monotonic()
        heard = _Heard(self._publish)
        turn.shown = heard.text
        call = self._guard.critical(
            "chat",
            "reply",
            lambda: self._stages.chat.reply(asked, request, heard),
            fits=_reply,
            seconds=self.limits.model_call_timeout + REPORTING_SECONDS,
            error=lambda text: ProviderError(text, provider=provider.name, model=model),
        )
        reply, cost = await self._answered(turn, endpoint, metered, call)
        turn.shown = []
        known = self.context.model_info(endpoint)
        turn.noted = self._notes.of(request, provider.name, self._mode(), known)
        if self._because and turn.noted.keys() & {"provider", "model"}:
            turn.noted["model_because"] = self._because
        self._because = ""
        turn.noted["usage"] = spent(reply.usage, cost, estimate)
        turn.count(reply.usage, cost)
        self.context.learn(endpoint, estimate, reply.usage)
        self._cached = reply.usage.cache_read + reply.usage.cache_write
        self._guard.read("provider", "succeeded", self._stages.provider.succeeded, None, fits=NONE)
        waited = heard.began - started if heard.began else None
        seconds = time.monotonic() - started
        self._publish(ReplyReceived(turn.id, turn.step, reply, seconds, waited, cost))
        return reply

    def _drawing(
        self, turn: Turn, endpoint: Endpoint, request: Request, size: int, *, cached: int = 0
    ) -> tuple[IProvider, MeteredProvider | None]:
        """Return the provider, its calls let in and metered, and where what they take is counted.

        The request has about `size` tokens; of those, `cached` are taken to be in the vendor's
        cache. A provider in this process is left alone where there is no budget: what breaks off
        there costs nothing. Raises `BudgetExceeded` if time is up.
        """
        admission = self._admission(endpoint)
        if turn.budget is None and admission is None:
            return endpoint.provider, None
        metered = self._metered(turn.budget or Budget(BudgetLimits()), endpoint, request, size)
        if admission is None:
            return metered, metered
        demand = Demand(size, max(0, size - cached))
        return AdmittedProvider(metered, admission, demand, self._publish), metered

    def _admission(self, endpoint: Endpoint) -> Admission | None:
        admit = self._stages.provider.admission
        return self._guard.read(
            "provider", "admission", lambda: admit(endpoint), None, fits=_admission
        )

    def _metered(
        self, budget: Budget, endpoint: Endpoint, request: Request, size: int
    ) -> MeteredProvider:
        """Return the provider, drawing on the budget. Raises `BudgetExceeded` if time is up."""
        over = budget.out_of_time()
        if over is not None:
            raise over
        info = self.context.model_info(endpoint)
        return MeteredProvider(endpoint.provider, info, budget, request, size)

    def _mode(self) -> Mode:
        mode = self._stages.mode
        return self._guard.read("mode", "current", lambda: mode.current, Mode.PLAN, fits=MODE)

    def _output_limit(self, endpoint: Endpoint) -> int | None:
        """Return the limit that the settings put on a reply; None leaves it to the provider."""
        if self.limits.max_output_tokens is not None:
            return self.limits.max_output_tokens
        models = self.limits.models
        told = models.get(f"{endpoint.provider.name}:{endpoint.model}") if models else None
        return told.get("max_output") if told else None

    def _cost(self, endpoint: Endpoint, reply: Reply) -> float | None:
        """Return the US dollars of a call, where its price is known."""
        cost = self.context.model_info(endpoint).cost(reply.usage)
        if cost is None and reply.model not in ("", endpoint.model):
            # A router answers by the name of the model that it chose.
            chosen = Endpoint(endpoint.provider, reply.model)
            cost = self.context.model_info(chosen).cost(reply.usage)
        return cost

    async def _summarize(self, turn: Turn, instructions: str, what: str | VendorsTask) -> str:
        """Ask a model of the current provider for a summary, outside of the conversation.

        Raises `ProviderError` or `BudgetExceeded`.
        """
        if isinstance(what, VendorsTask):
            served, request = vendors_own(what.endpoint, instructions), what.request
            size, cached = self.context.size() + self.context.overhead, self._cached
        else:
            endpoint = self.endpoint()
            model = self.limits.summary_model or endpoint.model
            request = Request(model=model, messages=(user(what),), system=instructions)
            served = Endpoint(endpoint.provider, model)
            size, cached = tokens.of_text(instructions) + tokens.of_text(what), 0
        provider, metered = self._drawing(turn, served, request, size, cached=cached)
        call = self._stages.chat.reply(provider, request, _unheard)
        reply, cost = await self._answered(turn, served, metered, call)
        turn.count(reply.usage, cost)
        return reply.message.text

    async def _answered(
        self,
        turn: Turn,
        endpoint: Endpoint,
        metered: MeteredProvider | None,
        call: Awaitable[Reply],
    ) -> tuple[Reply, float | None]:
        """Return what the call gives, and its US dollars; count for the turn what failed of it."""
        answered = NOTHING
        try:
            reply = await call
            cost = self._cost(endpoint, reply)
            answered = Amounts(reply.usage.total, cost or 0.0, model_calls=1)
        finally:
            if metered is not None:
                turn.failed += metered.taken.beyond(answered)
        return reply, cost


class _Heard:
    """Publishes what a reply streams; notes when it began and what a person has read of it."""

    __slots__ = ("_publish", "began", "text")

    def __init__(self, publish: Emit) -> None:
        self._publish = publish
        self.began: float | None = None
        self.text: list[str] = []

    def __call__(self, event: Event) -> None:
        if self.began is None and isinstance(event, TextDelta | ThinkingDelta | ToolCallDelta):
            self.began = time.monotonic()
        if type(event) is TextDelta:
            self.text.append(event.content)
        self._publish(event)


def _admission(value: object) -> bool:
    return value is None or isinstance(value, Admission)


def _unheard(event: Event) -> None:
    """Take no note of what a summary's model call streams."""


def _reply(value: object) -> bool:
    return isinstance(value, Reply)
