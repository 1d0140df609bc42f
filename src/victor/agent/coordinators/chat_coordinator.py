"""One exchange with the model: request, stream, assemble, repair."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from victor.agent.bounded import bounded
from victor.errors import BadReply, ContextExceeded, ProviderError, ProviderUnavailable
from victor.events import ModelCallRetried, ReplyFinished, TextDelta
from victor.messages import (
    Reply,
    Request,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    Usage,
    assistant,
    user,
)
from victor.protocols import Emit, IProvider, IRetries
from victor.replies import ReplyAssembly, encodable

EMPTY_REPLY_TRIES = 2
"""How often the model is asked before an answer without text and tool calls is an error."""

MOST_RESUMPTIONS = 2
"""How often the model is asked to go on with an answer that broke off after its first words."""

MOST_REPAIRS = 2
"""How many replies in a row may hold nothing but broken tool calls."""

GO_ON = (
    "The connection broke while you answered, and the user has what you see above. Go on exactly"
    " where it stops. Do not repeat any of it, and do not mention the break."
)

GRACE_SECONDS = 0.5
"""How long a provider that is cancelled may clean up: less than the guard gives this coordinator,
so that it is told here what became of the answer."""

RetriesOf: TypeAlias = Callable[[Mapping[str, Any]], IRetries]


class _NoRetries:
    """Makes no call again."""

    def wait(self, failure: ProviderError, attempt: int, left: float) -> float:
        raise failure


@dataclass(slots=True)
class _Progress:
    """What the tries of one exchange have come to."""

    asked: Request
    request: Request
    """The next try's: as asked, or to go on with what was said."""
    emit: Emit
    assembly: ReplyAssembly
    """What the running try has brought."""
    ends: float
    """When the exchange must be over, by the coordinator's clock."""
    attempt: int = 1
    empty: int = 0
    """Answers with neither text nor tool calls."""
    blank: bool = False
    """Whether the last try was such an answer."""
    resumed: int = 0
    said: str = ""
    """What the broken tries have shown of the answer."""
    usage: Usage = Usage()  # noqa: RUF009  # a frozen value
    """What they took, where they could tell."""

    def visible(self) -> str:
        return self.said + self.assembly.visible()


