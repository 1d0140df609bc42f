"""Which paths a small model may name: those that the conversation has shown it.

Left alone, a small model takes paths from thin air. Held to what a listing, a search, a command or
the user has named, it cannot miss; and where nothing is known yet, it has to look first.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from victor.messages import Message, Role, Text, ToolCall, ToolResult

_MOST_PATHS = 150
_FILE_IN_TEXT = re.compile(
    r"(?<![\w./~@:-])(?:[\w-][\w.-]*/)*[\w.-]*\w\."
    r"(?:py|pyi|js|jsx|ts|tsx|md|rst|txt|toml|json|ya?ml|cfg|ini|c|h|cc|cpp|hpp|go|rs|java|kt|rb|"
    r"php|sh|html|css|sql|csv|xml|swift|cs|lua)\b(?![\w/])"
)
_SEARCH_HIT = re.compile(r"^([^:\s\[][^:]*):\d+[:-]", re.MULTILINE)


@dataclass(slots=True)
class KnownPaths:
    """The files and folders that a conversation has named, relative, in order of appearance."""

    _files: dict[str, None] = field(default_factory=dict)
    _folders: dict[str, None] = field(default_factory=lambda: {".": None})
    _missing: dict[str, None] = field(default_factory=dict)

    @classmethod
    def of(cls, messages: Iterable[Message]) -> KnownPaths:
        """Return what these messages name."""
        known = cls()
        for message in messages:
            if message.role is Role.USER:
                known._add_files(_FILE_IN_TEXT.findall(users_words(message)))
        for call, result in calls_with_results(messages):
            known._learn(call, result)
        return known

    @property
    def files(self) -> tuple[str, ...]:
        """Files that may be there: named, and not found missing."""
        return tuple(name for name in self._files if name not in self._missing)[-_MOST_PATHS:]

    @property
    def writable(self) -> tuple[str, ...]:
        """Files that may be written: those, and the ones named that are not there yet."""
        return tuple(self._files)[-_MOST_PATHS:]

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders, `.` among them."""
        return tuple(self._folders)[-_MOST_PATHS:]

    def is_missing(self, path: str) -> bool:
        """Return whether reading the file was tried, in vain."""
        return path in self._missing

    def _learn(self, call: ToolCall, result: ToolResult) -> None:
        path = str(call.arguments.get("path") or ".")
        if call.name == "read" and result.is_error:
            self._missing[path] = None
        if result.is_error and call.name != "shell":
            return
        match call.name:
            case "read" | "write" | "edit":
                self._missing.pop(path, None)
                self._add_files([path])
            case "list":
                self._add_listing(path, result.content)
            case "glob":
                self._add_listing(".", result.content)
            case "grep":
                self._add_files(_SEARCH_HIT.findall(result.content))
            case _:
                self._add_files(_FILE_IN_TEXT.findall(result.content))

    def _add_listing(self, folder: str, content: str) -> None:
        for line in content.splitlines():
            name = line.strip()
            # A listing's own remarks stand in brackets or are sentences.
            if not name or name.startswith("[") or name.endswith((".", ":")):
                continue
            path = posixpath.normpath(posixpath.join(folder, name))
            if name.endswith("/"):
                self._folders[path] = None
            else:
                self._add_files([path])

    def _add_files(self, paths: Iterable[str]) -> None:
        for path in paths:
            if "site-packages" in path or path.startswith(("/", "..")):
                continue
            name = posixpath.normpath(path)
            self._files[name] = None
            parent = posixpath.dirname(name)
            if parent:
                self._folders[parent] = None


def calls_with_results(messages: Iterable[Message]) -> Iterator[tuple[ToolCall, ToolResult]]:
    """Yield every call that has its result, in the results' order."""
    calls: dict[str, ToolCall] = {}
    for message in messages:
        calls.update((call.id, call) for call in message.tool_calls)
        for result in message.tool_results:
            call = calls.get(result.call_id)
            if call is not None:
                yield call, result


def users_words(message: Message) -> str:
    """Return what the user wrote: what the framework adds comes in parts behind it."""
    texts = (part.text for part in message.parts if isinstance(part, Text))
    return next(texts, "")
