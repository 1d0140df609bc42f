"""Reading a command line as bash would, by the grammar of tree-sitter-bash.

Only one thing counts as understood: plain words joined by `&&`, `||`, `;` and `|`, which may send
output to /dev/null. Everything else that a shell can do comes back as the reason why it is not
understood. Nothing here guesses: what is not named as plain is not plain.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

LONGEST = 10_000
"""Characters of a line that is looked at; a longer one is not understood."""

_BARE = re.compile(r"(?:[\w@%+=:,./^~!?*#-]|\\[^\w\s])+", re.ASCII)
"""An unquoted piece of a word. A backslash only before a sign; letters and spaces are no signs."""
_REFLOG = re.compile(r"[\w./-]*@\{[\w-]+\}[\w./:^~-]*", re.ASCII)
"""Such as `stash@{0}`: braces with neither comma nor dots in them are nothing to the shell."""
_HISTORY = re.compile(r".*!.")
"""What an interactive shell would replace; this one does not, but who reads it may think so."""
_ESCAPED = re.compile(r"\\(.)")
_SPACE_ESCAPED = re.compile(r"\\\s")
_STRING_ESCAPED = re.compile(r'\\([\\"$`])')
_STRING = re.compile(r'(?:[^$`"\\]|\\[^\n])*')
_LATIN = "LATIN "
_JOINTS = frozenset({"&&", "||", ";", "|"})
_TO_NULL = frozenset({">", ">>", "&>", "&>>", "<"})
_DESCRIPTORS = frozenset("12")


def words(text: str) -> frozenset[str]:
    """Return the words of `text`, as a set."""
    return frozenset(text.split())


_SHELL_WORDS = words(
    """
    ! [ [[ ]] { } . alias bg bind builtin caller case compgen complete compopt coproc
    declare dirs disown do done elif else enable esac eval exec exit export fc fg fi for function
    getopts hash help history if in jobs let local logout mapfile popd pushd read readarray
    readonly return select set shift shopt source suspend then time times trap typeset umask
    unalias unset until wait while
    """
)
"""Words that change how the shell goes on, or that it reads as more than a program's name."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command."""

    text: str
    """As the program gets it, where it is no pattern."""
    pattern: bool = False
    """Whether the shell puts names of files in its place."""


@dataclass(frozen=True, slots=True)
class Line:
    """A command line."""

    commands: tuple[tuple[Word, ...], ...] = ()
    """Program and arguments of each command, in order; none where it is not understood."""
    joints: tuple[str, ...] = ()
    """What stands between them: `&&`, `||`, `;` or `|`."""
    unclear: str = ""
    """Why it is not understood."""


class _Unclear(Exception):
    """The line is more than plain words; the message says what is in it."""


def read(line: str) -> Line:
    """Return what `line` starts, or why that cannot be told."""
    try:
        _check_characters(line)
        root = _parser().parse(line.encode()).root_node
        commands: list[tuple[Word, ...]] = []
        joints: list[str] = []
        _check_coverage(root, line.encode())
        _walk(root, commands, joints)
    except _Unclear as reason:
        return Line(unclear=str(reason))
    if joints and joints[-1] == ";" and len(joints) == len(commands):
        joints.pop()
    if not commands or len(joints) != len(commands) - 1:
        return Line(unclear="it is no list of commands")
    return Line(tuple(commands), tuple(joints))


@cache
def _parser() -> Parser:
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


def _check_characters(line: str) -> None:
    if not line.strip():
        raise _Unclear("it is empty")
    if len(line) > LONGEST:
        raise _Unclear(f"it is longer than {LONGEST:,} characters")
    if _SPACE_ESCAPED.search(line):
        # The grammar takes it for a space between words.
        raise _Unclear("it holds a space behind a backslash")
    if line.isascii() and line.isprintable():
        return
    for character in line:
        if character in "\n\r":
            raise _Unclear("it has more than one line")
        if not character.isprintable():
            raise _Unclear("it holds characters that cannot be seen")
        if not character.isascii() and not _plain_letter(character):
            raise _Unclear(f"it holds {character}, which may be taken for another character")


def _plain_letter(character: str) -> bool:
    """Return whether it is a Latin letter such as ü: one that nobody takes for another."""
    return (
        character.isalpha()
        and unicodedata.name(character, "").startswith(_LATIN)
        and unicodedata.is_normalized("NFKC", character)
    )


def _check_coverage(root: Node, source: bytes) -> None:
    """Raise `_Unclear` unless the tree is whole, and holds every sign of the line but spaces."""
    if root.has_error:
        raise _Unclear("it is no complete command")
    end = 0
    for leaf in _leaves(root):
        if source[end : leaf.start_byte].strip(b" "):
            raise _Unclear("it holds something that the grammar leaves out")
        end = leaf.end_byte
    if source[end:].strip(b" "):
        raise _Unclear("it holds something that the grammar leaves out")


def _leaves(node: Node) -> Iterator[Node]:
    if node.child_count == 0 or node.type == "string":
        yield node
        return
    for child in node.children:
        yield from _leaves(child)


def _walk(node: Node, commands: list[tuple[Word, ...]], joints: list[str]) -> None:
    match node.type:
        case "program" | "list" | "pipeline":
            for child in node.children:
                _walk(child, commands, joints)
        case "redirected_statement":
            if node.child_by_field_name("body") is None:
                raise _Unclear("it starts nothing")
            for child in node.children:
                if child.type == "file_redirect":
                    _check_redirect(child)
                else:
                    _walk(child, commands, joints)
        case "command":
            commands.append(_command(node))
        case joint if joint in _JOINTS and not node.is_named:
            if len(joints) != len(commands) - 1:
                raise _Unclear("it is no list of commands")
            joints.append(joint)
        case other:
            raise _Unclear(_KINDS.get(other, "it does more than start programs"))


_KINDS = {
    "&": "it goes on in the background",
    "comment": "it holds a comment",
    "compound_statement": "it holds a group of commands",
    "declaration_command": "it changes the shell's variables",
    "function_definition": "it defines a function",
    "heredoc_redirect": "it holds a text for a program's input",
    "herestring_redirect": "it holds a text for a program's input",
    "negated_command": "it turns around whether a command succeeded",
    "subshell": "it starts another shell",
    "test_command": "it holds a test of the shell's",
    "unset_command": "it changes the shell's variables",
    "variable_assignment": "it sets a variable",
    "variable_assignments": "it sets a variable",
}


def _check_redirect(node: Node) -> None:
    """Raise `_Unclear` unless it sends output to nowhere, or errors along with the output."""
    signs = [_text(child) for child in node.children if not child.is_named]
    named = [child for child in node.children if child.is_named]
    descriptors = [_text(child) for child in named if child.type == "file_descriptor"]
    targets = [_text(child) for child in named if child.type != "file_descriptor"]
    if len(signs) == 1 and len(targets) == 1 and _DESCRIPTORS.issuperset(descriptors):
        if signs[0] in _TO_NULL and targets[0] == "/dev/null":
            return
        if signs[0] == ">&" and targets[0] in _DESCRIPTORS:
            return
    raise _Unclear("it sends output to a file, or takes input from one")


def _command(node: Node) -> tuple[Word, ...]:
    words: list[Word] = []
    end = -1
    for child in node.children:
        if child.start_byte == end:
            # Bash makes one word of what the grammar takes for two.
            raise _Unclear("it holds a word with odd quotes")
        end = child.end_byte
        if child.type == "command_name":
            child = child.children[0]
        elif child.type == "variable_assignment":
            raise _Unclear("it sets a variable for a command")
        elif child.type == "herestring_redirect":
            raise _Unclear("it holds a text for a program's input")
        words.append(_word(child))
    name = words[0]
    if name.pattern or not name.text or not name.text.isascii() or name.text in _SHELL_WORDS:
        raise _Unclear(f"{name.text or 'an empty name'} is more than a program's name")
    return tuple(words)


def _word(node: Node) -> Word:
    """Return the word as the shell makes it. Raises `_Unclear`."""
    if node.type != "concatenation":
        return _piece(node)
    if _REFLOG.fullmatch(_text(node)):
        return Word(_text(node))
    pieces = [_piece(child) for child in node.children]
    text = "".join(piece.text for piece in pieces)
    pattern = any(piece.pattern for piece in pieces)
    if pattern and not _BARE.fullmatch(text):
        raise _Unclear("it holds a pattern with odd characters")
    return Word(text, pattern)


def _piece(node: Node) -> Word:
    text = _text(node)
    match node.type:
        case "word" | "number" if node.child_count == 0:
            return _bare(text)
        case "raw_string":
            return Word(text[1:-1])
        case "string" if _STRING.fullmatch(text[1:-1]):
            return Word(_STRING_ESCAPED.sub(r"\1", text[1:-1]))
        case _:
            raise _Unclear("it holds something that the shell works out first")


def _bare(text: str) -> Word:
    ascii_text = "".join(c if c.isascii() else "x" for c in text)
    if not _BARE.fullmatch(ascii_text):
        raise _Unclear("it holds something that the shell works out first")
    if text.startswith(("~", "#", "=")) or "=~" in text or ":~" in text or _HISTORY.match(text):
        raise _Unclear("it holds something that the shell works out first")
    unescaped = re.sub(r"\\.", "", text)
    pattern = "*" in unescaped or "?" in unescaped
    if pattern and "\\" in text:
        raise _Unclear("it holds a pattern with backslashes")
    return Word(_ESCAPED.sub(r"\1", text), pattern)


def _text(node: Node) -> str:
    return (node.text or b"").decode()
