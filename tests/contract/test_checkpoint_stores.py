"""What every checkpoint store promises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from victor.errors import CheckpointError
from victor.protocols import ABSENT, Checkpoint, FileState, ICheckpointStore, folder_state
from victor.storage.checkpoints import SqliteCheckpointStore
from victor.storage.memory_checkpoints import MemoryCheckpointStore
from victor.storage.postgres_checkpoints import PostgresCheckpointStore

pytestmark = pytest.mark.anyio


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


SAME = b"same\r\n\x00\xff"
CONTENTS = {digest(SAME): SAME, digest(b""): b""}
BEFORE = {
    "/w/a.txt": FileState(digest(SAME), 0o755),
    "/w/copy.txt": FileState(digest(SAME), 0o644),
    "/w/new": ABSENT,
    "/w/folder": folder_state(0o750),
    "/w/link": FileState.link_to("odd-\udcff"),
    "/w/odd-\udcff": FileState(digest(b""), 0o600),
}
FIRST = Checkpoint("c1", "s1", "t1", BEFORE, 5.0, skipped=("/w/big: too large",))


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ICheckpointStore]:
    made: ICheckpointStore
    match request.param:
        case "memory":
            made = MemoryCheckpointStore()
        case "sqlite":
            made = SqliteCheckpointStore(tmp_path / "c.db")
        case _:
            server = request.getfixturevalue("postgres")
            made = PostgresCheckpointStore(server.address, schema=server.schema())
    yield made
    await made.aclose()


async def test_it_fits_the_port(store: ICheckpointStore) -> None:
    assert isinstance(store, ICheckpointStore)


async def test_a_checkpoint_comes_back_unchanged(store: ICheckpointStore) -> None:
    await store.put(FIRST, CONTENTS)
    assert await store.get("c1") == FIRST
    for name, content in CONTENTS.items():
        assert await store.content(name) == content


async def test_what_the_call_left_is_noted_on_the_same_checkpoint(store: ICheckpointStore) -> None:
    await store.put(FIRST, CONTENTS)
    after = {"/w/a.txt": FileState("ab12", 0o640), "/w/odd-\udcff": ABSENT}
    noted = replace(FIRST, after={**after, "/w/link": FileState.link_to("\udcfe")})
    await store.put(noted)
    assert await store.list("s1") == (noted,)


async def test_other_paths_replace_the_first(store: ICheckpointStore) -> None:
    await store.put(FIRST, CONTENTS)
    changed = replace(FIRST, before={"/w/z": FileState(digest(b"z"), 0o644)}, restores=("c0",))
    await store.put(changed, {digest(b"z"): b"z"})
    assert await store.get("c1") == changed
    with pytest.raises(CheckpointError, match="not kept"):
        await store.content(digest(SAME))


async def test_checkpoints_are_listed_by_session_oldest_first(store: ICheckpointStore) -> None:
    for name, session in (("c1", "s1"), ("c0", "s1"), ("c2", "s2")):
        await store.put(replace(FIRST, id=name, session_id=session), CONTENTS)
    assert [checkpoint.id for checkpoint in await store.list("s1")] == ["c1", "c0"]
    assert await store.list("nobody") == ()


async def test_checkpoints_are_taken_back_and_stand_again(store: ICheckpointStore) -> None:
    for name in ("c1", "c2", "c3"):
        await store.put(replace(FIRST, id=name), CONTENTS)
    await store.mark(undone=("c1", "c3"))
    assert [checkpoint.undone for checkpoint in await store.list("s1")] == [True, False, True]
    await store.mark(undone=("c2", "nobody"), standing=("c1",))
    assert [checkpoint.undone for checkpoint in await store.list("s1")] == [False, True, True]


async def test_a_forgotten_session_is_gone_and_contents_that_others_share_stay(
    store: ICheckpointStore,
) -> None:
    second = replace(FIRST, id="c2", session_id="s2")
    await store.put(FIRST, CONTENTS)
    await store.put(second)
    await store.delete("s1")
    await store.delete("s1")
    with pytest.raises(CheckpointError, match="'c1'"):
        await store.get("c1")
    assert await store.get("c2") == second
    assert await store.content(digest(SAME)) == SAME
    await store.delete("s2")
    with pytest.raises(CheckpointError, match="not kept"):
        await store.content(digest(SAME))
    await store.put(FIRST, CONTENTS)
    assert await store.get("c1") == FIRST


async def test_a_large_file_is_kept(store: ICheckpointStore) -> None:
    content = bytes(range(256)) * 10_000
    large = replace(FIRST, before={"/w/large": FileState(digest(content), 0o644)})
    await store.put(large, {digest(content): content})
    assert await store.get("c1") == large
    assert await store.content(digest(content)) == content


async def test_what_is_too_old_is_let_go_and_stays_listed(store: ICheckpointStore) -> None:
    await store.put(FIRST, CONTENTS)
    await store.put(replace(FIRST, id="c2", time=50.0, before={"/w/new": ABSENT}))
    assert await store.prune(before=10.0, most_bytes=10**9) == 1
    first, second = await store.list("s1")
    assert (first.before, first.after) == ({}, {})
    assert first.skipped[0] == "/w/big: too large"
    assert "6 paths" in first.skipped[1]
    assert second.before == {"/w/new": ABSENT}
    assert await store.prune(before=10.0, most_bytes=10**9) == 0
    with pytest.raises(CheckpointError, match="not kept"):
        await store.content(digest(SAME))


async def test_the_oldest_goes_first_until_the_rest_is_small_enough(
    store: ICheckpointStore,
) -> None:
    import random

    noise = random.Random(1)
    for number in range(4):
        content = noise.randbytes(400_000)
        state = FileState(digest(content), 0o644)
        one = Checkpoint(f"c{number}", "s1", "t1", {"/w/a": state}, float(number))
        await store.put(one, {digest(content): content})
    assert await store.prune(before=0.0, most_bytes=1_000_000) == 2
    assert [bool(one.before) for one in await store.list("s1")] == [False, False, True, True]


async def test_closing_twice_is_no_error(store: ICheckpointStore) -> None:
    await store.put(FIRST, CONTENTS)
    await store.aclose()
    await store.aclose()
    assert await store.get("c1") == FIRST
