"""What the wire formats' tests share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from victor.messages import ToolSpec


@pytest.fixture
def make_tool() -> Callable[[str], ToolSpec]:
    return lambda name: ToolSpec(name, "Does it.", {"properties": {}})
