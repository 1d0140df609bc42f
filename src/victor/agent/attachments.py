"""What a person names in a message, fetched where the tools come from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from victor.agent.outputs import Outputs
from victor.agent.tool_results import ToolResults
from victor.protocols import Attachment, IAttachments, Mentionable, ToolEnvironment


@dataclass(frozen=True, slots=True)
class Attachments:
    """Asks the source of tools, where it is one of `IAttachments`."""

    source: object
    environment: ToolEnvironment
    outputs: Outputs | None = None
    """Keeps what is too long to be told."""

    def mentions(self, words: str) -> bool:
        """Return whether a person's words name something that goes along with them."""
        return isinstance(self.source, IAttachments) and self.source.mentions(words)

    def mentionable(self) -> tuple[Mentionable, ...]:
        """Return what can be named now."""
        return self.source.mentionable() if isinstance(self.source, IAttachments) else ()

    async def attach(self, words: str, *, sees_images: bool = False) -> tuple[Attachment, ...]:
        """Return what a person's words name, capped and labelled. Raises `ToolError`."""
        if not isinstance(self.source, IAttachments):
            return ()
        environment = replace(self.environment, sees_images=sees_images)
        found = await self.source.attach(words, environment)
        results = ToolResults(environment.output_tokens, self.outputs, environment.session_id)
        return tuple([await results.attached(one) for one in found])
