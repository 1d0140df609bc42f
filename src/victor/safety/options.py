"""Words by which a program does more than its name says: a rule such as `go *` does not mean them.

Of the programs in `victor.safety.programs` they are listed. Of all others an option counts whose
name says that its value is started, loaded or obeyed, such as `--python-executable`; what an option
of one letter does there is not known.
"""

from __future__ import annotations

import re

from victor.safety import git_commands, programs
from victor.safety.bash_tree import words
from victor.safety.programs import Operands

_NAMES = words(
    """
    agent agentlib agentpath askpass backend before binary boot browser callback cmd command
    commands compiler conf config configfile configuration driver editor entry entrypoint eval exec
    execute executable execpath exe extension extensions filter fplugin handler helper hook hooks
    import imports init initscript inspect interpreter javaagent jar launcher ld linker load loader
    middleware node overlay pager parser path plugin plugins pre preload preset presets
    preprocessor processor processorpath program programs proxycommand python rcfile reporter
    reporters require resolver rsh ruby runner rulesdir rustc script scripts setup shell snapshot
    source specs ssh startup toolchain toolexec transform transformer vettool viewer wrapper
    """
)
"""Parts of names of options that say: this is started, loaded, or says what is."""
_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_PROGRAM_FILE = re.compile(
    r"-.*=.*\.(?:[cm]?[jt]sx?|py[co]?|rb|pl|pm|php|lua|sh|bash|zsh|fish|so|dylib|dll|jar|wasm|node|exe"
    r"|bat|cmd|ps1)",
    re.IGNORECASE,
)
"""An option that is given the file of a program."""
_STARTING = words("dlx exec eval generate run shell start tool x")
"""First words after which many a program starts another one."""
_MODULE = re.compile(r"-[BuOsSEIqdvx]*m(?P<module>.*)")
"""How Python is told to run a module."""


def risks(name: str, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words by which the program does more than its name says."""
    base = name.rpartition("/")[2]
    if base in programs.WRAPPERS or programs.SHELLS.fullmatch(base):
        return arguments
    if base == "git":
        return git_commands.risks(arguments)
    if programs.INTERPRETERS.fullmatch(base):
        return _of_interpreter(base, arguments)
    known = programs.PROGRAMS.get(programs.ALIASES.get(base, base))
    if known is None:
        return _of_any(arguments)
    found = tuple(word for word in arguments if known.risks.fullmatch(word))
    if known.operands is Operands.ONE_PATH:
        found += tuple(word for word in arguments if word[:1] != "-")[1:]
    if known.reads is None:
        found += tuple(word for word in _of_options(arguments) if word not in found)
    return found


def has_risks(name: str) -> bool:
    """Return whether a word of the program could be one of these."""
    known = programs.PROGRAMS.get(programs.ALIASES.get(name, name))
    return known is None or known.risks is not programs.NO_WORD


def _of_any(arguments: tuple[str, ...]) -> tuple[str, ...]:
    first = next((word for word in arguments if not word.startswith("-")), "")
    return (*((first,) if first in _STARTING else ()), *_of_options(arguments))


def _of_options(arguments: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for word in arguments if _starts_something(word))


def _starts_something(option: str) -> bool:
    if not option.startswith("-") or len(option) < 3:
        return False
    if _PROGRAM_FILE.fullmatch(option):
        return True
    pieces = [piece.lower() for piece in _PIECE.findall(option.partition("=")[0])]
    if not option.startswith("--"):
        # A letter may stand in front of it, as in `-Clinker=x`.
        pieces += [piece[1:] for piece in pieces]
    return any(piece in _NAMES for piece in pieces)


def _of_interpreter(base: str, arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Return the options before the program's text or file; what follows is the program's own."""
    python = base.startswith(("python", "pypy"))
    found: list[str] = []
    before = ""
    for at, word in enumerate(arguments):
        rest = arguments[at + 1 :]
        if python and (module := _MODULE.fullmatch(word)):
            name, *more = (module["module"], *rest) if module["module"] else (*rest, "")
            return (*found, *risks(name, tuple(more)))
        is_option = word.startswith("-")
        if not is_option and not before.startswith("-") and not programs.ACTIONS.fullmatch(word):
            # What comes behind a database is for it to obey.
            return (*found, *(rest if programs.DATABASES.fullmatch(base) else ()))
        listed = programs.PYTHON_RISKS if python else programs.INTERPRETER_RISKS
        if listed.fullmatch(word) or (is_option and _starts_something(word)):
            found.append(word)
        before = word
    return tuple(found)
