"""What pure reads gave, kept as long as what they depend on is unchanged."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any, TypeAlias

from victor.messages import JsonObject
from victor.protocols import ITool, ToolEnvironment, ToolOutput

KEPT_READS = 32

_Key: TypeAlias = tuple[Any, ...]


class KnownReads:
    """Outputs of tools that tell what they depend on. Any change by a tool empties it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, tuple[object, ToolOutput]] = OrderedDict()

    def forget(self) -> None:
        """Forget everything: something may have been changed."""
        self._kept.clear()

    async def run(
        self, tool: ITool, arguments: JsonObject, environment: ToolEnvironment
    ) -> ToolOutput:
        """Return what the tool gives, or gave when nothing was different. Raises what it raises."""
        # Looked up by name: `isinstance(tool, IPureTool)` costs more than all the rest of a call.
        depends_on: Any = getattr(tool, "depends_on", None)
        if depends_on is None:
            return await tool.run(arguments, environment)
        state = await depends_on(arguments, environment)
        if state is None:
            return await tool.run(arguments, environment)
        key = _key(tool, arguments, environment)
        kept = self._kept.get(key)
        if kept is not None and kept[0] == state:
            self._kept.move_to_end(key)
            return kept[1]
        output = await tool.run(arguments, environment)
        lasting = not output.is_error and not output.images
        if lasting and await depends_on(arguments, environment) == state:
            self._kept[key] = (state, output)
            while len(self._kept) > KEPT_READS:
                self._kept.popitem(last=False)
        return output


def _key(tool: ITool, arguments: JsonObject, environment: ToolEnvironment) -> _Key:
    told = json.dumps(dict(arguments), sort_keys=True, default=repr)
    seeing = (environment.output_limit, environment.sees_images, environment.hidden)
    return (tool.spec.name, told, *seeing)
