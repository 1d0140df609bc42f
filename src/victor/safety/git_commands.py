"""What git does: which of its commands only read, and which repositories let them do more."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from victor.safety.bash_tree import words

_RE = re.compile

_COMMON = _RE(
    r"-\d+|-[abcehilnpqrstuvwzEFGIPRS]+|-[nUCMBLlm]\S*|-[SG].*|--"
    r"|--(?:oneline|stat|shortstat|numstat|name-only|name-status|cached|staged|short|long"
    r"|porcelain|graph|all|decorate|patch|no-patch|summary|list|verbose|abbrev-commit|reverse"
    r"|follow|show-current|others|modified|deleted|no-color|merges|no-merges|first-parent|branches"
    r"|tags|remotes|relative|word-diff|ignore-all-space|ignore-space-change|ignore-blank-lines"
    r"|no-ext-diff|no-textconv|no-renames|left-right|cherry-pick|full-history|show-stash|ignored"
    r"|raw|exclude-standard|always|symbolic|verify|show-toplevel|git-dir|is-inside-work-tree"
    r"|abbrev-ref|show-prefix|heads|count|merged|no-merged|column|line-number|ignore-case"
    r"|date-order|topo-order|root|pickaxe-all|pickaxe-regex|boundary|full-diff|no-walk"
    r"|minimal|patience|histogram|check|compact-summary|dirstat|function-context|name-rev"
    r"|untracked-files|no-commit-id|is-ancestor|error-unmatch|stage|killed|unmerged|get|get-all"
    r"|get-regexp|show-origin|global|local|system|bool|null|fixed-strings|files-with-matches)"
    r"|--(?:max-count|skip|author|committer|grep|since|until|after|before|unified|color|date"
    r"|diff-filter|abbrev|word-diff|decorate|ignore-submodules|untracked-files|sort|contains"
    r"|no-contains|points-at|find-renames|find-copies|stat|format|pretty|merged|no-merged|short"
    r"|porcelain|exclude|branches|tags|remotes|glob|encoding|inter-hunk-context|diff-algorithm"
    r"|count|dirstat|column|match)=.*",
    re.DOTALL,
)
_UNSAFE_VALUE = _RE(r"%G|signature|contents:sig|trailer", re.IGNORECASE)
"""In a format: what makes git start gpg, or a command of the configuration."""

_WITH_VALUE = frozenset({"-c", "-C", "--git-dir", "--work-tree", "--namespace"})
"""Options before the command that take the next word."""
_READING = words(
    """
    blame cat-file cherry count-objects describe diff diff-tree for-each-ref grep log ls-files
    ls-tree merge-base name-rev range-diff reflog rev-list rev-parse shortlog show show-ref status
    whatchanged
    """
)
_WITHOUT_CONTENTS = words(
    """
    add branch check-ignore commit config count-objects describe fetch for-each-ref init ls-files
    ls-tree merge-base mv name-rev pull push reflog remote rev-list rev-parse shortlog show-ref
    status switch symbolic-ref tag version
    """
)
_LISTING = frozenset({"branch", "remote", "tag"})
"""These list when given options only, and change something when given a name."""
_LISTING_OPTIONS = _RE(
    r"-[arvlvn]+|-n\d+|--(?:list|all|remotes|verbose|show-current|no-color|no-column|column)"
    r"|--(?:sort|format|color|contains|no-contains|merged|no-merged|points-at)=.*"
)
_WITH_ACTION: Mapping[str, tuple[str, ...]] = {
    "stash": ("list", "show"),
    "worktree": ("list",),
    "remote": ("get-url",),
    "config": ("--get", "--list", "-l", "--get-all", "--get-regexp", "get", "list"),
    "bisect": ("log",),
    "notes": ("list", "show"),
}
"""Commands that only read where this comes first."""

_RISKS_BEHIND = _RE(
    r"--ou.*|--ext.*|--textc.*|--open.*|-O.*|--no-i.*|-x.*|--e(?:x(?:e.*)?)?(?:=.*)?"
    r"|--u(?:p(?:l.*)?)?(?:=.*)?|--t(?:e.*)?(?:=.*)?|-c.+|--c(?:o(?:n(?:f.*)?)?)?(?:=.*)?|--separate.*|--rec.*|-[A-Za-z]*[fdD].*|--f.*|--del.*|--hard"
    r"|--mir.*|--prune|--signed.*|--gpg.*|-S.*|--edit.*|-e|-i|--inter.*|--filter.*|--no-verify"
    r"|--str.*|-s.+|--show-sig.*|.*%G.*|--amend"
)
_READING_RISKS = _RE(
    r"--ou.*|--ext.*|--textc.*|--open.*|-[A-Za-z]*O.*|--no-i.*|--exe.*|--show-sig.*|.*%G.*"
    r"|--filters|--batch.*|.*signature.*|--exec.*|--dirty.*|--contents.*"
)
_WRITING = words(
    """
    add am apply archive bisect branch bundle checkout cherry-pick clean clone commit fetch
    format-patch gc init merge mv notes pull push rebase remote repack reset restore revert rm
    sparse-checkout stash submodule switch tag worktree
    """
)
_STARTING: Mapping[str, tuple[str, ...]] = {
    "bisect": ("run",), "submodule": ("foreach",), "clone": ("-u",),
    "merge": ("-s",), "pull": ("-s",), "rebase": ("-s",), "cherry-pick": ("-s",),
    "revert": ("-s",),
}  # fmt: skip
"""Words that let a program be started, in the line or next to it."""
_GRAVE: Mapping[str, str] = {
    "push": "it sends commits away",
    "clone": "it fetches from elsewhere",
    "submodule": "it fetches from elsewhere",
    "fetch": "it talks to another machine",
    "pull": "it talks to another machine",
    "ls-remote": "it talks to another machine",
    "send-email": "it sends mail",
    "clean": "it deletes files",
    "rm": "it deletes files",
    "reset": "it may throw changes away",
    "restore": "it may throw changes away",
    "checkout": "it may throw changes away",
    "gc": "it deletes what nothing names",
    "remote": "it may name another machine",
    "request-pull": "it talks to another machine",
}
_GRAVE_OPTION = _RE(r"-D|-d|--delete|drop|clear|remove|--hard|--force|-f|add|set-url")


def is_reading(arguments: tuple[str, ...]) -> bool:
    """Return whether `git` with these arguments only reads, whatever its operands are."""
    while arguments and arguments[0] in ("--no-pager", "-P", "--no-optional-locks"):
        arguments = arguments[1:]
    if not arguments:
        return False
    action, *rest = arguments
    if any(_UNSAFE_VALUE.search(word) for word in rest):
        return False
    if rest and rest[0] in _WITH_ACTION.get(action, ()):
        return len(rest) <= 2 and _options_read(rest[1:])
    if action in _LISTING:
        patterns = [word for word in rest if not word.startswith("-")]
        listed = "--list" in rest or (action == "tag" and "-l" in rest)
        options = [word for word in rest if word.startswith("-")]
        return (listed or not patterns) and all(map(_LISTING_OPTIONS.fullmatch, options))
    if action == "reflog" and rest[:1] and rest[0] in ("delete", "drop", "expire", "write"):
        return False
    return action in _READING and _options_read(rest)


def shows_contents(arguments: tuple[str, ...]) -> bool:
    """Return whether git may show what files hold, or held, with these arguments."""
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        del rest[: 2 if rest[0] in _WITH_VALUE else 1]
    return not rest or rest[0] not in _WITHOUT_CONTENTS


def _options_read(words: list[str]) -> bool:
    return all(
        _COMMON.fullmatch(word) and not _READING_RISKS.fullmatch(word)
        for word in words
        if word.startswith("-")
    )


def risks(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words by which git does more than the command's name says."""
    found: list[str] = []
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word not in ("--no-pager", "-P", "--no-optional-locks", "--version", "--help"):
            found.append(word)
            if word in _WITH_VALUE and rest:
                found.append(rest.pop(0))
    if not rest:
        return tuple(found)
    action, *rest = rest
    if action in _READING:
        return (*found, *(word for word in rest if _READING_RISKS.fullmatch(word)))
    if action not in _WRITING and action not in _WITH_ACTION:
        # It may be an alias, or a program of that name.
        found.append(action)
    found += [word for word in rest if _RISKS_BEHIND.fullmatch(word)]
    if action in _STARTING:
        found += [word for word in rest if word in _STARTING[action]]
    if action == "config" and not is_reading((action, *rest)):
        # Git's settings name programs, and what starts later.
        found += rest
    if any("::" in word for word in rest):
        found += [word for word in rest if "::" in word]
    return tuple(found)


