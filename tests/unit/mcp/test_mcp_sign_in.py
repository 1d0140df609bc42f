"""Signing in to servers by OAuth: a real authorization server on loopback, and a browser's part."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from victor.errors import ConfigError, ToolError
from victor.mcp import ServerOptions, State
from victor.mcp import server as server_module
from victor.mcp.login import login
from victor.mcp.servers import SIGN_INS
from victor.mcp.sign_ins import SignIns
from victor.protocols import ToolEnvironment

needs_mcp = pytest.mark.skipif(not find_spec("mcp"), reason="pip install 'victor-ai[mcp]'")
pytestmark = [pytest.mark.anyio, pytest.mark.slow, needs_mcp]

PROGRAM = Path(__file__).parent / "programs/guarded_server.py"


class Place:
    """Where the server is, and what it was asked for."""

    def __init__(self, port: int, back: int, notes: Path, data: Path) -> None:
        self.back = back
        self.notes = notes
        self.sign_ins = SignIns(data / SIGN_INS)
        self.told: dict[str, Any] = {"url": f"http://127.0.0.1:{port}/mcp"}

    @property
    def asked(self) -> list[str]:
        return self.notes.read_text().splitlines()

    @property
    def options(self) -> ServerOptions:
        return ServerOptions.of("guarded", self.told)

    def kept(self) -> dict[str, Any]:
        sign_in = self.sign_ins.of(self.options)
        sign_in.changed()
        return sign_in.kept


async def browser(url: str) -> None:
    """Go where it is sent, as a browser whose person agrees."""
    import httpx2

    async with httpx2.AsyncClient(follow_redirects=True) as http:
        page = await http.get(url)
        assert page.status_code == 200


@pytest.fixture
def guarded(tmp_path: Path) -> Callable[..., Any]:
    @asynccontextmanager
    async def run(holds: int = 3_600) -> AsyncIterator[Place]:
        with socket.socket() as free, socket.socket() as other:
            for one in (free, other):
                one.bind(("127.0.0.1", 0))
            port, back = free.getsockname()[1], other.getsockname()[1]
        notes = tmp_path / "notes"
        notes.touch()
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(PROGRAM), str(port), str(holds), str(notes), str(back),
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(20):
                while True:
                    try:
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                    except OSError:
                        await asyncio.sleep(0.05)
                    else:
                        writer.close()
                        break
            yield Place(port, back, notes, tmp_path / "data")
        finally:
            process.kill()
            await process.wait()

    return run


async def called(servers: Any, environment: ToolEnvironment) -> str:
    tools = {tool.spec.name: tool for tool in await servers.join()}
    output = await tools["mcp__guarded__whoami"].run({}, environment)
    return str(output.content)


async def test_a_person_signs_in_once_and_is_known_from_then_on(
    guarded: Any, running: Any, environment: ToolEnvironment
) -> None:
    async with guarded() as place:
        assert await login(place.options, place.sign_ins, browser)
        assert place.asked[0] == "register Victor"
        assert place.asked[1].endswith("True")  # with a challenge, as PKCE wants it
        (file,) = file_of(place)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        asked = place.asked
        async with running(guarded=place.told) as servers:
            said = await called(servers, environment)
        assert said == "Bearer [secret]"
        assert place.asked == asked


def file_of(place: Place) -> tuple[Path, ...]:
    return tuple((place.notes.parent / "data" / SIGN_INS).iterdir())


async def test_a_token_that_has_ended_is_renewed_by_another_process_too(
    guarded: Any, running: Any, environment: ToolEnvironment
) -> None:
    async with guarded() as place:
        await login(place.options, place.sign_ins, browser)
        (file,) = file_of(place)
        kept = json.loads(file.read_text())
        file.write_text(json.dumps({**kept, "ends": time.time() - 1}))
        async with running(guarded=place.told) as servers:
            assert await called(servers, environment) == "Bearer [secret]"
        assert place.asked[-1] == "refresh"
        assert place.kept()["tokens"]["refresh_token"] != kept["tokens"]["refresh_token"]
        assert len([line for line in place.asked if line.startswith("register")]) == 1


async def test_what_another_process_has_renewed_is_taken_up(
    guarded: Any, running: Any, environment: ToolEnvironment
) -> None:
    async with guarded() as place:
        await login(place.options, place.sign_ins, browser)
        async with running(guarded=place.told) as servers:
            await called(servers, environment)
            (file,) = file_of(place)
            kept = json.loads(file.read_text())
            draft = file.with_suffix(".new")
            tokens = {**kept["tokens"], "access_token": "ended"}
            draft.write_text(json.dumps({**kept, "tokens": tokens, "ends": time.time() - 1}))
            draft.replace(file)
            assert await called(servers, environment) == "Bearer [secret]"
            assert place.asked[-1] == "refresh"


async def test_without_a_sign_in_it_is_said_how_and_nothing_is_registered(
    guarded: Any, running: Any
) -> None:
    async with guarded() as place:
        async with running(guarded=place.told) as servers:
            (server,) = servers.servers
            assert server.state is State.FAILED
            assert server.failure == "it wants you to sign in: run `victor mcp login guarded`"
        told = {**place.told, "headers": {"Authorization": "Bearer ${MY_TOKEN}"}}
        os.environ["MY_TOKEN"] = "not-the-one"
        try:
            async with running(guarded=told) as servers:
                (server,) = servers.servers
                assert "does not accept the header Authorization" in server.failure
        finally:
            del os.environ["MY_TOKEN"]
        assert place.asked == []


async def test_a_sign_in_that_was_taken_back_is_said_in_a_call_and_a_new_one_is_taken_up(
    guarded: Any,
    running: Any,
    environment: ToolEnvironment,
    until: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_module, "FIRST_DELAY", 0.2)
    async with guarded() as place:
        await login(place.options, place.sign_ins, browser)
        async with running(guarded=place.told) as servers:
            await called(servers, environment)
            (server,) = servers.servers
            place.notes.write_text("revoke\n")
            with pytest.raises(ToolError, match="victor mcp login guarded"):
                await called(servers, environment)
            await until(lambda: server.state is State.FAILED)
            assert "victor mcp login guarded" in server.failure
            assert not any(line.startswith("register") for line in place.asked)
            place.notes.write_text("")
            assert await login(place.options, place.sign_ins, browser)
            await until(lambda: server.state is State.RUNNING)
            assert await called(servers, environment) == "Bearer [secret]"


async def test_a_refusal_is_said_and_leaves_what_was_kept(guarded: Any) -> None:
    async with guarded() as place:
        await login(place.options, place.sign_ins, browser)
        before = place.kept()
        place.notes.write_text("refuse\n")
        with pytest.raises(ConfigError, match="refused the sign-in: access_denied"):
            await login(place.options, place.sign_ins, browser)
        assert place.kept() == before
        assert place.sign_ins.of(place.options).forget()
        assert not place.sign_ins.of(place.options).forget()
        assert place.kept() == {}


async def test_a_page_to_sign_in_at_that_is_no_safe_one_is_not_opened(
    guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    async def open_page(url: str) -> None:
        opened.append(url)

    async with guarded() as place:
        monkeypatch.setattr("victor.mcp.login._safe", lambda url: "/authorize" not in url)
        with pytest.raises(ConfigError, match="names an unsafe address"):
            await login(place.options, place.sign_ins, open_page)
    assert opened == []


async def test_a_port_that_is_taken_is_said(guarded: Any) -> None:
    async with guarded() as place:
        place.told = {**place.told, "oauth": {"port": int(place.told["url"].split(":")[2][:-4])}}
        with pytest.raises(ConfigError, match="cannot be listened at"):
            await login(place.options, place.sign_ins, browser)


async def test_only_the_way_back_is_answered() -> None:
    import httpx2

    from victor.mcp.oauth import desk_at

    async with desk_at(0) as desk:
        async with httpx2.AsyncClient() as http:
            other = await http.get(desk.address.replace("/callback", "/other?code=a"))
            assert other.status_code == 404
            assert (await http.post(f"{desk.address}?code=a")).status_code == 404
            back = await http.get(f"{desk.address}?code=a&state=b")
            assert back.status_code == 200
            assert (await http.get(f"{desk.address}?code=c")).status_code == 404
        found = await desk.answer()
    assert (found.code, found.state) == ("a", "b")


async def test_the_address_may_be_pasted_where_the_browser_is_elsewhere(guarded: Any) -> None:
    import httpx2

    async with guarded() as place:
        pasted: asyncio.Queue[str | None] = asyncio.Queue()

        async def elsewhere(url: str) -> None:
            async with httpx2.AsyncClient() as http:
                page = await http.get(url)
                await pasted.put("what?")
                await pasted.put(page.headers["location"])

        assert await login(place.options, place.sign_ins, elsewhere, pasted.get)


async def test_a_registration_by_hand_is_used(guarded: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("CLIENT_SECRET", "well-known-secret")
    async with guarded() as place:
        oauth = {"client_id": "by-hand", "client_secret": "${CLIENT_SECRET}"}
        place.told = {**place.told, "oauth": {**oauth, "port": place.back}}
        assert await login(place.options, place.sign_ins, browser)
        assert place.asked[0] == "authorize by-hand True"
        assert "well-known-secret" not in file_of(place)[0].read_text()


async def test_who_asks_for_no_sign_in_gives_nothing(
    offering: Any, tmp_path: Path, guarded: Any
) -> None:
    sign_ins = SignIns(tmp_path)
    program = ServerOptions.of("one", offering)
    with pytest.raises(ConfigError, match="nobody signs in to it"):
        await login(program, sign_ins, browser)
    signed = ServerOptions.of("one", {"url": "http://a", "headers": {"authorization": "${A}"}})
    with pytest.raises(ConfigError, match="by its header"):
        await login(signed, sign_ins, browser)
    plain = ServerOptions.of("one", {"url": "http://a.example/mcp"})
    with pytest.raises(ConfigError, match="anybody could read"):
        await login(plain, sign_ins, browser)
    gone = ServerOptions.of("one", {"url": "http://127.0.0.1:1/mcp"})
    with pytest.raises(ConfigError, match="one: "):
        await login(gone, sign_ins, browser)


def test_a_broken_file_is_said_with_its_remedy(tmp_path: Path) -> None:
    options = ServerOptions.of("one", {"url": "http://a"})
    sign_in = SignIns(tmp_path).of(options)
    assert not sign_in.changed()
    (tmp_path / f"{options.identity.replace(':', '-')}.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read") as broken:
        sign_in.changed()
    assert "victor mcp login one" in str(broken.value.hint)
