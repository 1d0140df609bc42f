from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from victor.agent.coordinators.config_coordinator import MASK, ConfigCoordinator
from victor.config.settings import Settings, validate
from victor.config.sources import EnvironmentConfigProvider, SettingsConfigProvider
from victor.errors import ConfigError, UnknownNameError
from victor.protocols import IConfigProvider

pytestmark = pytest.mark.anyio


class Database(IConfigProvider):
    """Answers after a step of the loop, as a database would."""

    def __init__(self, rank: int = 100, **values: Any) -> None:
        self.rank = rank
        self.values: Any = values
        self.sessions: list[str] = []

    def priority(self) -> int:
        return self.rank

    async def get_config(self, session_id: str) -> dict[str, Any]:
        self.sessions.append(session_id)
        await asyncio.sleep(0)
        if isinstance(self.values, BaseException):
            raise self.values
        values: dict[str, Any] = self.values
        return values


class Hanging(Database):
    async def get_config(self, session_id: str) -> dict[str, Any]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.sessions.append("cancelled")
            raise
        return {}


class Instant(Database):
    """A source that can be read at once."""

    def read(self) -> Any:
        return self.values


def only_positive(values: Mapping[str, Any], origins: Mapping[str, str]) -> Mapping[str, Any]:
    if values.get("size", 1) <= 0:
        raise ConfigError(f"{origins['size']}: size is {values['size']}")
    return {"size": 1} | dict(values)


async def test_the_higher_priority_wins_key_by_key() -> None:
    low, high = Database(10, model="low", mode="plan"), Database(20, model="high")
    config = await ConfigCoordinator([low, high]).load("s1")
    assert config == {"model": "high", "mode": "plan"}
    assert low.sessions == high.sessions == ["s1"]


async def test_of_equal_priorities_the_first_given_wins() -> None:
    config = await ConfigCoordinator([Database(5, model="a"), Database(5, model="b")]).load("")
    assert config["model"] == "a"


async def test_the_database_of_the_guide_wins_over_the_environment() -> None:
    environment = EnvironmentConfigProvider({"VICTOR_MODEL": "env", "VICTOR_MODE": "plan"})
    coordinator = ConfigCoordinator(providers=[Database(model="db"), environment])
    assert coordinator.get_config() == {"model": "env", "mode": "plan"}
    await coordinator.load("s1")
    assert coordinator.get_config() == {"model": "db", "mode": "plan"}


async def test_the_config_cannot_be_changed_by_its_reader() -> None:
    config: Any = (await ConfigCoordinator([Database(model="a")]).load(""),)[0]
    assert isinstance(config, MappingProxyType)
    with pytest.raises(TypeError):
        config["model"] = "b"


async def test_without_sources_the_defaults_hold() -> None:
    assert ConfigCoordinator().get_config() == {}
    assert ConfigCoordinator(defaults={"model": "d"}).get_config() == {"model": "d"}


async def test_the_real_validation_fills_in_every_setting_and_refuses_by_origin() -> None:
    source = SettingsConfigProvider(Settings(model="a", permissions={"deny": ("shell",)}))
    coordinator = ConfigCoordinator([source], validate=validate)
    config = coordinator.get_config()
    assert config["model"] == "a"
    assert config["max_tool_iterations"] == 50
    assert config["permissions"]["deny"] == ("shell",)
    with pytest.raises(ConfigError, match=r"^Instant: max_tools is 0, but"):
        coordinator.add_provider(Instant(10, max_tools=0))
    assert coordinator.get_config() == config


async def test_a_bad_value_is_refused_at_construction_with_its_origin() -> None:
    environment = EnvironmentConfigProvider({"VICTOR_MAX_TOOLS": "few"})
    with pytest.raises(
        ConfigError, match="VICTOR_MAX_TOOLS in the environment: max_tools is 'few'"
    ):
        ConfigCoordinator([environment], validate=validate)


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (OSError("no route"), "Database failed: OSError: no route"),
        (OSError("postgres://me:hunter2@db"), f"OSError: postgres://{MASK}@db"),
        (ConfigError("row 7 is broken"), "row 7 is broken"),
        (asyncio.CancelledError(), "Database was cancelled"),
        (["model"], "Database returned list"),
        ({1: 2}, "Database returned dict"),
        (None, "Database returned NoneType"),
    ],
)
async def test_a_source_that_fails_is_named(failure: Any, text: str) -> None:
    source = Database()
    source.values = failure
    with pytest.raises(ConfigError, match=text.replace("(", r"\(")):
        await ConfigCoordinator([source]).load("s1")


async def test_a_failed_reload_keeps_the_last_good_config() -> None:
    source = Database(model="good")
    coordinator = ConfigCoordinator([source])
    await coordinator.load("s1")
    source.values = OSError("gone")
    with pytest.raises(ConfigError):
        await coordinator.load("s1")
    assert coordinator.get_config() == {"model": "good"}
    source.values = {"model": "better"}
    assert (await coordinator.load("s1"))["model"] == "better"


