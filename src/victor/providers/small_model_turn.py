"""What a small model has done in this turn, and what it is held to because of it."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field

from victor.messages import Effect, JsonObject, Message, Role, ToolCall, ToolResult, ToolSpec
from victor.providers.small_model_files import KnownPaths, calls_with_results, users_words

_TO_BE_CHECKED = re.compile(
    r"\b(pytest|fix(es|ed)?|repair|bugs?|failing|fails?|broken)\b", re.IGNORECASE
)
_TO_BE_MADE = re.compile(
    r"\b(create|new|add|generate|make|write|save|put|implement|build)\b", re.IGNORECASE
)
_QUESTION = re.compile(
    r"\W*(please\s+)?(what|why|how|which|who|where|when|list|show|explain|describe|summari[sz]e"
    r"|tell|say|is|are|does|do|can|could)\b",
    re.IGNORECASE,
)
_CHANGE = re.compile(
    r"\b(change|update|rename|remove|delete|replace|edit|modify|refactor|convert|improve|append"
    r"|insert|correct|translate|move|clean)\b",
    re.IGNORECASE,
)
_REMOVAL = re.compile(
    r"\b(remove|delete|shorten|simplify|clean|empty|clear|strip|reduce|replace)\b", re.IGNORECASE
)
_SHORT_FILE_CHARACTERS = 150
_LEAST_KEPT = 0.5
_FAILED = re.compile(
    r"^Traceback |\b[1-9]\d* (failed|errors?)\b|^FAILED\b"
    r"|\bexit(ed)?( with)?( code| status)?:? [1-9]",
    re.IGNORECASE | re.MULTILINE,
)
_REFUSED = re.compile(r"den(y|ied)|not allowed|refused|mode", re.IGNORECASE)
_IN_PART = re.compile(r"^\[There are more lines|more characters\]$", re.MULTILINE)
_EMPTY = re.compile(r"\S+ is empty\.\s*")
_NUMBERED = re.compile(r"^\s*(\d+)(?:\t|[:|│→] ?)(.*)$")
_QUESTION_CALLS = 4
_QUESTION_CALLS_OF = {"list": 2, "shell": 2}
_HOLDS = 12
_SAME_CALLS = 3
_WHOLE_FILE_CHARACTERS = 7000
_WRITING = frozenset({"write", "edit"})


@dataclass(frozen=True, slots=True)
class Done:
    """A tool call of this turn and what it gave."""

    call: ToolCall
    result: ToolResult

    @property
    def failed(self) -> bool:
        """Whether the tool, or the command that it ran, failed."""
        return self.result.is_error or (
            self.call.name not in {"read", "list", "grep", "glob"}
            and bool(_FAILED.search(self.result.content))
        )


@dataclass(frozen=True, slots=True)
class SmallModelTurn:
    """The last user message and every call since, with the rules that follow from them."""

    task: str
    done: tuple[Done, ...]
    before: tuple[Message, ...]
    """The messages of earlier turns."""
    effects: frozenset[str] = frozenset()
    """Names of the tools that change something."""
    known: KnownPaths = field(default_factory=KnownPaths)
    """The paths that the conversation has named."""

    @classmethod
    def of(cls, messages: tuple[Message, ...], tools: tuple[ToolSpec, ...]) -> SmallModelTurn:
        """Return the turn that these messages end with."""
        starts = [i for i, message in enumerate(messages) if message.role is Role.USER]
        start = starts[-1] if starts else 0
        effects = frozenset(spec.name for spec in tools if spec.effect is not Effect.READ_ONLY)
        task = users_words(messages[start]) if starts else ""
        done = tuple(Done(*pair) for pair in calls_with_results(messages[start:]))
        return cls(task, done, messages[:start], effects, KnownPaths.of(messages))

    def repeats(self, name: str, arguments: JsonObject) -> bool:
        """Return whether the call would give nothing that an earlier one did not give.

        Reading again is of use only after something may have changed.
        """
        same = [d for d in self.done if _same(d.call, name, arguments)]
        if len(same) >= _SAME_CALLS:
            return True
        # In a repair the commands only check, and what was written is known without reading it.
        refreshing = self.effects - {"shell"} if self.is_repair else self.effects
        for done in reversed(self.done):
            if _same(done.call, name, arguments):
                return True
            if done.call.name in refreshing:
                return name == "read" and self.is_repair and bool(same)
        return False

    def may_reply(self, names: frozenset[str]) -> bool:
        """Return whether the turn may end here, with the tools of these `names` at hand.

        It may not while what it wrote is unchecked, or its last check or call failed, within
        limits.
        """
        if not self.done or len(self.done) >= _HOLDS or not names:
            return True
        last = self.done[-1]
        if last.result.is_error and not _FAILED.search(last.result.content):
            failures = sum(done.result.is_error for done in self.done)
            return failures > 2 or bool(_REFUSED.search(last.result.content))
        if not self.is_repair:
            return True
        return "shell" not in names or self._is_checked

    @property
    def is_repair(self) -> bool:
        """Whether the task is to make something work, which a run shows."""
        return bool(_TO_BE_CHECKED.search(self.task))

    @property
    def is_question(self) -> bool:
        """Whether the task only asks: then nothing is to be written."""
        changes = self.is_making or self.is_repair or _CHANGE.search(self.task)
        return bool(_QUESTION.match(self.task)) and not changes

    def has_enough_of(self, name: str) -> bool:
        """Return whether a question needs no more calls of this tool: it would go on for ever."""
        if not self.is_question:
            return False
        if self.has_read("README.md"):
            return True
        calls = sum(done.call.name == name for done in self.done)
        return len(self.done) >= _QUESTION_CALLS or calls >= _QUESTION_CALLS_OF.get(name, 3)

    def first_look(self, names: frozenset[str]) -> str:
        """Return the folder to list before anything else; empty where there is no need to.

        A repair that begins with a guess of a file's name is lost.
        """
        listed = any(done.call.name in {"list", "glob"} for done in self.done)
        return "" if listed or not self.is_repair or "list" not in names else "."

    def writable(self) -> tuple[str, ...]:
        """Return the known files that may be written: in a repair, not the tests that judge it."""
        files = self.known.writable
        if not self.is_repair:
            return files
        sources = tuple(name for name in files if "test" not in posixpath.basename(name))
        return sources or files

    @property
    def must_run_first(self) -> bool:
        """Whether a repair has not seen yet what fails."""
        return self.is_repair and not any(done.call.name == "shell" for done in self.done)

    def loses_text(self, path: str, text: str) -> bool:
        """Return whether `text` would drop most of the file, though nobody asked to remove any."""
        present = self.present_content(path) or ""
        if len(present) < _SHORT_FILE_CHARACTERS or _REMOVAL.search(self.task):
            return False
        return len(text) < len(present) * _LEAST_KEPT

    def unread_test(self) -> str:
        """Return a known test file that the last failure names and nobody read; else empty."""
        failure = self.last_failure
        for name in self.known.files:
            base = posixpath.basename(name)
            if "test" in base and base in failure and not self.has_read(name):
                return name
        return ""

    @property
    def is_making(self) -> bool:
        """Whether the task may need files that are not there yet."""
        return bool(_TO_BE_MADE.search(self.task))

    @property
    def _is_checked(self) -> bool:
        """Whether a command has run well since the last writing."""
        for done in reversed(self.done):
            if done.call.name in _WRITING or done.call.name == "shell":
                return done.call.name == "shell" and not done.failed
        return False

    def must_read_first(self, path: str) -> bool:
        """Return whether a file is about to be written over that was not looked at yet."""
        if self.known.is_missing(path):
            return False
        return not any(
            d.call.arguments.get("path") == path and not d.result.is_error for d in self.done
        )

    def has_read(self, path: str) -> bool:
        """Return whether the file was read in this turn."""
        return any(
            d.call.name == "read" and d.call.arguments.get("path") == path for d in self.done
        )

    def is_long(self, path: str) -> bool:
        """Return whether the file was seen in part only, or is too long to be written whole."""
        return any(
            d.call.name == "read"
            and d.call.arguments.get("path") == path
            and (
                bool(d.result.full_output)
                or len(d.result.content) > _WHOLE_FILE_CHARACTERS
                or bool(_IN_PART.search(d.result.content))
            )
            for d in self.done
        )

    @property
    def has_long_files(self) -> bool:
        """Whether a file of this turn is too long to be written whole."""
        return any(self.is_long(str(d.call.arguments.get("path", ""))) for d in self.done)

    def present_content(self, path: str) -> str | None:
        """Return the file's text as this turn last saw or wrote it; None if it did not.

        A text that was cut for the model's sake is no text to write from: None too.
        """
        for done in reversed(self.done):
            call = done.call
            if call.arguments.get("path") != path or done.result.is_error:
                continue
            if call.name == "write" and isinstance(call.arguments.get("content"), str):
                return str(call.arguments["content"])
            if call.name == "read" and _EMPTY.fullmatch(done.result.content):
                return ""
            if call.name == "read":
                return None if self.is_long(path) else without_line_numbers(done.result.content)
        return None

    def seen_content(self, path: str) -> str:
        """Return the lines of a file that is known in part only, as last read; else empty."""
        for done in reversed(self.done):
            if done.call.name == "read" and done.call.arguments.get("path") == path:
                return without_line_numbers(done.result.content)
        return ""

    def has_written(self, path: str) -> bool:
        """Return whether the file was written in this turn."""
        return any(
            d.call.name in _WRITING and d.call.arguments.get("path") == path for d in self.done
        )

    @property
    def last_failure(self) -> str:
        """What the last failing command printed; empty if it did not fail or is out of date."""
        for done in reversed(self.done):
            if done.call.name not in _WRITING | {"read", "list", "grep", "glob"}:
                return done.result.content if done.failed else ""
        return ""

    def other_files(self, path: str) -> tuple[tuple[str, str], ...]:
        """Return path and text of the other files that were read in this turn, the last first."""
        seen: dict[str, str] = {}
        for done in reversed(self.done):
            name = done.call.arguments.get("path")
            if done.call.name == "read" and name != path and not done.result.is_error:
                seen.setdefault(str(name), without_line_numbers(done.result.content))
        return tuple(seen.items())


def _same(call: ToolCall, name: str, arguments: JsonObject) -> bool:
    """Return whether the call is of this name and these short arguments."""
    return call.name == name and all(
        call.arguments.get(key) == value for key, value in arguments.items()
    )


def without_line_numbers(text: str) -> str:
    """Return the text without the line numbers that a reading tool put before each line.

    Numbers count up from line to line; a text whose lines merely begin with digits stays.
    """
    lines = text.splitlines()
    plain: list[str] = []
    expected: int | None = None
    for line in lines:
        match = _NUMBERED.match(line)
        if not match or (expected is not None and int(match.group(1)) != expected):
            break
        expected = int(match.group(1)) + 1
        plain.append(match.group(2))
    # What follows the last numbered line is the tool's own remark.
    if len(plain) < max(1, len(lines) - 2):
        return text
    return "\n".join(plain) + "\n"
