"""Resources of servers: listed and read by the model, as foreign words."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from victor.errors import ToolError
from victor.mcp import McpServers
from victor.mcp.offers import Reading, Resource, Template
from victor.mcp.resources import PAGE
from victor.messages import Effect
from victor.protocols import Approval, ToolEnvironment

needs_mcp = pytest.mark.skipif(not find_spec("mcp"), reason="pip install 'victor-ai[mcp]'")
pytestmark = [pytest.mark.anyio, pytest.mark.slow, needs_mcp]


async def tools_of(servers: McpServers) -> dict[str, Any]:
    return {tool.spec.name: tool for tool in await servers.join()}


async def test_resources_are_listed_and_read_as_foreign_words(
    running: Any, offering: Any, environment: ToolEnvironment, person: Any
) -> None:
    async with running(notes=offering) as servers:
        tools = await tools_of(servers)
        assert list(tools)[-2:] == ["list_mcp_resources", "read_mcp_resource"]
        listing, reading = tools["list_mcp_resources"], tools["read_mcp_resource"]
        listed = await listing.run({}, environment)
        assert listed.source == "the MCP server notes"
        assert "notes: notes://today (text/plain) Today: What is to be done." in listed.content
        assert "notes: issue://{number} (a form" in listed.content
        read = await reading.run({"server": "notes", "uri": "notes://today"}, environment)
        assert read.content.startswith("Water the plants.")
        assert read.source == "the MCP server notes"
        issue = await reading.run({"server": "notes", "uri": "issue://7"}, environment)
        assert issue.content == "Issue 7 is open."
        with pytest.raises(ToolError, match="notes: "):
            await reading.run({"server": "notes", "uri": "notes://none"}, environment)
        assert listing.spec.effect is reading.spec.effect is Effect.READ_ONLY
        assert listing.paths({}, environment) == reading.paths({}, environment) == ()
        assert not listing.access({}, environment).hosts
    (question,) = person.questions
    assert "Resources: what it lists may be listed and read without asking." in question
    assert "issue://{number}" in question
    assert "notes://today" not in question


async def test_bytes_are_shown_as_pictures_or_counted(
    running: Any, offering: Any, environment: ToolEnvironment
) -> None:
    async with running(notes=offering) as servers:
        reading = (await tools_of(servers))["read_mcp_resource"]
        picture = {"server": "notes", "uri": "notes://picture"}
        seen = await reading.run(picture, environment)
        assert seen.images[0].media_type == "image/png"
        unseen = await reading.run(picture, replace(environment, sees_images=False))
        assert unseen.content == "[notes://picture: 6 bytes of image/png that cannot be shown]"
        packed = await reading.run({"server": "notes", "uri": "notes://archive"}, environment)
        assert packed.content == (
            "[notes://archive: 4 bytes of application/zip that cannot be shown]"
        )


async def test_what_is_not_listed_is_told_to_its_server_and_so_has_to_be_allowed(
    running: Any, offering: Any, environment: ToolEnvironment
) -> None:
    async with running(notes=offering) as servers:
        reading = (await tools_of(servers))["read_mcp_resource"]
        listed = reading.access({"server": "notes", "uri": "notes://today"}, environment)
        assert (listed.paths, listed.hosts) == (("notes:notes://today",), ())
        made_up = reading.access({"server": "notes", "uri": "issue://what-i-know"}, environment)
        assert (made_up.paths, made_up.hosts) == ((), ("notes:issue://what-i-know",))


async def test_resources_that_come_later_are_known_without_another_question(
    running: Any,
    offering: Any,
    environment: ToolEnvironment,
    person: Any,
    until: Callable[[Callable[[], bool]], Any],
) -> None:
    async with running(notes=offering) as servers:
        tools = await tools_of(servers)
        await tools["mcp__notes__grow"].run({}, environment)
        offered = servers.servers[0]
        await until(lambda: any(one.uri == "notes://new" for one in offered.offered.resources))
        listed = await tools["list_mcp_resources"].run({"server": "notes"}, environment)
        assert "notes://new" in listed.content
        assert await tools_of(servers) == tools
    assert len(person.questions) == 1


async def test_changes_are_told_over_http_too(
    running: Any,
    offering: Any,
    environment: ToolEnvironment,
    until: Callable[[Callable[[], bool]], Any],
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *offering["args"], str(port), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await until(lambda: is_open(port))
        async with running(notes={"url": f"http://127.0.0.1:{port}/mcp"}) as servers:
            tools = await tools_of(servers)
            read = {"server": "notes", "uri": "notes://today"}
            told = await tools["read_mcp_resource"].run(read, environment)
            assert told.content.startswith("Water the plants.")
            await tools["mcp__notes__grow"].run({}, environment)
            offered = servers.servers[0]
            await until(lambda: any(one.uri == "notes://new" for one in offered.offered.resources))
    finally:
        process.kill()
        await process.wait()


def is_open(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


async def test_what_was_refused_cannot_be_read(
    running: Any, offering: Any, environment: ToolEnvironment, person: Any
) -> None:
    person.answers = [Approval.REFUSED]
    async with running(notes=offering) as servers:
        assert await tools_of(servers) == {}
        assert servers.readable() == ()


async def test_a_change_of_the_forms_of_addresses_is_shown_and_asked_for(
    running: Any, tmp_path: Path, environment: ToolEnvironment, person: Any
) -> None:
    program = str(Path(__file__).parent / "programs/odd_server.py")
    told = {"command": sys.executable, "args": (program, "forms", str(tmp_path / "changed"))}
    async with running(odd=told) as servers:
        tools = await tools_of(servers)
        assert list(tools) == ["list_mcp_resources", "read_mcp_resource"]
    (tmp_path / "changed").touch()
    person.answers = [Approval.REFUSED]
    async with running(odd=told) as servers:
        assert await tools_of(servers) == {}
        with pytest.raises(ToolError, match="Those that have: odd"):
            await tools["read_mcp_resource"].run({"server": "gone", "uri": "a://1"}, environment)
    assert "-  secret://{all}" not in person.questions[1]
    assert "+  secret://{all}  all: Everything." in person.questions[1]


async def test_a_long_list_is_told_by_the_page(
    running: Any, tmp_path: Path, environment: ToolEnvironment
) -> None:
    program = str(Path(__file__).parent / "programs/odd_server.py")
    told = {"command": sys.executable, "args": (program, "many", str(tmp_path / "x"))}
    async with running(odd=told) as servers:
        listing = (await tools_of(servers))["list_mcp_resources"]
        first = (await listing.run({}, environment)).content.splitlines()
        assert len(first) == PAGE + 1
        assert first[-1] == f"[150 in all; offset {PAGE} goes on]"
        rest = (await listing.run({"offset": PAGE}, environment)).content.splitlines()
        assert len(rest) == 50
        past = await listing.run({"offset": 1_000}, environment)
        assert past.content == "There are no resources."
        assert servers.servers[0].offered.left_out == 1
        assert servers.servers[0].offered.faults == (
            "its prompts cannot be listed: what it sent is malformed: prompts.0.name",
        )
        reading = (await tools_of(servers))["read_mcp_resource"]
        with pytest.raises(ToolError, match="characters at most"):
            await reading.run({"server": "odd", "uri": "x" * 3_000}, environment)


def test_an_address_with_something_hidden_in_it_is_none() -> None:
    assert Resource.of("a://\u202eb", "n", None, None, None) is None
    assert Template.of("a b", "n", None) is None
    found = Resource.of("a://b", "n\u200b", "line\nline", None, 3)
    assert found is not None
    assert (found.name, found.description) == ("n<U+200B>", "line line")
    one, other = Reading("a"), Reading("a", (Template("x://{y}", "n"),))
    assert one.digest != other.digest
