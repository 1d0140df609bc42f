"""What can be said of a shell command without running it, for permission rules.

Conservative on both sides: `parts` rather names a command too many, so that a rule against one
finds it; what is `harmless`, and what a rule may cover, is only what is wholly understood.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

from victor.protocols import CommandFacts, PlainCommand
from victor.safety import git_commands, options, programs
from victor.safety.bash_tree import Line, Word, read
from victor.safety.programs import ANY, Operands, Program
from victor.taint import names_secret

_SEPARATORS = re.compile(r"[\n\r;&|<>()`{}\"']|\$\(")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=\S*\s+")
_KEYWORDS = frozenset({"builtin", "command", "do", "else", "eval", "exec", "if", "then", "until",
                       "while"})  # fmt: skip
_FLAGS_AND_NUMBERS = re.compile(r"-\S*|\d[\d.]*[smhd]?")
_GRAVE = {
    **dict.fromkeys(
        ("rm", "rmdir", "unlink", "shred", "truncate", "dd", "mkfs", "wipefs"), "it deletes"
    ),
    **dict.fromkeys(
        ("curl", "wget", "nc", "ncat", "netcat", "telnet", "ftp", "sftp", "ssh", "scp", "rsync",
         "mail", "sendmail", "ping", "dig", "drill", "nslookup", "host",
         "aws", "gcloud", "az", "kubectl", "gh", "glab", "heroku", "http"),
        "it talks to other machines",
    ),
    **dict.fromkeys(("crontab", "at", "systemctl", "launchctl"), "it makes something run later"),
}  # fmt: skip
_STARTERS = (programs.WRAPPERS - {"bwrap"}) | {"find", "fd", "fdfind", "command"}
"""Programs in whose arguments another one can stand."""
_WITHIN_WORD = re.compile(r"[:=]")
_PUBLISHING = frozenset({"publish", "push", "upload", "deploy", "release", "login", "unpublish"})


class CommandAnalyst:
    """Looks at commands that would run in `workspace`, with the programs that `path` names."""

    def __init__(self, workspace: Path, path: str | None = None) -> None:
        self._workspace = Path(os.path.realpath(workspace))
        self._path = path

    def __call__(self, command: str) -> CommandFacts:
        """Return what can be said of `command`."""
        line = read(command)
        folder = self._folder(line)
        commands = tuple(self._plain(words, folder) for words in line.commands)
        return CommandFacts(_parts(command, line), commands, line.unclear)

    def _folder(self, line: Line) -> Path | None:
        """Return where the commands run; None where that cannot be told."""
        folder: Path | None = self._workspace
        for index, words in enumerate(line.commands):
            if words[0].text != "cd":
                continue
            target = words[1].text if len(words) == 2 and not words[1].pattern else ""
            # Where it might fail and the rest still run, that would be in another folder.
            onward = index == 0 and (len(line.commands) == 1 or set(line.joints[:1]) == {"&&"})
            if not onward or not target or target.startswith("-"):
                return None
            found = Path(os.path.realpath(self._workspace / target))
            folder = found if self._is_inside(found) and found.is_dir() else None
        return folder

    def _plain(self, words: tuple[Word, ...], folder: Path | None) -> PlainCommand:
        texts = tuple(word.text for word in words)
        name, arguments = texts[0], texts[1:]
        text = " ".join(word.text if word.pattern else shlex.quote(word.text) for word in words)
        risks = options.risks(name, arguments)
        risks += _swapped(words, name)
        caution = self._caution(name, folder)
        harmless = (
            folder is not None
            and not caution
            and self._lies_outside(name)
            and self._is_harmless(words, folder)
        )
        if folder not in (None, self._workspace) and name != "cd":
            caution = caution or "it runs in another folder"
        grave = self._secret(words[1:], folder) or _grave(name, arguments)
        wide, kept = _shows_more(name, arguments)
        return PlainCommand(text, harmless, risks, caution, wide, kept, grave)

    def _secret(self, words: tuple[Word, ...], folder: Path | None) -> str:
        """Return why one of the words may be a file of keys, by whichever of its names."""
        folder = folder or self._workspace
        for word in words:
            names = [word.text, *_WITHIN_WORD.split(word.text)]
            if word.pattern:
                names += [path.name for path in _expanded(folder, word.text) or ()]
            else:
                names += _link(folder, word.text)
            if any(map(names_secret, names)):
                return "it names a file that usually holds secrets"
        return ""

    def _caution(self, name: str, folder: Path | None) -> str:
        if folder is None and name != "cd":
            return "it may run in another folder"
        if name == "git":
            return git_commands.starts_programs(folder or self._workspace)
        return ""

    def _lies_outside(self, name: str) -> bool:
        """Return whether the program is none that lies in the workspace."""
        if "/" in name:
            return False
        found = shutil.which(name, path=self._path)
        return found is None or not self._is_inside(Path(os.path.realpath(found)).parent)

    def _is_harmless(self, words: tuple[Word, ...], folder: Path) -> bool:
        name, arguments = words[0].text, words[1:]
        texts = tuple(word.text for word in arguments)
        if texts in (("--version",), ("-V",)):
            return name in programs.TELL_VERSION
        if name == "git":
            operands = [word for word in arguments if not word.text.startswith("-")][1:]
            return git_commands.is_reading(texts) and self._are_inside(operands, folder)
        if name == "env":
            return not texts
        if name == "command":
            return len(texts) == 2 and texts[0] in ("-v", "-V")
        known = programs.PROGRAMS.get(programs.ALIASES.get(name, name))
        if known is None or known.reads is None:
            return False
        return self._only_reads(known, arguments, folder)

    def _only_reads(self, known: Program, arguments: tuple[Word, ...], folder: Path) -> bool:
        operands: list[Word] = []
        pattern_given = False
        options_end = False
        rest = list(arguments)
        while rest:
            word = rest.pop(0)
            text = word.text
            is_option = text[:1] in known.signs and text not in ("", "-") and not options_end
            if text == "--" and not options_end:
                options_end = True
            elif is_option and (text in known.values or _takes_value(text, known)):
                pattern_given = pattern_given or known.pattern_given.fullmatch(text) is not None
                rest[:1] = []
            elif is_option:
                if known.reads is None or not known.reads.fullmatch(text):
                    return False
                pattern_given = pattern_given or known.pattern_given.fullmatch(text) is not None
            else:
                operands.append(word)
        return self._are_fine(known, operands, folder, pattern_given=pattern_given)

    def _are_fine(
        self, known: Program, operands: list[Word], folder: Path, *, pattern_given: bool
    ) -> bool:
        match known.operands:
            case Operands.NONE:
                return not operands
            case Operands.TEXT:
                return True
            case Operands.ONE_PATH if len(operands) > 1:
                return False
            case Operands.PATTERN if not pattern_given:
                operands = operands[1:]
            case Operands.SCRIPT:
                if not operands or operands[0].pattern:
                    return False
                if not known.script.fullmatch(operands[0].text):
                    return False
                operands = operands[1:]
        return self._are_inside(operands, folder)

    def _are_inside(self, words: list[Word], folder: Path) -> bool:
        """Return whether these can be names of nothing but what is in the workspace."""
        return all(self._names_inside(word, folder) for word in words)

    def _names_inside(self, word: Word, folder: Path) -> bool:
        if not word.pattern:
            try:
                return self._is_inside(Path(os.path.realpath(folder / word.text)))
            except (OSError, ValueError):
                return False
        if ".." in word.text or word.text.startswith("/"):
            return False
        found = _expanded(folder, word.text)
        return found is not None and all(
            self._is_inside(Path(os.path.realpath(path))) and not path.name.startswith("-")
            for path in found
        )

    def _is_inside(self, path: Path) -> bool:
        return path == self._workspace or path.is_relative_to(self._workspace)


_MOST_FILES = 1_000


def _expanded(folder: Path, pattern: str) -> list[Path] | None:
    """Return what the shell would put in the place of a pattern; None where that is too much."""
    found: list[Path] = []
    # In bash `**` is no more than `*`.
    try:
        for path in folder.glob(re.sub(r"\*+", "*", pattern.removeprefix("./"))):
            found.append(path)
            if len(found) > _MOST_FILES:
                return None
    except (OSError, ValueError, NotImplementedError):
        return None
    return found


def _link(folder: Path, name: str) -> tuple[str, ...]:
    """Return what a link leads to; nothing where the name is none of a link."""
    try:
        path = folder / name
        return (os.path.realpath(path),) if path.is_symlink() else ()
    except (OSError, ValueError):
        return ()


def _takes_value(option: str, known: Program) -> bool:
    """Return whether the last of several letters, as in `-rnA 3`, takes the next word."""
    letters = option[1:]
    return (
        letters.isalnum()
        and known.signs == "-"
        and known.reads is not None
        and known.reads.fullmatch(option) is not None
        and f"-{letters[-1]}" in known.values
        and not any(f"-{letter}" in known.values for letter in letters[:-1])
    )


def _swapped(words: tuple[Word, ...], name: str) -> tuple[str, ...]:
    """Return the patterns that a file could take the place of which is called as an option is."""
    if not options.has_risks(name):
        return ()
    return tuple(word.text for word in words if word.pattern and word.text[0] in "*?-")


def _shows_more(name: str, arguments: tuple[str, ...]) -> tuple[bool, bool]:
    """Return whether it shows files that it does not name, and whether what git keeps of them."""
    base = name.rpartition("/")[2]
    base = programs.ALIASES.get(base, base)
    if base == "git":
        kept = git_commands.shows_contents(arguments)
        return kept, kept
    wide = programs.SHOW_MORE.get(base)
    return wide is not None and (wide is ANY or any(map(wide.fullmatch, arguments))), False


def _grave(name: str, arguments: tuple[str, ...]) -> str:
    base = name.rpartition("/")[2]
    if base == "git":
        return git_commands.grave(arguments)
    if base in _GRAVE:
        return _GRAVE[base]
    if "-delete" in arguments:
        return "it deletes"
    if _PUBLISHING.intersection(arguments):
        return "it publishes something"
    if programs.SHELLS.fullmatch(base):
        return "it is not known what it does"
    return _grave_inside(base, arguments) if base in _STARTERS else ""


def _grave_inside(base: str, arguments: tuple[str, ...]) -> str:
    """Return what the program would do that stands somewhere in another one's arguments."""
    if base in programs.WRAPPERS and any(" " in word for word in arguments):
        return "it is not known what it does"
    for at, word in enumerate(arguments):
        inner = word.rpartition("/")[2]
        # What stands in the arguments of a further such program is looked at here as well.
        if inner not in _STARTERS and (found := _grave(inner, arguments[at + 1 :])):
            return found
    return ""


