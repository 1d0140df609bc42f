"""The repository: `git`, without anything that its configuration could run."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from victor.errors import ToolError, WorkspaceError
from victor.messages import Effect, JsonObject, ToolSpec
from victor.protocols import Access, ToolEnvironment, ToolOutput
from victor.tools.files import refuse_unless_writable
from victor.tools.git_program import GitProgram
from victor.tools.threads import Stop, in_thread_until
from victor.tools.workspace import Workspace

LOGGED = 20
_MOST_LOGGED = 500
_LINES = re.compile(r"\d+,\d+")
_COMMANDS = ("status", "diff", "log", "blame", "show", "commit")
_PLAIN_DIFF = ("--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=all")


@dataclass(frozen=True, slots=True)
class Git:
    """Looks at the repository at the top of the workspace, and commits to it."""

    workspace: Workspace

    bounds: ClassVar[tuple[str, ...]] = (
        "hooks, filters, pagers, editors, monitors, diff drivers and signers do not run",
        "submodules and the network are left alone",
        f"{LOGGED} commits of a log, or `limit`",
    )
    refuses: ClassVar[tuple[str, ...]] = (
        "repositories that are not at the top of the workspace, or lead outside of it",
        "a commit without paths; one in a repository whose configuration filters files",
    )
    spec: ClassVar[ToolSpec] = ToolSpec(
        "git",
        "Look at the workspace's git repository, or commit to it. For what is not here, use shell.",
        {
            "type": "object",
            "properties": {
                "command": {"type": "string", "enum": list(_COMMANDS)},
                "paths": {
                    "type": "array",
                    "items": {"type": "string"},
                    "description": "Only these files or folders; blame wants one file, and commit"
                    " takes these and no others",
                },
                "revision": {
                    "type": "string",
                    "description": "diff: compare with it, or a..b; log, show, blame: this one",
                },
                "staged": {"type": "boolean", "description": "diff: what is staged"},
                "limit": {"type": "integer", "description": "log: how many commits", "minimum": 1},
                "lines": {"type": "string", "description": "blame: such as 10,20"},
                "message": {"type": "string", "description": "commit: what it says"},
            },
            "required": ["command"],
            "additionalProperties": False,
        },
        Effect.EFFECTFUL,
    )

    def effect(self, arguments: JsonObject) -> Effect:
        """Return EFFECTFUL for a commit; everything else only reads."""
        reads = arguments.get("command") in _COMMANDS and arguments["command"] != "commit"
        return Effect.READ_ONLY if reads else Effect.EFFECTFUL

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        """Return nothing: a commit changes no file of the workspace."""
        return ()

    def access(self, arguments: JsonObject, environment: ToolEnvironment) -> Access:
        """Return the command, as it would be written."""
        words = ["git", str(arguments.get("command", ""))]
        if message := arguments.get("message"):
            words += ["-m", str(message)]
        if revision := arguments.get("revision"):
            words.append(str(revision))
        paths = arguments.get("paths")
        if isinstance(paths, list | tuple) and paths:
            words += ["--", *map(str, paths)]
        return Access(command=shlex.join(words))

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        """Return what git prints. Raises `ToolError`."""
        if arguments["command"] == "commit":
            refuse_unless_writable(environment)
        return await in_thread_until(Stop(), self._run, arguments, environment)

    def _run(self, stop: Stop, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        git = GitProgram(self._repository(), stop, environment.output_limit * 2)
        paths = self._paths(arguments)
        revision = _revision(arguments)
        match arguments["command"]:
            case "status":
                words = ["status", "--short", "--branch", "--ignore-submodules=all", "--", *paths]
                return ToolOutput(git.run(*words) or "Nothing has changed.")
            case "diff":
                staged = ("--cached",) if arguments.get("staged") else ()
                return self._shown(git, ["diff", *staged], revision, paths, environment)
            case "log":
                count = min(arguments.get("limit") or LOGGED, _MOST_LOGGED)
                form = "--format=%h %ad %an: %s"
                words = ["log", f"--max-count={count}", form, "--date=short", "--no-show-signature"]
                return ToolOutput(git.run(*words, *revision, "--", *paths) or "No commits.")
            case "show":
                words = ["show", "--stat", "--patch", "--no-show-signature"]
                return self._shown(git, words, revision or ("HEAD",), paths, environment)
            case "blame":
                return self._blame(git, arguments, revision, paths, environment)
            case _:
                return _commit(git, arguments, paths)

    def _repository(self) -> Path:
        """Return the top of the workspace, where the repository must be as a folder of its own."""
        place = self.workspace.root / ".git"
        if not place.exists():
            raise ToolError("The workspace is not the top of a git repository.")
        if place.is_symlink() or not place.is_dir() or _shared(place):
            raise ToolError(
                "The repository of this workspace is elsewhere, outside of it. Use shell, where a"
                " person can allow it."
            )
        return self.workspace.root

    def _paths(self, arguments: JsonObject) -> list[str]:
        """Return the paths as git is given them: literally, and inside the workspace."""
        found: list[str] = []
        for path in arguments.get("paths") or ():
            place = self.workspace.root / path
            if ".." in Path(path).parts or not place.is_relative_to(self.workspace.root):
                raise WorkspaceError(f"{path!r} is outside the workspace.")
            found.append(f":(top,literal){place.relative_to(self.workspace.root).as_posix()}")
        return found

    def _shown(
        self,
        git: GitProgram,
        words: list[str],
        revision: tuple[str, ...],
        paths: list[str],
        environment: ToolEnvironment,
    ) -> ToolOutput:
        """Return a diff, without the files that rules hide."""
        hidden: list[str] = []
        if environment.hidden:
            commits = _commits(git, revision)
            revision = commits if words[0] == "show" else revision
            only_names = [word for word in words if word not in ("--stat", "--patch")]
            listing = ["--name-only", "--no-renames", "-z"]
            listing += ["--format="] if words[0] == "show" else []
            names = git.run(*only_names, *_PLAIN_DIFF, *listing, *revision, "--", *paths).split(
                "\0"
            )
            hidden = [name for name in names if name.strip() and environment.hides(name.strip())]
        left_out = [f":(top,exclude,literal){name.strip()}" for name in hidden]
        text = git.run(*words, *_PLAIN_DIFF, "--no-renames", *revision, "--", *paths, *left_out)
        if hidden:
            text = f"{text}\n[{len(hidden)} files that a rule hides are left out.]"
        return ToolOutput(text or "No differences.")

    def _blame(
        self,
        git: GitProgram,
        arguments: JsonObject,
        revision: tuple[str, ...],
        paths: list[str],
        environment: ToolEnvironment,
    ) -> ToolOutput:
        if len(paths) != 1:
            raise ToolError("blame wants one file in paths.")
        name = paths[0].removeprefix(":(top,literal)")
        if environment.hides(name):
            raise ToolError(f"A rule keeps {name} from being read.")
        lines: list[str] = []
        if arguments.get("lines"):
            if not _LINES.fullmatch(arguments["lines"]):
                raise ToolError("lines are two numbers, such as 10,20.")
            lines = ["-L", arguments["lines"]]
        words = ["blame", "--date=short", "--no-textconv", *lines, *revision, "--", name]
        return ToolOutput(git.run(*words))


def _shared(place: Path) -> bool:
    """Return whether the repository's files are in another folder than the one of its index."""
    pointer = place / "commondir"
    if not pointer.exists():
        return False
    # The sandbox puts there, as long as a command runs, that they are where they are.
    return not pointer.is_file() or pointer.read_bytes()[:100].strip() != b"."