def grave(arguments: tuple[str, ...]) -> str:
    """Return what git does that cannot be taken back or reaches others; empty if nothing."""
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        del rest[: 2 if rest[0] in _WITH_VALUE else 1]
    action = rest[0] if rest else ""
    if action in _GRAVE and not is_reading(arguments):
        return _GRAVE[action]
    if action in ("branch", "stash", "tag", "worktree") and any(
        _GRAVE_OPTION.fullmatch(word) for word in arguments
    ):
        return "it deletes what git keeps"
    return ""


_HARMLESS_KEYS = _RE(
    r"core\.(?:repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode"
    r"|symlinks|autocrlf|eol|safecrlf|quotepath|excludesfile|commentchar|abbrev|compression|hookspath"
    r"|untrackedcache|preloadindex|longpaths|whitespace|sharedrepository)"
    r"|core\.fsmonitor=(?:false|no|off|0)"
    r"|remote\..*\.(?:url|fetch|pushurl|tagopt|prune|gh-resolved|mirror|push)"
    r"|branch\..*\.(?:remote|merge|rebase|pushremote|description|vscode-merge-base|gh-merge-base"
    r"|autosetuprebase|github-pr-owner-number)"
    r"|user\.(?:name|email|signingkey|useconfigonly)|author\.\w+|committer\.\w+|color\..*"
    r"|pull\.(?:rebase|ff)|push\.(?:default|autosetupremote|followtags)|init\.defaultbranch"
    r"|merge\.(?:ff|conflictstyle|renamelimit)|diff\.(?:renames|renamelimit|algorithm|colormoved"
    r"|mnemonicprefix|noprefix|ignoresubmodules)|fetch\.(?:prune|parallel|prunetags)|gc\.(?!recentobjectshook)\w+"
    r"|rebase\.\w+|rerere\.\w+|advice\..*|log\.(?:date|decorate|follow|abbrevcommit)"
    r"|status\..*|commit\.(?:gpgsign|verbose|status)|tag\.(?:sort|gpgsign)|pack\.\w+"
    r"|index\.\w+|feature\.\w+|blame\.\w+|i18n\..*|column\..*|submodule\..*\.(?:url|active|branch)"
    r"|submodule\.(?:active|recurse|fetchjobs)|extensions\.objectformat|lfs\.repositoryformatversion",
    re.IGNORECASE,
)
_SECTION = _RE(r"\[([A-Za-z0-9.-]+)(?:[ \t]+\"((?:[^\"\\]|\\.)*)\")?\][ \t]*(.*)")
_SETTING = _RE(r"([A-Za-z][A-Za-z0-9-]*)[ \t]*(?:=[ \t]*(.*))?")
_ODD = _RE(r"[^\S \t\n]|[\x00-\x08\x0e-\x1f\x7f]|\\\n")
"""What others than git take for the end of a line, and where git goes on in the next."""
_GITLINK = b"\x00\x00\xe0\x00"
"""Mode of an entry of the index that is another repository."""
_LARGEST = 50_000_000


