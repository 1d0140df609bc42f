from __future__ import annotations

import asyncio

import pytest

from victor.providers import connection
from victor.providers.connection import ClientPerLoop


class Client:
    def __init__(self) -> None:
        self.closed_in: asyncio.AbstractEventLoop | None = None

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.closed_in = asyncio.get_running_loop()


class Made:
    def __init__(self) -> None:
        self.clients: list[Client] = []

    def __call__(self) -> Client:
        self.clients.append(Client())
        return self.clients[-1]


def test_one_loop_has_one_client() -> None:
    made = Made()
    clients = ClientPerLoop(made)

    async def twice() -> bool:
        return await clients.get() is await clients.get()

    assert asyncio.run(twice())
    assert len(made.clients) == 1


def test_another_loop_gets_another_client_and_the_first_is_closed_with_its_loop() -> None:
    made = Made()
    clients = ClientPerLoop(made)

    async def use() -> asyncio.AbstractEventLoop:
        await clients.get()
        return asyncio.get_running_loop()

    loops = [asyncio.run(use()), asyncio.run(use())]
    assert [client.closed_in for client in made.clients] == loops
    assert len(clients) == 0


def test_closing_twice_closes_once_and_the_next_call_opens_again() -> None:
    made = Made()
    clients = ClientPerLoop(made)

    async def use() -> None:
        await clients.aclose()
        first = await clients.get()
        await clients.aclose()
        assert first.closed_in is asyncio.get_running_loop()
        await clients.aclose()
        assert await clients.get() is not first

    asyncio.run(use())
    assert len(made.clients) == 2


def test_a_loop_closed_by_hand_is_forgotten() -> None:
    made = Made()
    clients = ClientPerLoop(made)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(clients.get())
    assert len(clients) == 1
    loop.close()

    async def use() -> int:
        await clients.get()
        return len(clients)

    assert asyncio.run(use()) == 1


def test_a_client_that_cannot_be_made_leaves_nothing_behind() -> None:
    def refuse() -> Client:
        raise LookupError("no key")

    clients = ClientPerLoop(refuse)
    with pytest.raises(LookupError):
        asyncio.run(clients.get())
    assert len(clients) == 0


def test_a_client_whose_owner_is_dropped_is_closed_on_its_own_loop() -> None:
    made = Made()

    async def use() -> asyncio.AbstractEventLoop:
        await ClientPerLoop(made).get()
        for _ in range(5):
            await asyncio.sleep(0)
        assert made.clients[0].closed_in is asyncio.get_running_loop()
        return asyncio.get_running_loop()

    asyncio.run(use())


def test_an_owner_that_outlives_its_loop_is_dropped_in_peace() -> None:
    made = Made()
    clients = ClientPerLoop(made)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(clients.get())
    loop.close()
    del clients
    assert made.clients[0].closed_in is None
    assert made.clients[0] not in connection._open