class ChatCoordinator:
    """Turns a provider's deltas into one reply that the turn can rely on.

    `retries_of` makes, of the settings, what decides whether a failed call is made again, and
    after how long; without it none is.
    """

    def __init__(
        self,
        *,
        retries_of: RetriesOf | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._retries_of = retries_of
        self._retries: IRetries = _NoRetries()
        self._clock = clock
        self._sleep = sleep
        self._tries = 4
        self._seconds = 600.0
        self._call_ids: set[str] = set()
        self._broken_in_a_row = 0

    def configure(self, config: Mapping[str, Any]) -> None:
        """Adopt `model_call_timeout` (seconds), `max_retries`, and what `retries_of` reads."""
        self._seconds = config.get("model_call_timeout", self._seconds)
        self._tries = config.get("max_retries", self._tries - 1) + 1
        if self._retries_of is not None:
            self._retries = self._retries_of(config)

    async def reply(self, provider: IProvider, request: Request, emit: Emit) -> Reply:
        """Return the model's whole answer, emitting its deltas as they arrive.

        A call that fails before the first words is made again, and an answer that breaks off after
        them is asked to go on, within `max_retries` and `model_call_timeout`; each time
        `ModelCallRetried` is emitted. Tool calls have ids that are unique in the conversation; one
        whose arguments are no JSON object, or which was cut off, is marked `invalid`. Raises
        `ProviderError`, with the text that had arrived in its `partial`.
        """
        ends = self._clock() + self._seconds
        progress = _Progress(request, request, emit, ReplyAssembly(provider.name), ends)
        try:
            return await bounded(self._attempts(provider, progress), self._seconds, GRACE_SECONDS)
        except TimeoutError:
            overdue = ProviderUnavailable(
                f"The model has not answered in whole within {self._seconds:g} s.",
                provider=provider.name,
                model=request.model,
                hint="Ask for less, or raise the setting model_call_timeout.",
            )
            overdue.partial = progress.visible()
            raise overdue from None

    async def _attempts(self, provider: IProvider, progress: _Progress) -> Reply:
        while True:
            try:
                return self._accepted(await self._stream(provider, progress), progress)
            except ProviderError as failure:
                await self._again(failure, provider, progress)

    async def _stream(self, provider: IProvider, progress: _Progress) -> Reply:
        assembly, emit = progress.assembly, progress.emit
        stream: Any = provider.stream(progress.request)
        async with aclosing(stream) as deltas:
            async for delta in deltas:
                if type(delta) is TextDelta:
                    if not delta.content.isascii():
                        delta = TextDelta(encodable(delta.content))
                    assembly.text.append(delta.content)
                    emit(delta)
                else:
                    assembly.add(delta)
                    if not isinstance(delta, ReplyFinished):
                        emit(delta)
        if assembly.finished is None:
            raise BadReply(
                "The answer ended before it was finished.",
                provider=provider.name,
                model=progress.request.model,
                hint="Ask again.",
            )
        return assembly.reply(assembly.finished, self._call_ids)

    async def _again(
        self, failure: ProviderError, provider: IProvider, progress: _Progress
    ) -> None:
        """Return when the call may be made again. Raises `failure` where it may not."""
        failure.partial = progress.visible()
        shown = progress.assembly.visible().strip() and progress.assembly.visible()
        if progress.blank:
            wait = self._wait_after_empty(failure, progress)
        elif progress.attempt >= self._tries or (shown and progress.resumed >= MOST_RESUMPTIONS):
            raise failure
        else:
            wait = self._retries.wait(failure, progress.attempt, progress.ends - self._clock())
        if shown:
            progress.resumed += 1
            progress.said += shown
            messages = (*progress.asked.messages, assistant(progress.said), user(GO_ON))
            progress.request = replace(progress.asked, messages=messages)
        progress.assembly = ReplyAssembly(provider.name)
        progress.emit(ModelCallRetried(provider.name, progress.attempt, str(failure), wait))
        progress.attempt += 1
        if wait:
            await self._sleep(wait)

    @staticmethod
    def _wait_after_empty(failure: ProviderError, progress: _Progress) -> float:
        progress.blank = False
        progress.empty += 1
        if progress.empty >= EMPTY_REPLY_TRIES:
            raise failure
        return 0.0

    def _accepted(self, reply: Reply, progress: _Progress) -> Reply:
        """Return the reply, joined to what broken tries had shown of it.

        Raises `ProviderError` where it is none: nothing may stand in for it.
        """
        message = reply.message
        calls = message.tool_calls
        if not calls and not message.text.strip():
            return self._without_words(reply, progress)
        self._count_broken(calls, reply, progress.request)
        if not progress.said and not progress.usage.total:
            return reply
        parts = message.parts
        if progress.said:
            # Reasoning comes first, where the vendor signs it.
            first = next((n for n, p in enumerate(parts) if not isinstance(p, Thinking)), 0)
            parts = (*parts[:first], Text(progress.said), *parts[first:])
        usage = progress.usage + reply.usage
        return replace(reply, message=replace(message, parts=parts), usage=usage)

    def _without_words(self, reply: Reply, progress: _Progress) -> Reply:
        """Raise the error for a reply without text and tool calls, if it is one."""
        progress.usage = progress.usage + reply.usage
        where: dict[str, Any] = {
            "provider": reply.provider,
            "model": reply.model or progress.request.model,
        }
        match reply.stop_reason:
            case StopReason.END | StopReason.TOOL_USE | StopReason.UNKNOWN:
                if progress.said:
                    # The answer was whole but for its end.
                    text = assistant(progress.said)
                    return replace(reply, message=text, usage=progress.usage)
                progress.blank = True
                failure: ProviderError = BadReply(
                    "The model answered with neither text nor a tool call.",
                    hint="Ask again, or choose another model.",
                    **where,
                )
            case StopReason.CONTEXT_EXCEEDED:
                failure = ContextExceeded(
                    "The model's context window was full before it could answer.", **where
                )
            case reason:
                failure = ProviderError(
                    f"The model stopped without an answer: {reason}.", hint=_HINTS[reason], **where
                )
        raise failure

    def _count_broken(self, calls: tuple[ToolCall, ...], reply: Reply, request: Request) -> None:
        """Note a reply with nothing but broken tool calls. Raises `BadReply` for one too many."""
        if not calls or any(call.name and not call.invalid for call in calls):
            self._broken_in_a_row = 0
            return
        self._broken_in_a_row += 1
        if self._broken_in_a_row <= MOST_REPAIRS:
            return
        self._broken_in_a_row = 0
        hopeless = BadReply(
            f"The model made nothing but broken tool calls {MOST_REPAIRS + 1} times in a row.",
            provider=reply.provider,
            model=reply.model or request.model,
            hint="Ask in smaller steps, raise max_output_tokens, or choose another model.",
        )
        hopeless.retryable = False
        raise hopeless


_HINTS = {
    StopReason.MAX_TOKENS: "Raise max_output_tokens, or ask for less.",
    StopReason.REFUSAL: "Rephrase the request, or choose another model.",
    StopReason.CONTENT_FILTER: "The vendor's filter took the answer; rephrase the request.",
    StopReason.PAUSE: "The vendor paused the turn; ask again to go on.",
}
