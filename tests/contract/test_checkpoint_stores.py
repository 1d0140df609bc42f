"""What every checkpoint store promises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from victor.errors import CheckpointError
from victor.protocols import Checkpoint, FileImage, ICheckpointStore
from victor.storage.checkpoints import SqliteCheckpointStore
from victor.storage.memory import MemoryCheckpointStore

pytestmark = pytest.mark.anyio

IMAGES = (
    FileImage("/w/a.txt", b"same\r\n\x00\xff", 0o755),
    FileImage("/w/copy.txt", b"same\r\n\x00\xff", 0o644),
    FileImage("/w/new", None),
    FileImage("/w/link", None, link="a.txt"),
    FileImage("/w/odd-\udcff", b"", 0o600),
)
FIRST = Checkpoint("c1", "s1", "t1", IMAGES, 5.0, skipped=("/w/big: too large",))


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ICheckpointStore]:
    memory = request.param == "memory"
    made = MemoryCheckpointStore() if memory else SqliteCheckpointStore(tmp_path / "c.db")
    yield made
    await made.aclose()


async def test_it_fits_the_port(store: ICheckpointStore) -> None:
    assert isinstance(store, ICheckpointStore)


async def test_a_checkpoint_comes_back_unchanged(store: ICheckpointStore) -> None:
    await store.put(FIRST)
    assert await store.get("c1") == FIRST


async def test_what_the_step_left_is_noted_on_the_same_checkpoint(store: ICheckpointStore) -> None:
    await store.put(FIRST)
    noted = replace(FIRST, after={"/w/a.txt": "ab12", "/w/odd-\udcff": "absent"})
    await store.put(noted)
    assert await store.list("s1") == (noted,)


async def test_other_images_replace_the_first(store: ICheckpointStore) -> None:
    await store.put(FIRST)
    changed = replace(FIRST, images=(FileImage("/w/z", b"z"),))
    await store.put(changed)
    assert await store.get("c1") == changed


async def test_checkpoints_are_listed_by_session_oldest_first(store: ICheckpointStore) -> None:
    for name, session in (("c1", "s1"), ("c0", "s1"), ("c2", "s2")):
        await store.put(replace(FIRST, id=name, session_id=session))
    assert [checkpoint.id for checkpoint in await store.list("s1")] == ["c1", "c0"]
    assert await store.list("nobody") == ()


async def test_the_last_turn_is_the_last_with_something_to_undo(store: ICheckpointStore) -> None:
    assert await store.last("s1") == ()
    for name, turn in (("c1", "t1"), ("c2", "t2"), ("c3", "t2")):
        await store.put(replace(FIRST, id=name, turn_id=turn))
    assert [checkpoint.id for checkpoint in await store.last("s1")] == ["c2", "c3"]
    await store.put(replace(FIRST, id="c3", turn_id="t2", undone=True))
    assert [checkpoint.id for checkpoint in await store.last("s1")] == ["c2"]
    await store.put(replace(FIRST, id="c2", turn_id="t2", undone=True))
    assert [checkpoint.id for checkpoint in await store.last("s1")] == ["c1"]


async def test_a_deleted_checkpoint_is_gone_and_contents_that_others_share_stay(
    store: ICheckpointStore,
) -> None:
    second = replace(FIRST, id="c2")
    await store.put(FIRST)
    await store.put(second)
    await store.delete("c1")
    await store.delete("c1")
    with pytest.raises(CheckpointError, match="'c1'"):
        await store.get("c1")
    assert await store.get("c2") == second
    await store.delete("c2")
    await store.put(FIRST)
    assert await store.get("c1") == FIRST


async def test_a_large_file_is_kept(store: ICheckpointStore) -> None:
    large = replace(FIRST, images=(FileImage("/w/large", bytes(range(256)) * 10_000),))
    await store.put(large)
    assert await store.get("c1") == large


async def test_closing_twice_is_no_error(store: ICheckpointStore) -> None:
    await store.put(FIRST)
    await store.aclose()
    await store.aclose()
    assert await store.get("c1") == FIRST
