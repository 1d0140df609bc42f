"""What there is to know of all tools together, worked out once for as long as they are the same."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

from victor import tokens
from victor.messages import ToolSpec
from victor.protocols.selection import FIND_TOOLS
from victor.tool_digest import names_of


class KnownTools:
    """All tools, with their sizes, and which of them are essential."""

    def __init__(self, tools: tuple[ToolSpec, ...] = (), essential: tuple[str, ...] = ()) -> None:
        """`essential` are names, or patterns with `*`, beside those that say so themselves."""
        self.given = tools
        self.searched = tuple(tool for tool in tools if tool.name != FIND_TOOLS)
        """All but `find_tools`."""
        self.essential = frozenset(
            tool.name
            for tool in tools
            if tool.essential or any(fnmatchcase(tool.name, one) for one in essential)
        )
        self.by_name = {tool.name: tool for tool in tools}
        """`find_tools` says here what it can find."""
        search = self.by_name.get(FIND_TOOLS)
        if search is not None:
            # Essential ones are sent anyway. What is found stays in it, for it to stay the same.
            others = names_of(tool for tool in self.searched if tool.name not in self.essential)
            about = f"{search.description} There are:\n{others}"
            self.by_name[FIND_TOOLS] = replace(search, description=about)
        self.sizes = {name: tokens.of_tool(tool) for name, tool in self.by_name.items()}
        """Tokens, by name."""

    @property
    def total(self) -> int:
        """The tokens of all but `find_tools`."""
        return sum(self.sizes[tool.name] for tool in self.searched)

    @property
    def deferrable(self) -> int:
        """The tokens of those that need not be sent; 0 where there is no way to find them."""
        if FIND_TOOLS not in self.by_name:
            return 0
        names = (tool.name for tool in self.searched if tool.name not in self.essential)
        return sum(self.sizes[name] for name in names)

    def can_find(self, name: str) -> bool:
        """Return whether there is such a tool beside `find_tools`."""
        return name in self.by_name and name != FIND_TOOLS