def _parts(command: str, line: Line) -> tuple[str, ...]:
    """Return the whole, everything between two signs of syntax, and each without its wrappers."""
    found: dict[str, None] = {command.strip(): None}
    pieces = [*_SEPARATORS.split(command), *_SEPARATORS.split(_unquoted(command))]
    pieces += [" ".join(word.text for word in words) for words in line.commands]
    for piece in pieces:
        part = piece.strip()
        while part:
            found[part] = None
            found[_without_folder(part)] = None
            part = _unwrapped(part)
    return tuple(found)


def _unquoted(command: str) -> str:
    """Return the command as the shell reads words such as `r'm'` and `r\\m`."""
    return re.sub(r"[\"'\\]", "", command)


def _unwrapped(part: str) -> str:
    """Return what a wrapper, an assignment or an option in front of it starts; empty if nothing."""
    assignment = _ASSIGNMENT.match(part)
    if assignment:
        return part[assignment.end() :].strip()
    first, _, rest = part.partition(" ")
    name = first.rpartition("/")[2]
    if name in _KEYWORDS or name in programs.WRAPPERS or first == "!":
        return rest.strip()
    return rest.strip() if _FLAGS_AND_NUMBERS.fullmatch(first) else ""


def _without_folder(part: str) -> str:
    first, space, rest = part.partition(" ")
    return f"{first.rpartition('/')[2]}{space}{rest}"
