"""Names that no confined process changes, or reads.

The first make other programs run something later, when a person opens an editor, a shell or an
agent in the folder. The second hold what proves who the person is.
"""

from __future__ import annotations

from pathlib import Path

IN_WORKSPACES = (
    ".bash_login",
    ".bash_logout",
    ".bash_profile",
    ".bashrc",
    ".claude",
    ".cursor",
    ".devcontainer",
    ".envrc",
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
"""Start-up files of shells, configuration of editors and agents; kept from being made, too."""

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

OF_THE_SYSTEM = ("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers.d")


def secrets(home: Path, own: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return what is kept from being read, whether it exists or not; `own` are Victor's folders."""
    listed = (*(home / name for name in SECRETS), *map(Path, OF_THE_SYSTEM), *own)
    return tuple(dict.fromkeys(listed))
