"""Parts of installed packages, found by their entry points and put to use."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from victor import AgentOrchestrator, Settings
from victor.cli.app import run
from victor.errors import ConfigError, UnknownNameError
from victor.plugins import installed
from victor.providers.choose import (
    PROVIDER_NAMES,
    choose_provider,
    create_provider,
    parse_endpoint,
    provider_names,
)
from victor.testing import EchoProvider, ScriptedProvider, call

pytestmark = pytest.mark.anyio

SOURCE = """
from victor.messages import Effect, ToolSpec
from victor.protocols import ToolOutput
from victor.testing import EchoProvider


class Tool:
    def __init__(self, name="single"):
        self.spec = ToolSpec(name, f"The tool {name}.", {"type": "object"}, Effect.READ_ONLY)

    def paths(self, arguments, environment):
        return ()

    async def run(self, arguments, environment):
        return ToolOutput(f"{self.spec.name} ran")


class Other(Tool):
    def __init__(self):
        super().__init__("by_class")


collection = (Tool("first"), Other, "no tool at all")


class Provider(EchoProvider):
    pass


class Addressed(EchoProvider):
    def __init__(self, base_url="http://default"):
        super().__init__()
        self.base_url = base_url


def anything(**options):
    return Addressed(**options)


ready = Provider()


def wrong():
    return "no provider"
"""
ENTRY_POINTS = """
[victor.tools]
one = acme_plugged_parts:Tool
several = acme_plugged_parts:collection

[victor.providers]
acme = acme_plugged_parts:Provider
absent = acme_not_there:Provider
wrong = acme_plugged_parts:wrong
openai = acme_plugged_parts:Provider
addressed = acme_plugged_parts:Addressed
anything = acme_plugged_parts:anything
ready = acme_plugged_parts:ready
"""


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a package, as far as its entry points go."""
    (tmp_path / "acme_plugged_parts.py").write_text(SOURCE)
    metadata = tmp_path / "acme-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    installed.cache_clear()
    yield
    installed.cache_clear()


async def test_a_collection_of_tools_brings_each_of_them(tmp_path: Path) -> None:
    provider = ScriptedProvider([call("first"), call("by_class"), call("single")], "Done.")
    settings = Settings(ephemeral=True)
    async with AgentOrchestrator(settings, provider, workspace=tmp_path) as agent:
        await agent.chat("Run them")
        health = agent.health()["tool"]
    results = provider.requests[1].messages[-1].tool_results
    assert [result.content for result in results] == ["first ran", "by_class ran", "single ran"]
    assert "returned" in health.last_error  # of the text in the collection


def test_a_plugins_provider_is_known_and_made_by_its_name() -> None:
    assert provider_names()[: len(PROVIDER_NAMES)] == PROVIDER_NAMES
    assert provider_names()[len(PROVIDER_NAMES) :] == (
        "absent",
        "acme",
        "addressed",
        "anything",
        "ready",
        "wrong",
    )
    assert parse_endpoint("acme:large:2") == ("acme", "large:2")
    assert isinstance(create_provider("acme"), EchoProvider)


@pytest.mark.parametrize("config", [{"provider": "acme", "model": "m"}, {"model": "acme:m"}])
def test_the_settings_choose_a_plugins_provider(config: dict[str, str]) -> None:
    choice = choose_provider(config, {}, probe=lambda _: None)
    assert (choice.provider, choice.model) == ("acme", "m")


def test_a_plugins_provider_needs_the_name_of_a_model() -> None:
    with pytest.raises(ConfigError, match="acme:MODEL"):
        choose_provider({"provider": "acme"}, {}, probe=lambda _: None)


def test_victors_own_providers_are_not_replaced_by_a_plugin() -> None:
    assert not isinstance(create_provider("openai"), EchoProvider)


@pytest.mark.parametrize(("name", "told"), [("absent", "acme_not_there"), ("wrong", "str")])
def test_a_broken_plugins_provider_is_refused_with_its_name(name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as failure:
        create_provider(name)
    assert repr(name) in str(failure.value)


def test_an_unknown_provider_is_told_with_those_of_plugins() -> None:
    with pytest.raises(UnknownNameError, match="acme"):
        create_provider("acne")


@pytest.mark.parametrize("name", ["addressed", "anything"])
def test_a_plugins_provider_is_given_the_address_that_it_takes(name: str) -> None:
    there = create_provider(name, base_url="http://there")
    assert getattr(there, "base_url", "") == "http://there"
    assert getattr(create_provider(name), "base_url", "") == "http://default"


@pytest.mark.parametrize("name", ["acme", "ready"])
def test_an_address_that_a_plugins_provider_does_not_take_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}.* takes no base_url"):
        create_provider(name, base_url="http://there")
    assert isinstance(create_provider(name), EchoProvider)


@pytest.mark.parametrize("command", ["models", "providers"])
def test_a_plugins_provider_is_listed(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command]) == 0
    assert re.search(
        r"^\* acme .*from the package acme: acme_plugged_parts:Provider",
        capsys.readouterr().out,
        re.MULTILINE,
    )


def test_a_check_asks_no_plugins_provider(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["providers", "--check", "--json"]) == 0
    (acme,) = (row for row in json.loads(capsys.readouterr().out) if row["provider"] == "acme")
    assert (acme["configured"], acme["reachable"]) == (True, None)
