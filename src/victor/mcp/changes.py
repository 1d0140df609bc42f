"""Hearing from a server that what it offers has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcp import Client

AGAIN_SECONDS = 60.0
"""How long to wait before a server that has stopped telling is asked to go on."""
_CHANGES = frozenset(
    {
        "ToolListChangedNotification",
        "ResourceListChangedNotification",
        "PromptListChangedNotification",
    }
)


def heard(message: object) -> bool:
    """Return whether the message says that a list has changed."""
    return type(message).__name__ in _CHANGES


def tells_of_resources(client: Client) -> bool:
    """Return whether the server says by itself when its resources change."""
    resources = client.server_capabilities.resources
    return resources is not None and bool(resources.list_changed)


async def listen(client: Client, changed: Callable[[], None]) -> None:
    """Ask to be told of changes, which newer forms of the protocol do not tell unasked.

    Returns where the server cannot; else it goes on until it is cancelled.
    """
    from mcp import MCPError
    from mcp.client.subscriptions import SubscriptionLost
    from mcp_types.version import MODERN_PROTOCOL_VERSIONS

    can = client.server_capabilities
    wanted = {
        "tools_list_changed": bool(can.tools and can.tools.list_changed),
        "resources_list_changed": bool(can.resources and can.resources.list_changed),
        "prompts_list_changed": bool(can.prompts and can.prompts.list_changed),
    }
    if client.protocol_version not in MODERN_PROTOCOL_VERSIONS or not any(wanted.values()):
        return
    while True:
        try:
            async with client.listen(
                tools_list_changed=wanted["tools_list_changed"],
                resources_list_changed=wanted["resources_list_changed"],
                prompts_list_changed=wanted["prompts_list_changed"],
            ) as events:
                async for _ in events:
                    changed()
        except MCPError:
            return
        except (SubscriptionLost, TimeoutError):
            pass
        # What changed meanwhile was not told.
        await asyncio.sleep(AGAIN_SECONDS)
        changed()
