"""Making results of what tools give: text that every store takes, and no more than fits."""

from __future__ import annotations

import os
from dataclasses import dataclass

from victor.agent.outputs import Outputs
from victor.agent.tool_runs import CallOutcome
from victor.messages import ToolCall, ToolResult
from victor.protocols import Attachment, Executed
from victor.taint import labelled, requested
from victor.tokens import of_text


@dataclass(frozen=True, slots=True)
class ToolResults:
    """Caps results at `limit` tokens; what is beyond goes to a file, if `outputs` keeps them."""

    limit: int
    outputs: Outputs | None = None
    session_id: str = ""

    async def attached(self, one: Attachment) -> Attachment:
        """Return what a person attaches, capped and labelled."""
        # What nobody but this process knows, for the label.
        call = ToolCall(f"attached_{os.urandom(6).hex()}", one.name, {})
        text = encodable(one.text) or "[It is empty.]"
        if not fits(text, self.limit):
            text, _ = await self._capped(call, text)
        label = requested if one.asked else labelled
        return one.with_text(label(text, one.source, call.id))

    async def of(self, outcome: CallOutcome) -> Executed:
        """Return the call with its result."""
        call, output = outcome.call, outcome.output
        content = encodable(output.content) or ("Failed." if output.is_error else "Done.")
        full_output = ""
        if not fits(content, self.limit):
            content, full_output = await self._capped(call, content)
        if output.source:
            content = labelled(content, output.source, call.id)
        result = ToolResult(
            call.id,
            content,
            output.is_error,
            full_output,
            output.images,
            output.source,
            tuple(map(encodable, output.vouched)),
            encodable(output.private),
        )
        return Executed(
            call,
            result,
            outcome.seconds,
            encodable(output.display),
            search=encodable(output.search),
            plan=encodable(output.plan),
        )

    async def _capped(self, call: ToolCall, content: str) -> tuple[str, str]:
        """Return the beginning and the end of `content`, and the file that holds all of it."""
        path, kept = "", "The rest was dropped; ask for less."
        if self.outputs is not None:
            try:
                file = await self.outputs.keep(self.session_id, call, content)
            except OSError as error:
                kept = f"The rest could not be kept ({error.strerror}); ask for less."
            else:
                path, kept = str(file), f"All of it is in {file}: grep it, or read parts of it."
        characters = len(content) * self.limit // of_text(content)
        while True:
            head = _whole_lines(content[: characters * 2 // 3])
            tail = _whole_lines(content[-(characters // 3) :][::-1])[::-1]
            if characters < self.limit or of_text(head) + of_text(tail) <= self.limit:
                break
            characters = characters * 9 // 10
        left_out = len(content) - len(head) - len(tail)
        return f"{head}\n[... {left_out:,} characters left out. {kept} ...]\n{tail}", path


def fits(content: str, limit: int) -> bool:
    """Return whether the text has at most `limit` tokens."""
    # A token is hardly ever less than a character; most results need no counting.
    return len(content) * 2 <= limit or of_text(content) <= limit


def encodable(text: str) -> str:
    """Return `text` without lone surrogates, which no store and no vendor accepts."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _whole_lines(text: str) -> str:
    """Drop the line that was cut, unless that would drop much."""
    end = text.rfind("\n")
    return text[:end] if end > len(text) // 2 else text
