"""The environment of commands: what is known to be harmless, and never a key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PASSED_ON = frozenset(
    {
        "CARGO_HOME",
        "COLUMNS",
        "CONDA_PREFIX",
        "CPATH",
        "CURL_CA_BUNDLE",
        "DEVELOPER_DIR",
        "GOCACHE",
        "GOMODCACHE",
        "GOPATH",
        "GOROOT",
        "HOME",
        "HOSTNAME",
        "JAVA_HOME",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "LIBRARY_PATH",
        "LINES",
        "LOGNAME",
        "MANPATH",
        "NODE_EXTRA_CA_CERTS",
        "NODE_PATH",
        "NVM_BIN",
        "NVM_DIR",
        "PATH",
        "PKG_CONFIG_PATH",
        "PYENV_ROOT",
        "PYTHONPATH",
        "REQUESTS_CA_BUNDLE",
        "RUSTUP_HOME",
        "SDKROOT",
        "SHELL",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TEMP",
        "TMP",
        "TMPDIR",
        "TZ",
        "USER",
        "VIRTUAL_ENV",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
    }
)
"""Environment variables that commands are given. Everything else stays here, keys above all."""

_PASSED_UNLESS_SECRET = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
_SET: Mapping[str, str] = {
    "TERM": "dumb",
    "NO_COLOR": "1",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "MANPAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    # So that looking at a repository changes nothing in it, and starts none of its hooks.
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "DEBIAN_FRONTEND": "noninteractive",
}
_GIT_ALWAYS: Mapping[str, str] = {"diff.autoRefreshIndex": "false"}
_GIT_WITHOUT_HOOKS: Mapping[str, str] = {"core.hooksPath": "/dev/null"}


def child_environment(
    environment: Mapping[str, str], passed_on: tuple[str, ...] = (), *, git_hooks: bool = False
) -> dict[str, str]:
    """Return what of `environment` a command is given: names known to be harmless, no others.

    Git runs no hooks in it, wherever it is started, unless `git_hooks` lets it.
    """
    given = {
        name: value
        for name, value in environment.items()
        if name in PASSED_ON
        or name in passed_on
        or name.startswith("LC_")
        or (name.lower() in _PASSED_UNLESS_SECRET and "@" not in value)
    }
    if "PATH" in given:
        # An empty or relative entry would look for programs in the workspace.
        folders = given["PATH"].split(":")
        given["PATH"] = ":".join(folder for folder in folders if Path(folder).is_absolute())
    settings = _GIT_ALWAYS if git_hooks else {**_GIT_ALWAYS, **_GIT_WITHOUT_HOOKS}
    return {**given, **_SET, **_git(settings)}


def _git(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that give git these settings, above those of any file."""
    told = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        told |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return told
