"""The tools that are sent to the model, in an order that holds, and those that are not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from victor.protocols.selection import FIND_TOOLS, Candidate, ScoredTool


class SentTools:
    """Grows at its end, so that what is in front stays the same bytes.

    What was longest neither found nor called is let go of where there is no more room.
    """

    def __init__(self) -> None:
        self._sent: dict[str, Candidate] = {}
        self._wanted: dict[str, Candidate] = {}
        """What is to be sent as soon as it is there."""
        self._used: dict[str, None] = {}
        """What was found or called, the latest last."""

    def __iter__(self) -> Iterator[str]:
        return iter(self._sent)

    def __len__(self) -> int:
        return len(self._sent)

    def __contains__(self, name: object) -> bool:
        return name in self._sent

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What is sent, each with what brought it there."""
        return tuple(self._sent.values())

    def copy(self) -> SentTools:
        """Return another that can change without this one."""
        other = SentTools()
        other._sent, other._wanted = dict(self._sent), dict(self._wanted)
        other._used = dict(self._used)
        return other

    def want(self, candidates: tuple[Candidate, ...]) -> bool:
        """Note tools that the model needs, the most needed first; return whether any is new."""
        new = False
        for one in reversed(candidates):
            self._used.pop(one.name, None)
            self._used[one.name] = None
        for one in candidates:
            if one.name not in self._sent:
                self._wanted.setdefault(one.name, one)
                new = True
        return new

    def restore(self, candidates: Iterable[Candidate]) -> None:
        """Note tools that were sent before, in their order."""
        self._wanted.update((one.name, one) for one in candidates)

    def wants(self, name: str) -> bool:
        """Return whether the tool is to be sent as soon as it is there."""
        return name in self._wanted

    def arrive(self, there: Mapping[str, object]) -> None:
        """Send what is wanted and is there; what is sent and is not there is wanted again."""
        gone = [name for name in self._sent if name not in there]
        for name in gone:
            self._wanted.setdefault(name, self._sent.pop(name))
        for name in [name for name in self._wanted if name in there]:
            self._sent.setdefault(name, self._wanted.pop(name))

    def add(self, candidates: Iterable[Candidate]) -> None:
        """Send these, too; those that are sent already keep their place and their reason."""
        for one in candidates:
            self._sent.setdefault(one.name, one)

    def cut(self, limit: int) -> None:
        """Keep the first `limit`."""
        for name in tuple(self._sent)[limit:]:
            del self._sent[name]

    def let_go(
        self, limit: int, most: float, sizes: Mapping[str, int], essential: frozenset[str]
    ) -> None:
        """Let go of tools until there are at most `limit` of them, of at most `most` tokens.

        Essential ones go last of all, from the end, and `find_tools` after them.
        """
        taken = sum(sizes[name] for name in self._sent)
        for name in self._expendable(essential):
            if len(self._sent) <= limit and taken <= most:
                return
            del self._sent[name]
            taken -= sizes[name]

    def _expendable(self, essential: frozenset[str]) -> tuple[str, ...]:
        others = [name for name in self._sent if name not in essential]
        unused = [name for name in others if name not in self._used]
        used = [name for name in self._used if name in others]
        last = [name for name in reversed(self._sent) if name in essential and name != FIND_TOOLS]
        last.sort(key=lambda name: name in self._used)
        return (*unused, *used, *last)


class DeferredTools:
    """The tools that are not sent, as they were ranked last."""

    def __init__(self) -> None:
        self._ranked: dict[str, Candidate] = {}

    def rank(self, ranked: Iterable[ScoredTool], by: str) -> None:
        """Note a ranking, and the words that it was made by."""
        self.restore(
            Candidate(one.tool.name, one.score, f"deferred; by {by}: {one.reason}", offered=False)
            for one in ranked
        )

    def restore(self, candidates: Iterable[Candidate]) -> None:
        """Note what was told of them before."""
        self._ranked = {one.name: one for one in candidates}

    def of(self, names: Iterable[str]) -> tuple[Candidate, ...]:
        """Return what is known of the tools with these names, the best first."""
        found = (self._ranked.get(n, Candidate(n, 0.0, "deferred", offered=False)) for n in names)
        return tuple(sorted(found, key=lambda one: -one.score))
