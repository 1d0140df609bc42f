"""AgentDojo's functions as tools of Victor."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from agentdojo.functions_runtime import Function, FunctionsRuntime, TaskEnvironment
from tests.injection.declared import Declared

from victor.messages import JsonObject, ToolSpec
from victor.protocols import Access, ToolEnvironment, ToolOutput
from victor.provenance import targets_in


class DojoTool:
    """A function of AgentDojo's that works on the world `world`, with what is declared of it."""

    def __init__(self, function: Function, declared: Declared, world: TaskEnvironment) -> None:
        schema = function.parameters.model_json_schema()
        schema = {"type": "object", "properties": {}, **schema}
        self.spec = ToolSpec(function.name, function.description, schema, declared.effect)
        self._declared = declared
        self._runtime = FunctionsRuntime([function])
        self._world = world

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return nothing: no file of the workspace is changed."""
        return ()

    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        """Return the host that is called."""
        if not self._declared.host:
            return Access()
        address = str(arguments[self._declared.host])
        return Access(hosts=(urlsplit(f"//{address.partition('://')[2] or address}").netloc,))

    def targets(self, arguments: JsonObject) -> tuple[str, ...] | None:
        """Return the values of the arguments that are declared to be targets."""
        return targets_in(arguments, self._declared.targets)

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Run the function on the world."""
        name, declared = self.spec.name, self._declared
        result: Any
        result, error = self._runtime.run_function(self._world, name, dict(arguments))
        if error:
            return ToolOutput(error, is_error=True, source=declared.source)
        return ToolOutput(
            tool_result_to_str(result),
            source=declared.source,
            vouched=tuple(map(str, declared.vouches(result))),
            private=declared.private,
        )