def starts_programs(folder: Path) -> str:
    """Return why git may start something else in `folder`; empty where nothing says so.

    Looked at are the repository's own settings and whether it holds others. Settings of the
    person's are their own, and trusted.
    """
    try:
        return next(filter(None, map(_doubt, _git_folders(folder))), "")
    except (OSError, ValueError):
        return "the repository's configuration cannot be read"


def _git_folders(folder: Path) -> tuple[Path, ...]:
    """Return every folder that git could use, following a `.git` file."""
    found: list[Path] = []
    for place in (folder, *folder.parents):
        entry = place / ".git"
        if entry.is_file():
            text = entry.read_text(encoding="utf-8")
            if not text.startswith("gitdir:"):
                raise ValueError(text[:20])
            found.append((place / text.removeprefix("gitdir:").strip()).resolve())
        elif entry.is_dir():
            found.append(entry)
        if _may_be_repository(place):
            found.append(place)
        if entry.is_file() or any(map(_may_be_repository, found)):
            break
    return tuple(found)


def _may_be_repository(place: Path) -> bool:
    return place.is_dir() and all(
        os.path.lexists(place / name) for name in ("HEAD", "objects", "refs")
    )


def _doubt(git: Path) -> str:
    common = git
    pointer = git / "commondir"
    if pointer.is_file():
        common = (git / pointer.read_text(encoding="utf-8").strip()).resolve()
    for file in (common / "config", common / "config.worktree", git / "config.worktree"):
        if file.exists() and not file.is_file():
            return "the repository's configuration is no file"
        if file.exists() and (key := _doubtful_key(_text_of(file))):
            return f"the repository's configuration sets {key}, which may start programs"
    if (common / "info" / "attributes").exists():
        return "the repository has attributes of its own, which may start programs"
    for index in (git / "index", *git.glob("sharedindex.*")):
        if index.is_file() and (index.stat().st_size > _LARGEST or _GITLINK in index.read_bytes()):
            return "the repository holds others, whose configuration may start programs"
    return ""


def _text_of(file: Path) -> str:
    """Return the text with its line ends as git sees them: a lone carriage return is none."""
    return file.read_bytes().decode("utf-8").replace("\r\n", "\n")


def _doubtful_key(text: str) -> str:
    """Return the first key that is not known to be harmless; empty if there is none.

    A line that is not plainly a section, a setting or a comment comes back as it is: what it is
    for git cannot be told here.
    """
    if odd := _ODD.search(text):
        return repr(odd[0])
    section = ""
    for line in text.split("\n"):
        line = line.strip(" \t")
        if match := _SECTION.fullmatch(line):
            section = ".".join(part for part in match.group(1, 2) if part)
            line = match[3]
        if not line or line[0] in "#;":
            continue
        plain = _SETTING.fullmatch(line)
        if plain is None:
            return repr(line[:40])
        key, value = f"{section}.{plain[1]}", plain[2] or ""
        setting = f"{key}={value}"
        if not (_HARMLESS_KEYS.fullmatch(key) or _HARMLESS_KEYS.fullmatch(setting)):
            return key
        if ".url" in key.casefold() and "::" in re.sub(r"[\"\\]", "", value):
            return key
    return ""
