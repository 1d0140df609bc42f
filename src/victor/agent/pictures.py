"""Pictures in a conversation that goes on with a model that sees none: a note stands for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from victor.messages import Image, Message, Part, Request, Text, ToolResult
from victor.protocols import Ability, ModelInfo


class Pictures:
    """Keeps pictures from models that are known to see none; the messages themselves keep them.

    Each message is looked at once, however often it is sent.
    """

    def __init__(self) -> None:
        self._looked_at = 0
        self._last: Message | None = None
        self._any = False

    def seen(self, request: Request, info: Callable[[], ModelInfo]) -> Request:
        """Return the request as the model of `info` may have it, which is asked where it counts."""
        if not self._shown(request.messages):
            return request
        model = info()
        if Ability.IMAGES in model.abilities or not model.known:
            return request
        return replace(request, messages=tuple(map(_told, request.messages)))

    def _shown(self, messages: tuple[Message, ...]) -> bool:
        """Return whether there are pictures in any of the messages."""
        known = self._looked_at
        if not (0 < known <= len(messages) and messages[known - 1] is self._last):
            known, self._any = 0, False
        self._any = self._any or any(map(_shows, messages[known:]))
        self._looked_at, self._last = len(messages), messages[-1] if messages else None
        return self._any


def _shows(message: Message) -> bool:
    for part in message.parts:
        if isinstance(part, Image) or (isinstance(part, ToolResult) and part.images):
            return True
    return False


def _told(message: Message) -> Message:
    """Return the message with a note in the place of each picture."""
    if not _shows(message):
        return message
    return replace(message, parts=tuple(map(_part_told, message.parts)))


def _part_told(part: Part) -> Part:
    match part:
        case Image():
            return Text(_note(part))
        case ToolResult() if part.images:
            notes = "\n".join(map(_note, part.images))
            return replace(part, content=f"{part.content}\n{notes}", images=())
    return part


def _note(image: Image) -> str:
    return f"[A picture ({image.media_type}) was here. The model in use cannot see pictures.]"
