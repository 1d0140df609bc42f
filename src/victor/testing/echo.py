"""A provider that says what it was told."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from victor.events import ReplyDelta, ReplyFinished, TextDelta
from victor.messages import Request, Role, StopReason, Usage
from victor.protocols import ModelInfo


class EchoProvider:
    """Answers each request with the text of its last user message, word by word."""

    def __init__(self, *, name: str = "echo", context_window: int = 1_000_000) -> None:
        self.name = name
        self.requests: list[Request] = []
        """Every request, in order."""
        self._window = context_window

    async def stream(self, request: Request) -> AsyncIterator[ReplyDelta]:
        """Stream the echo; each word keeps the space that follows it."""
        self.requests.append(request)
        text = next((m.text for m in reversed(request.messages) if m.role is Role.USER), "")
        words = re.findall(r"\S*\s*", text)
        for word in filter(None, words):
            yield TextDelta(word)
        sent = sum(len(message.text.split()) for message in request.messages)
        yield ReplyFinished(StopReason.END, Usage(sent, len(text.split())), request.model)

    def model_info(self, model: str) -> ModelInfo:
        """Return the same figures for every model; it costs nothing."""
        return ModelInfo(model, self._window, 100_000, input_price=0.0, output_price=0.0)

    async def aclose(self) -> None:
        """Do nothing: there is nothing to release."""
