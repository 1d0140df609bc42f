"""Random histories of an agent and a person in one folder, with undo, redo and rewind in between.

Whatever happens: a restore destroys nothing that a person wrote last; and what nobody but the agent
touched is exactly as it was before the turn, and after a redo exactly as it was before the undo.
"""

from __future__ import annotations

import asyncio
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from victor.agent.coordinators.checkpoint_coordinator import CheckpointCoordinator, UndoReport
from victor.storage.file_images import FileImages
from victor.storage.memory_checkpoints import MemoryCheckpointStore
from victor.storage.shadow import Shadow
from victor.storage.watch import WorkspaceWatch

Snapshot: TypeAlias = dict[str, tuple[bytes, int]]
"""Content and permissions of each file."""

Act: TypeAlias = tuple[str, dict[str, bytes | int | None]]
"""Who does what: to each name a content, permissions, or None to delete it."""

# A name may be a file now and a folder later.
names = st.sampled_from(["a", "b", "folder", "folder/c", "folder/d/e"])
things = st.sampled_from([None, None, b"", b"one\r\n", b"\x00two", 0o755, 0o600])
some = st.dictionaries(names, things, min_size=1, max_size=3)
acts = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["edit", "command"]), some),
        st.tuples(st.just("person"), st.dictionaries(names, things, min_size=1, max_size=1)),
        st.tuples(st.sampled_from(["turn", "undo", "undo", "redo", "rewind"]), st.just({})),
    ),
    max_size=14,
)


@settings(max_examples=25, deadline=None)
@given(acts)
def test_what_a_person_wrote_survives_and_the_agents_own_goes_and_comes_exactly(
    tmp_path_factory: pytest.TempPathFactory, acts: list[Act]
) -> None:
    asyncio.run(play(tmp_path_factory.mktemp("work"), acts))


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(acts)
def test_so_it_is_in_hundreds_of_histories(
    tmp_path_factory: pytest.TempPathFactory, acts: list[Act]
) -> None:
    asyncio.run(play(tmp_path_factory.mktemp("work"), acts))


@dataclass(slots=True)
class Folder:
    """The folder, and who changed what in it last."""

    root: Path
    persons: set[str] = field(default_factory=set)
    """Paths whose present content, or absence, is a person's."""
    touched: set[str] = field(default_factory=set)
    """Paths that a person has ever changed."""
    left: Snapshot = field(default_factory=dict)
    """What the agent, or a restore, left last."""
    starts: dict[str, Snapshot] = field(default_factory=dict)
    """What was there before each turn of the agent."""
    undone: list[Snapshot] = field(default_factory=list)
    """What was there before each restore that can be redone."""

    def files(self) -> Snapshot:
        found = (path for path in self.root.rglob("*") if path.is_file())
        return {
            path.relative_to(self.root).as_posix(): (
                path.read_bytes(),
                stat.S_IMODE(path.stat().st_mode),
            )
            for path in found
        }

    def person(self, changes: dict[str, bytes | int | None], mark: bytes) -> None:
        before = self.files()
        self._change(changes, mark)
        for name in differences(before, after := self.files()):
            self.touched.add(name)
            # Who brings about just what the agent had left is not to be told from it.
            same = content(self.left, name) == content(after, name)
            (self.persons.discard if same else self.persons.add)(name)

    def agent(self, changes: dict[str, bytes | int | None], mark: bytes) -> None:
        before = self.files()
        self._change(changes, mark)
        after = self.files()
        for name in differences(before, after):
            self.persons.discard(name)
            self.undone.clear()
            self._note(name, after)

    def restored(self, before: Snapshot, report: UndoReport, *, redo: bool = False) -> None:
        after = self.files()
        for name in self.persons:
            if redo and content(self.left, name) == content(before, name):
                continue  # An undo had brought it back, so its redo takes it away again.
            assert content(before, name) == content(after, name), f"{name} was a person's; {report}"
        for name in differences(before, after):
            self._note(name, after)
            persons = b"person" in (content(after, name) or b"")
            (self.persons.add if persons else self.persons.discard)(name)

    def agents_own(self, files: Snapshot) -> Snapshot:
        return {name: file for name, file in files.items() if not self._is_in_the_way(name)}

    def _is_in_the_way(self, name: str) -> bool:
        """Return whether a person has ever changed the path, or what is above or below it."""
        return any(
            f"{name}/".startswith(f"{other}/") or f"{other}/".startswith(f"{name}/")
            for other in self.touched
        )

    def _note(self, name: str, files: Snapshot) -> None:
        self.left.pop(name, None)
        if name in files:
            self.left[name] = files[name]

    def _change(self, changes: dict[str, bytes | int | None], mark: bytes) -> None:
        for name, change in changes.items():
            path = self.root / name
            if isinstance(change, int):
                if path.is_file():
                    path.chmod(change)
                continue
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True) if path.parent.is_dir() else None
            if change is not None:
                for above in reversed(path.relative_to(self.root).parents):
                    if (self.root / above).is_file():
                        (self.root / above).unlink()
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(change + mark)


def content(files: Snapshot, name: str) -> bytes | None:
    return files[name][0] if name in files else None


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


async def play(root: Path, acts: list[Act]) -> None:
    folder = Folder(root)
    watch = WorkspaceWatch(root, Shadow(None))
    checkpoints = CheckpointCoordinator(MemoryCheckpointStore(), FileImages(root), watch)
    turn = 0
    for number, (who, changes) in enumerate(acts):
        mark = f"{who}{number}".encode()
        match who:
            case "person":
                folder.person(changes, mark)
            case "edit" | "command":
                folder.starts.setdefault(f"t{turn}", folder.files())
                # An edit tells its paths; what becomes of a folder's files, only a look does.
                paths = () if who == "command" else tuple(root / name for name in sorted(changes))
                tells = not any((root / name).is_dir() for name in changes)
                blocked = any(above.is_file() for path in paths for above in path.parents)
                kept = await checkpoints.before(
                    "s", f"t{turn}", paths, workspace=not paths or not tells or blocked
                )
                folder.agent(changes, mark)
                assert kept is not None
                await checkpoints.after(kept)
            case "turn":
                turn += 1
            case "undo" | "rewind":
                await take_back(checkpoints, folder, who, turn)
                turn += 1
            case "redo":
                before = folder.files()
                report = await checkpoints.redo("s")
                folder.restored(before, report, redo=True)
                if report.turn_id:
                    wanted = folder.agents_own(folder.undone.pop())
                    assert folder.agents_own(folder.files()) == wanted
                turn += 1
    await checkpoints.aclose()
    assert not list(root.rglob(".victor-*"))


async def take_back(
    checkpoints: CheckpointCoordinator, folder: Folder, who: str, turn: int
) -> None:
    before = folder.files()
    last = tuple(f"t{number}" for number in range(max(0, turn - 2), turn + 1))
    preview = (
        await checkpoints.preview_undo("s")
        if who == "undo"
        else await checkpoints.preview_rewind("s", last)
    )
    assert folder.files() == before
    report = await checkpoints.undo("s") if who == "undo" else await checkpoints.rewind("s", last)
    assert report.turns == preview.turns
    # What somebody put into a folder that was to be a file again shows only then.
    assert set(report.restored) <= set(preview.restored)
    folder.restored(before, report)
    if report.turns:
        wanted = folder.agents_own(folder.starts[report.turns[0]])
        assert folder.agents_own(folder.files()) == wanted
        folder.undone.append(before)
