"""Which item of a reply an event of the Responses API belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from victor.providers.json_values import word


class ItemPlaces:
    """Numbers the items of one reply from 0, on servers that name them differently.

    The protocol gives each an id and an `output_index`. Some servers give every event of an item
    another id, some no index, or one for all. What an event belongs to is told by both together,
    else by the id, else by the index, else it is the last item.
    """

    def __init__(self) -> None:
        self._of: dict[object, int] = {}
        self._count = 0
        self._open = False
        """Whether the last item goes on."""

    def start(self, event: Mapping[str, Any], item: Mapping[str, Any]) -> int:
        """Return the place of a new item."""
        place = self._count
        self._count += 1
        self._open = True
        self._of.update(dict.fromkeys(_names(event, item), place))
        return place

    def of(self, event: Mapping[str, Any]) -> int:
        """Return the place of the item that a piece belongs to."""
        known = self._known(event, {})
        if known is not None:
            return known
        if isinstance(event.get("output_index"), int) or not self._count:
            return self.start(event, {})
        return self._count - 1

    def end(self, event: Mapping[str, Any], item: Mapping[str, Any]) -> int:
        """Return the place of an item that is whole now."""
        place = self._known(event, item)
        if place is None:
            nameless = not _names(event, item)
            place = self._count - 1 if nameless and self._open else self.start(event, item)
        self._open = self._open and place != self._count - 1
        return place

    def _known(self, event: Mapping[str, Any], item: Mapping[str, Any]) -> int | None:
        return next((self._of[name] for name in _names(event, item) if name in self._of), None)

    def listed(self, index: int, item: Mapping[str, Any]) -> int:
        """Return the place of an item in the list of all of them."""
        known = self._of.get(word(item, "id") or None)
        return index if known is None else known


def _names(event: Mapping[str, Any], item: Mapping[str, Any]) -> list[object]:
    """Return what the event's item goes by, the surest first."""
    name = word(item, "id") or word(event, "item_id")
    index = event.get("output_index")
    if not isinstance(index, int):
        return [name] if name else []
    return [(name, index), name, index] if name else [index]
