"""Where the values of a call come from: a person's words, the application, or nobody who counts.

What is said here is about letters and digits, not about meaning: a value is named where it stands
in a person's words as a whole. It cannot be talked into anything.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

_HOST = r"(?:[\w-]+\.)+(?:xn--[a-z\d-]+|[^\W\d_]{2,})"
_LINK = re.compile(
    rf"(?<![\w@.-])(?:[a-z][a-z0-9+.-]*://(?:[^\s/\\@]*@)?(\[[0-9a-f:.]+\]|[\w.-]+)|({_HOST})(?![\w@-]))"
)
"""A host behind `scheme://`, or a name with a dot that is not the first half of an address."""
_FILE = re.compile(r"(?!www\.).*\.(?:am|md|mk|mov|pm|ps|py|rs|sh|tf|zip)")
"""A name that more often is a file's than a machine's, though anybody can have such a machine."""
_FORMS = str.maketrans("\u3002\uff0e\uff61", "...")
_NO_SPACE = re.compile(r"(?<=[a-z])\.(?=[A-Z][a-z]*(?!\.?[\w@/-]))")
"""The end of a sentence behind which the space was forgotten: `see example.com.Then go on`."""
_LEAST_DIGITS = 5
"""A shorter number says nothing: `13` may be a day as well as a file."""


def texts_in(value: object) -> Iterator[str]:
    """Yield the texts and numbers in an argument, in order, however deep they lie.

    The names of fields are none, as long as they could be names.
    """
    match value:
        case str():
            yield value
        case bool() | None:
            return
        case int() | float():
            yield str(value)
        case Mapping():
            for name, entry in value.items():
                if not str(name).isidentifier():
                    yield str(name)
                yield from texts_in(entry)
        case Iterable():
            for entry in value:
                yield from texts_in(entry)


def targets_in(
    arguments: Mapping[str, object], names: Iterable[str] | None
) -> tuple[str, ...] | None:
    """Return the values of the named arguments, without empty ones; None where there are no names
    declared.
    """
    if names is None:
        return None
    values = (arguments.get(name) for name in names)
    return tuple(text for value in values for text in texts_in(value) if text)


def hosts_in(text: str) -> frozenset[str]:
    """Return the names of machines that are mentioned in a text, lower case."""
    return frozenset((scheme or bare).rstrip(".") for scheme, bare in _LINK.findall(_folded(text)))


def _addresses_in(text: str) -> frozenset[str]:
    """Return those that cannot be meant as names of files."""
    found = _LINK.findall(_folded(text))
    meant = (scheme or bare for scheme, bare in found if scheme or not _FILE.fullmatch(bare))
    return frozenset(name.rstrip(".") for name in meant)


class Named:
    """The values that do not come from foreign words alone."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._vouched: set[str] = set()
        self._hosts: set[str] = set()
        self._addresses: set[str] = set()
        """Those of the hosts that cannot be files."""
        self._heard = 0
        """How many of the words have been looked at; they are only where somebody asks."""

    def hear(self, words: str) -> None:
        """Take note of what a person says."""
        self._words.append(words)

    def vouch(self, values: tuple[str, ...]) -> None:
        """Take note of values that the application answers for. Each is named as a whole."""
        for value in map(_folded, values):
            self._vouched.add(value)
            if (link := _LINK.match(value)) and "@" not in value:
                self._hosts.add(link[1] or link[2])
                self._addresses.add(link[1] or link[2])

    def copy(self) -> Named:
        """Return one that knows the same, and learns on its own."""
        other = Named()
        other._words, other._heard = self._words.copy(), self._heard
        other._vouched, other._hosts = self._vouched.copy(), self._hosts.copy()
        other._addresses = self._addresses.copy()
        return other

    def host(self, name: str) -> bool:
        """Return whether the machine has been named, so that it may be talked to."""
        self._listen()
        return name.lower() in self._addresses

    def mentions(self, name: str) -> bool:
        """Return whether the machine, or a file of that name, has been named."""
        self._listen()
        return name.lower() in self._hosts

    def has(self, value: str) -> bool:
        """Return whether the value stands in a person's words as a whole, or is vouched for."""
        self._listen()
        value = _folded(value)
        if value in self._vouched:
            return True
        if not value or (value.isdigit() and len(value) < _LEAST_DIGITS):
            return False
        whole = re.compile(rf"(?<![\w@+./-]){re.escape(value)}(?![\w@+/-]|\.\w)")
        return any(whole.search(words) for words in self._words)

    def _listen(self) -> None:
        for place in range(self._heard, len(self._words)):
            self._words[place] = words = _folded(self._words[place])
            self._hosts |= hosts_in(words)
            self._addresses |= _addresses_in(words)
        self._heard = len(self._words)


def _folded(text: str) -> str:
    """Return the text without what two spellings of the same may differ in.

    Letters keep what more than their case tells apart: `straße.example` is not `strasse.example`.
    """
    text = unicodedata.normalize("NFKC", text.translate(_FORMS))
    shown = text if text.isascii() else "".join(c for c in text if unicodedata.category(c) != "Cf")
    return " ".join(_NO_SPACE.sub(". ", shown).lower().split())
