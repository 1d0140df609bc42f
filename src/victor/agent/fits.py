"""What coordinators' calls may give, for the guard to hold them to: values for its `fits`."""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType
from typing import TypeAlias

from victor.protocols import Endpoint, Mode

Fits: TypeAlias = Callable[[object], bool]


def instance_of(*kinds: type) -> Fits:
    """Return what tells whether a value is of one of these kinds."""
    return lambda value: isinstance(value, kinds)


TEXT = instance_of(str)
NONE = instance_of(NoneType)
WHOLE_NUMBER = instance_of(int)
MODE = instance_of(Mode)
ENDPOINT = instance_of(Endpoint)
ENDPOINT_OR_NONE = instance_of(Endpoint, NoneType)
