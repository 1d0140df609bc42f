"""Running git on a repository that nobody vouches for.

A repository's configuration can name programs that git runs: hooks, a file system monitor, diff and
merge drivers, filters, pagers, editors, signers, transports. All of them are switched off, and git
is told itself where the repository is, so that its configuration cannot lead it elsewhere.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from victor.errors import ToolError
from victor.tools.programs import find_program
from victor.tools.threads import Stop

_PASSED_ON = ("PATH", "HOME", "XDG_CONFIG_HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER")
_SET = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_EDITOR": "true",
    "GIT_SEQUENCE_EDITOR": "true",
    "GIT_ASKPASS": "true",
    "GIT_SSH_COMMAND": "false",
    "GIT_PAGER": "cat",
    "PAGER": "cat",
}
_OFF = {
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.pager": "cat",
    "core.editor": "true",
    "core.askPass": "true",
    "core.sshCommand": "false",
    "core.gitProxy": "",
    "core.alternateRefsCommand": "false",
    "core.attributesFile": "/dev/null",
    "commit.gpgSign": "false",
    "commit.template": "/dev/null",
    "log.showSignature": "false",
    "gpg.program": "false",
    "gpg.ssh.program": "false",
    "gpg.x509.program": "false",
    "credential.helper": "",
    "protocol.allow": "never",
    "submodule.recurse": "false",
    "diff.ignoreSubmodules": "all",
    "status.submoduleSummary": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "core.quotePath": "false",
}
_LARGEST_CONFIGURATION = 1_000_000
_OWN = ("local", "worktree")
"""Where a repository's own configuration stands."""
_DRIVER = re.compile(
    r"(?:filter\..+\.(?:clean|smudge|process|required)|diff\..+\.(?:command|textconv)"
    r"|merge\..+\.driver|diff\.external|interactive\.difffilter|trailer\..+\.(?:command|cmd))",
    re.DOTALL | re.IGNORECASE,
)


class GitProgram:
    """Runs git on the repository at the top of the folder `root`; ended when told to stop.

    Raises `ToolError` where git is missing, or the configuration cannot be read.
    """

    def __init__(self, root: Path, stop: Stop, limit: int) -> None:
        program = find_program("git", root)
        if program is None:
            raise ToolError("git is not installed.")
        self._program = program
        self._root = root
        self._stop = stop
        self._limit = limit
        self._drivers: tuple[str, ...] = ()
        # All of it: what is left out could name a program.
        self._limit = _LARGEST_CONFIGURATION
        listed = self.run("config", "--list", "--name-only", "--includes", "--show-scope", "-z")
        if len(listed) >= _LARGEST_CONFIGURATION:
            raise ToolError("The repository's configuration is too large to be trusted with git.")
        self._limit = limit
        words = listed.split("\0")
        own = (key for scope, key in zip(words[::2], words[1::2], strict=False) if scope in _OWN)
        self._drivers = tuple(key for key in own if _DRIVER.fullmatch(key))

    @property
    def filters(self) -> bool:
        """Whether the repository's own configuration passes files through programs."""
        return any(key.lower().startswith("filter.") for key in self._drivers)

    def run(self, *words: str) -> str:
        """Return what git prints, its end left out beyond the limit. Raises `ToolError`."""
        try:
            process = subprocess.Popen(
                [self._program, "--no-pager", "--no-optional-locks", *words],
                cwd=self._root,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ToolError(f"git could not be started: {error.strerror}.") from error
        self._stop.on_stop(process.kill)
        with process:
            assert process.stdout is not None  # noqa: S101  # asked for above
            data = process.stdout.read(self._limit + 1)
            cut = len(data) > self._limit
            if cut:
                process.kill()
        text = data[: self._limit].decode("utf-8", "replace").rstrip("\n")
        self._stop.check()
        if cut:
            return f"{text}\n[There is more; ask for fewer paths.]"
        if process.returncode:
            raise ToolError(f"git {words[0]} failed: {text or f'exit code {process.returncode}'}")
        return text

    def _environment(self) -> dict[str, str]:
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        place = {"GIT_DIR": str(self._root / ".git"), "GIT_WORK_TREE": str(self._root)}
        # Not as options: a driver's name may hold a sign that would end the key there.
        config = {**_OFF, **{key: _nothing(key) for key in self._drivers}}
        told = {"GIT_CONFIG_COUNT": str(len(config))}
        for number, (key, value) in enumerate(config.items()):
            told |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return {**passed, **_SET, **place, **told}


def _nothing(key: str) -> str:
    """Return the value with which a driver is none."""
    return "false" if key.lower().endswith(".required") else ""
