"""Names that no tool changes unasked and no confined process changes, or reads.

The first make other programs run something later, when a person opens an editor, a shell or an
agent in the folder, or uses git there. The second hold what proves who the person is.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

PROTECTED = (
    ".bash_login",
    ".bash_logout",
    ".bash_profile",
    ".bashrc",
    ".claude",
    ".cursor",
    ".devcontainer",
    ".envrc",
    ".git",
    ".gitconfig",
    ".idea",
    ".mcp.json",
    ".profile",
    ".victor",
    ".vscode",
    ".zed",
    ".zlogin",
    ".zprofile",
    ".zshenv",
    ".zshrc",
)
"""In a workspace: git's own, start-up files of shells, configuration of editors and agents.

Kept from being made, too.
"""

AT_HOME = (
    ".config/autostart",
    ".config/fish",
    ".config/git",
    ".config/systemd",
    ".local/bin",
    "Library/LaunchAgents",
)
"""Beside those above, where the home folder itself is writable."""

SECRETS = (
    ".aws",
    ".azure",
    ".bash_history",
    ".boto",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".claude",
    ".claude.json",
    ".codex",
    ".colima",
    ".config/1Password",
    ".config/Bitwarden",
    ".config/BraveSoftware",
    ".config/chromium",
    ".config/doctl",
    ".config/gcloud",
    ".config/gh",
    ".config/git/credentials",
    ".config/github-copilot",
    ".config/google-chrome",
    ".config/hub",
    ".config/microsoft-edge",
    ".config/op",
    ".config/rclone",
    ".config/sops",
    ".config/vivaldi",
    ".databrickscfg",
    ".docker",
    ".fly",
    ".gem/credentials",
    ".gemini",
    ".git-credentials",
    ".gnupg",
    ".huggingface",
    ".cache/huggingface/token",
    ".kube",
    ".lima",
    ".local/share/keyrings",
    ".local/share/kwalletd",
    ".mozilla",
    ".my.cnf",
    ".mysql_history",
    ".netrc",
    ".node_repl_history",
    ".npmrc",
    ".orbstack",
    ".password-store",
    ".pgpass",
    ".psql_history",
    ".pypirc",
    ".python_history",
    ".rd",
    ".s3cfg",
    ".ssh",
    ".terraform.d",
    ".terraformrc",
    ".thunderbird",
    ".vault-token",
    ".zsh_history",
    "Library/Application Support/BraveSoftware",
    "Library/Application Support/Firefox",
    "Library/Application Support/Google/Chrome",
    "Library/Cookies",
    "Library/Keychains",
    "Library/Mail",
    "Library/Messages",
    "Library/Safari",
)
"""In the home folder: keys, tokens, histories, the profiles of browsers."""

_SHORT = re.compile(r"(?P<stem>[^.~]{1,6})~\d{1,6}(?:\.[^.]{0,3})?")
"""What file systems of Windows also call a file whose name is long or begins with a dot."""
_STEMS = frozenset(name.lstrip(".").partition(".")[0][:6] for name in PROTECTED)
_IGNORABLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Beside formatting characters and selectors of variants, what is drawn as nothing."""

OF_THE_SYSTEM = ("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers.d")


def secrets(home: Path, own: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return what is kept from being read, whether it exists or not; `own` are Victor's folders."""
    listed = (*(home / name for name in SECRETS), *map(Path, OF_THE_SYSTEM), *own)
    return tuple(dict.fromkeys(listed))


def plain_name(name: str) -> str:
    """Return the name that some file system, or somebody who reads it, takes `name` for.

    That is without case, without characters that are drawn as nothing, and without dots, spaces
    and a stream at the end, which file systems of Windows do not mind.
    """
    if not name.isascii():
        seen = (sign for sign in unicodedata.normalize("NFKC", name) if not _is_nothing(sign))
        name = unicodedata.normalize("NFC", "".join(seen))
    return name.casefold().partition(":")[0].rstrip(". ") or name


def plain_path(path: str) -> str:
    """Return the path of the plain names."""
    return "/".join(map(plain_name, path.split("/")))


def is_protected(name: str) -> bool:
    """Return whether it is one of `PROTECTED`, or may be taken for one."""
    plain = plain_name(name)
    short = _SHORT.fullmatch(plain)
    return plain in PROTECTED or (short is not None and short["stem"] in _STEMS)


def _is_nothing(sign: str) -> bool:
    selects = "\ufe00" <= sign <= "\ufe0f" or "\U000e0100" <= sign <= "\U000e01ef"
    return selects or sign in _IGNORABLE or unicodedata.category(sign) in ("Cf", "Cc")