def _revision(arguments: JsonObject) -> tuple[str, ...]:
    revision = arguments.get("revision") or ""
    if revision.startswith("-"):
        raise ToolError(f"{revision!r} is no revision.")
    return (revision,) if revision else ()


def _commits(git: GitProgram, revision: tuple[str, ...]) -> tuple[str, ...]:
    """Return the commits that a revision means. Raises `ToolError` where it means anything else.

    A file of a commit has no name by which a rule could hide it, and what is said of a tag would
    stand before the first name.
    """
    words: list[str] = []
    for word in git.run("rev-parse", "--revs-only", *revision, "--").split() if revision else ():
        sign, name = ("^", word[1:]) if word.startswith("^") else ("", word)
        try:
            words.append(sign + git.run("rev-parse", "--verify", f"{name}^{{commit}}"))
        except ToolError:
            raise ToolError(
                f"{revision[0]!r} is no commit. As a rule keeps files from being read, only commits"
                " and ranges of them are shown."
            ) from None
    return tuple(words)


def _commit(git: GitProgram, arguments: JsonObject, paths: list[str]) -> ToolOutput:
    message: Any = arguments.get("message") or ""
    if not message.strip():
        raise ToolError("A commit wants a message.")
    if not paths:
        raise ToolError("A commit wants paths: the files that belong to it.")
    if git.filters:
        raise ToolError(
            "This repository's own configuration passes files through programs when they are"
            " committed, and they are not run here. Use shell, where a person can allow it."
        )
    git.run("add", "--", *paths)
    words = ("commit", "--no-verify", "--no-gpg-sign", f"--message={message}", "--only")
    return ToolOutput(git.run(*words, "--", *paths))