async def test_a_source_that_hangs_is_given_up_and_cancelled() -> None:
    hanging = Hanging()
    coordinator = ConfigCoordinator([hanging, Database(model="a")], timeout=0.01)
    with pytest.raises(ConfigError, match=r"Hanging did not answer within 0\.01 seconds"):
        await coordinator.load("s1")
    await asyncio.sleep(0)
    assert hanging.sessions == ["cancelled"]


async def test_cancelling_the_load_cancels_the_sources() -> None:
    hanging = Hanging()
    task = asyncio.create_task(ConfigCoordinator([hanging]).load("s1"))
    await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert hanging.sessions == ["cancelled"]


async def test_two_failing_sources_are_both_taken_note_of() -> None:
    first, second = Database(), Database()
    first.values, second.values = OSError("one"), OSError("two")
    with pytest.raises(ConfigError, match="one"):
        await ConfigCoordinator([first, second]).load("s1")


async def test_sources_are_asked_at_the_same_time() -> None:
    started: list[str] = []
    gate = asyncio.Event()

    class Waiting(Database):
        async def get_config(self, session_id: str) -> dict[str, Any]:
            started.append(self.values["name"])
            if len(started) == 2:
                gate.set()
            await gate.wait()
            return {}

    coordinator = ConfigCoordinator([Waiting(name="a"), Waiting(name="b")], timeout=5)
    await coordinator.load("s1")
    assert started == ["a", "b"]


async def test_explain_tells_value_source_and_what_it_overrode() -> None:
    environment = EnvironmentConfigProvider({"VICTOR_MODE": "plan"})
    given = SettingsConfigProvider(Settings(mode="explore"))
    explained = ConfigCoordinator([environment, given], validate=validate).explain("mode")
    assert (explained.key, explained.value, explained.source) == (
        "mode",
        "explore",
        "Settings(...)",
    )
    assert explained.overrode == (
        ("VICTOR_MODE in the environment", "plan"),
        ("default", "build"),
    )


async def test_explain_of_a_default_overrode_nothing() -> None:
    explained = ConfigCoordinator(validate=validate).explain("max_tools")
    assert (explained.value, explained.source, explained.overrode) == (128, "default", ())


async def test_explain_without_validation_knows_the_given_defaults_only() -> None:
    coordinator = ConfigCoordinator([Instant(model="a")], defaults={"mode": "plan"})
    assert coordinator.explain("mode").source == "default"
    assert coordinator.explain("model").overrode == ()
    assert ConfigCoordinator([Instant(model="a")]).explain("model").source == "Instant"


async def test_explain_of_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'model'"):
        ConfigCoordinator(validate=validate).explain("modell")


async def test_secrets_are_masked_in_explanations() -> None:
    source = Instant(
        20, api_key="sk-1", database_password="hunter2", base_url="https://me:hunter2@host/v1"
    )
    coordinator = ConfigCoordinator([source, Instant(10, api_key="sk-2")])
    shown = [coordinator.explain(key) for key in ("api_key", "database_password", "base_url")]
    assert "sk-" not in repr(shown)
    assert "hunter2" not in repr(shown)
    assert shown[2].value == f"https://{MASK}@host/v1"


async def test_what_a_person_sets_wins_over_every_source() -> None:
    coordinator = ConfigCoordinator([Instant(1000, size=5)], validate=only_positive)
    assert coordinator.set("size", 7, "/size")["size"] == 7
    assert (await coordinator.load("s1"))["size"] == 7
    assert coordinator.explain("size").overrode == (("Instant", 5), ("default", 1))


async def test_a_bad_override_is_refused_and_forgotten() -> None:
    coordinator = ConfigCoordinator([Instant(size=5)], validate=only_positive)
    with pytest.raises(ConfigError, match="/size: size is -1"):
        coordinator.set("size", -1, "/size")
    assert coordinator.get_config()["size"] == 5
    assert (await coordinator.load("s1"))["size"] == 5


async def test_tables_are_merged_and_their_lists_joined_so_that_no_rule_is_lost() -> None:
    person = Instant(20, permissions={"deny": ["rm", "git push"], "name": "low"})
    project = Instant(40, permissions={"deny": ["rm"], "allow": ["ls"], "name": "high"})
    config = ConfigCoordinator([person, project]).get_config()
    assert config["permissions"] == {
        "deny": ("rm", "git push"),
        "allow": ["ls"],
        "name": "high",
    }


async def test_a_plain_value_over_a_table_hides_it() -> None:
    config = ConfigCoordinator([Instant(20, a={"b": 1}), Instant(40, a="off")]).get_config()
    assert config["a"] == "off"


async def test_what_was_not_given_is_completed_and_what_was_given_stays() -> None:
    coordinator = ConfigCoordinator([Instant(size=3)])
    coordinator.complete(
        validate=only_positive, defaults={"size": 9, "model": "m"}, providers=[Instant(200, size=4)]
    )
    assert coordinator.get_config() == {"size": 4, "model": "m"}
    coordinator.complete(validate=validate, defaults={})
    assert coordinator.get_config() == {"size": 4, "model": "m"}


async def test_warnings_of_the_sources_are_collected() -> None:
    quiet, loud = Instant(), Instant()
    loud.warning = "not trusted"  # type: ignore[attr-defined]
    assert ConfigCoordinator([quiet, loud]).warnings == ("not trusted",)
