"""The one check, and repair, of whether a history may be sent to a model.

The rules are what Anthropic's and OpenAI's protocols both accept:

- it starts with a user message, and no message is empty or blank;
- each role holds its own parts: a user text and images, an assistant text, reasoning and tool
  calls, a tool message results;
- a message with tool calls is followed at once by one tool message, which holds exactly one result
  for each call, in the order of the calls, and nothing else; there is no other tool message;
- tool call ids are there, and unique in the conversation;
- two assistant messages do not follow one another, and reasoning does not end a message.

User messages may follow one another: a turn that failed leaves its question behind. Both functions
take one pass and belong to resume, compaction and cancellation, not to the turn itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from victor.messages import (
    Document,
    Image,
    Message,
    Part,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    user,
)

INTERRUPTED = "Interrupted, outcome unknown: check what it did before you run it again."
"""The result of a call that was begun, and of which nobody knows how it ended."""

LEFT_OUT = "(Earlier messages were left out.)"
"""The user message that stands in for what came before."""

_ALLOWED: dict[Role, tuple[type[Part], ...]] = {
    Role.USER: (Text, Image, Document),
    Role.ASSISTANT: (Text, Thinking, ToolCall),
    Role.TOOL: (ToolResult,),
}


def interrupted(call: ToolCall) -> ToolResult:
    """Return the result of a call whose outcome is unknown."""
    return ToolResult(call.id, INTERRUPTED, is_error=True)


def problems(messages: tuple[Message, ...]) -> tuple[str, ...]:
    """Return what keeps `messages` from being sent; empty if they may be."""
    return repair(messages)[1]


def repair(messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    """Return the nearest history that may be sent, and each change with its reason.

    A history without a problem comes back as the same object. An empty one is valid; so a history
    of which nothing can be kept comes back empty.
    """
    repairing = _Repairing(messages)
    repaired = repairing.run()
    if not repairing.notes:
        return messages, ()
    return repaired, tuple(repairing.notes)


@dataclass(slots=True)
class _Repairing:
    """One pass over a history: what is kept of it, and notes of what was not."""

    messages: tuple[Message, ...]
    kept: list[Message] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    """Call ids used so far."""

    def run(self) -> tuple[Message, ...]:
        index, end = 0, len(self.messages)
        while index < end:
            until = self._end_of_step(index)
            self._step(index, until)
            index = until
        return tuple(self.kept)

    def _end_of_step(self, start: int) -> int:
        """Return where the step that starts here ends: before the next assistant message."""
        until = start + 1
        message = self.messages[start]
        if message.role is not Role.ASSISTANT or not message.tool_calls:
            return until
        while until < len(self.messages) and self.messages[until].role is not Role.ASSISTANT:
            until += 1
        return until

    def _step(self, start: int, until: int) -> None:
        message = self._clean(start)
        if message is None:
            return
        if message.role is Role.TOOL:
            self._orphans(start, message.tool_results)
            return
        calls = message.tool_calls
        if not calls:
            self._keep(start, message)
            return
        message = self._with_own_ids(start, message)
        self._keep(start, message)
        self._answer(start, until, calls, message.tool_calls)
        for index in range(start + 1, until):
            rest = self.messages[index]
            if rest.role is Role.USER and (cleaned := self._clean(index)) is not None:
                self._keep(index, cleaned)

    def _answer(
        self, start: int, until: int, calls: tuple[ToolCall, ...], renamed: tuple[ToolCall, ...]
    ) -> None:
        """Keep one tool message with the results of `calls`, found before `until`."""
        tools = [i for i in range(start + 1, until) if self.messages[i].role is Role.TOOL]
        found: dict[str, list[ToolResult]] = {}
        given: list[ToolResult] = []
        for index in tools:
            cleaned = self._clean(index)
            for result in cleaned.tool_results if cleaned else ():
                found.setdefault(result.call_id, []).append(result)
                given.append(result)
        results: list[ToolResult] = []
        for call, own in zip(calls, renamed, strict=True):
            waiting = found.get(call.id)
            if not waiting:
                self._note(start, f"tool call {call.name!r} ({own.id}) had no result; one added")
                results.append(interrupted(own))
                continue
            result = waiting.pop(0)
            results.append(result if own is call else replace(result, call_id=own.id))
        leftover = [result for waiting in found.values() for result in waiting]
        self._orphans(start, leftover)
        if not leftover and len(given) == len(results) and _ids(given) != _ids(calls):
            self._note(start, "results were not in the order of their calls; sorted")
        if tools and tools[0] != start + 1:
            self._note(tools[0], "results did not follow their calls at once; moved")
        for index in tools[1:]:
            self._note(index, "results of one step were in several messages; joined")
        self.kept.append(Message(Role.TOOL, tuple(results)))

    def _clean(self, index: int) -> Message | None:
        """Return the message with only the parts it may have; None if nothing is left."""
        message = self.messages[index]
        parts = list(self._fitting(index, message))
        while parts and isinstance(parts[-1], Thinking):
            parts.pop()
            self._note(index, "reasoning ended the message; dropped")
        if not parts:
            self._note(index, f"the {message.role} message was empty; dropped")
            return None
        if len(parts) == len(message.parts):
            return message
        return Message(message.role, tuple(parts))

    def _fitting(self, index: int, message: Message) -> Iterator[Part]:
        allowed = _ALLOWED[message.role]
        for part in message.parts:
            if not isinstance(part, allowed):
                kind = type(part).__name__
                self._note(index, f"{kind} has no place in a {message.role} message; dropped")
            elif isinstance(part, Text) and not part.text.strip():
                self._note(index, "blank text; dropped")
            else:
                yield part

    def _with_own_ids(self, index: int, message: Message) -> Message:
        """Return the message with calls that no earlier one shares its id with."""
        parts: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolCall):
                part = self._with_own_id(index, part)
                self.seen.add(part.id)
            parts.append(part)
        return Message(message.role, tuple(parts))

    def _with_own_id(self, index: int, call: ToolCall) -> ToolCall:
        if call.id and call.id not in self.seen:
            return call
        stem = call.id or "call"
        number = len(self.seen) + 1
        while (fresh := f"{stem}-{number}") in self.seen:
            number += 1
        why = "shares its id with an earlier one" if call.id else "had no id"
        self._note(index, f"tool call {call.name!r} {why}; now {fresh}")
        return replace(call, id=fresh)

    def _keep(self, index: int, message: Message) -> None:
        if not self.kept and message.role is Role.ASSISTANT:
            self._note(index, "the history did not start with a user message; one added")
            self.kept.append(user(LEFT_OUT))
        last = self.kept[-1] if self.kept else None
        if last is not None and last.role is message.role is Role.ASSISTANT:
            self._note(index, "two assistant messages followed one another; joined")
            self.kept[-1] = Message(Role.ASSISTANT, last.parts + message.parts)
            return
        self.kept.append(message)

    def _orphans(self, index: int, results: Iterable[ToolResult]) -> None:
        for result in results:
            self._note(index, f"a result ({result.call_id}) answers no call; dropped")

    def _note(self, index: int, text: str) -> None:
        self.notes.append(f"message {index + 1}: {text}")


def _ids(items: Iterable[ToolCall | ToolResult]) -> list[str]:
    """Return the call ids of `items`, in order."""
    return [item.id if isinstance(item, ToolCall) else item.call_id for item in items]
