"""Which tool call a streamed fragment belongs to, on servers that disagree about it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from victor.events import ToolCallDelta


@dataclass(slots=True)
class _Call:
    number: int
    raw_id: str
    index: int | None
    arguments: str = ""


class CallFragments:
    """Numbers the calls of one reply from 0, and gives each an id that no other has.

    The protocol says that fragments of a call share an `index`, and that its first carries `id`
    and name. Servers send one index for all calls, one id for all calls, empty ids, no index, or
    the name again with each fragment. A fragment belongs to the call of its id; without a known
    id to the call of its index; without either to the last call. It starts a new call where that
    one has another id, or where it carries a name and that one is already complete.
    """

    def __init__(self, taken_ids: frozenset[str] = frozenset()) -> None:
        self._taken = set(taken_ids)
        self._calls: list[_Call] = []

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, fragment: Mapping[str, Any]) -> Iterator[ToolCallDelta]:
        """Yield the delta for a fragment, or nothing where it says nothing new."""
        function = fragment.get("function")
        source: Mapping[str, Any] = function if isinstance(function, Mapping) else {}
        name = source.get("name") or ""
        arguments = source.get("arguments") or ""
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments)
        raw_id = str(fragment.get("id") or "")
        index = fragment.get("index")
        index = index if isinstance(index, int) else None
        call = self._find(raw_id, index, str(name))
        if call is not None:
            call.raw_id = call.raw_id or raw_id
            call.arguments += arguments
            if arguments:
                yield ToolCallDelta(call.number, arguments=arguments)
            return
        call = _Call(len(self._calls), raw_id, index, arguments)
        self._calls.append(call)
        yield ToolCallDelta(call.number, self._unique(raw_id), str(name), arguments)

    def _find(self, raw_id: str, index: int | None, name: str) -> _Call | None:
        """Return the call that the fragment continues; None where it starts one."""
        for call in reversed(self._calls):
            if raw_id and call.raw_id == raw_id and (call.index == index or not name):
                return call if not self._starts_anew(call, name) else None
        same_index = [call for call in self._calls if index is None or call.index == index]
        if not same_index:
            return None
        last = same_index[-1]
        if raw_id and last.raw_id and raw_id != last.raw_id:
            return None
        return None if self._starts_anew(last, name) else last

    @staticmethod
    def _starts_anew(call: _Call, name: str) -> bool:
        """Return whether a fragment with a name cannot belong to `call`, which is whole."""
        if not name or not call.arguments:
            return False
        try:
            json.loads(call.arguments)
        except ValueError:
            return False
        return True

    def _unique(self, raw_id: str) -> str:
        wanted = raw_id or f"call_{len(self._taken) + 1}"
        unique = wanted
        count = 1
        while unique in self._taken:
            count += 1
            unique = f"{wanted}_{count}"
        self._taken.add(unique)
        return unique
