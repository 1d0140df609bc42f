from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from victor.errors import ConfigError
from victor.plugins import Group, PluginFailure, Plugins, made

MODULE = "acme_parts_for_test"

SOURCE = """
class Good:
    loaded = 0
    def __init__(self):
        type(self).loaded += 1

def factory():
    return "made by a function"

class RaisesWhenMade:
    def __init__(self):
        raise RuntimeError("no licence")

value = ("a", "tuple")
"""


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"{MODULE}.py").write_text(SOURCE)
    (tmp_path / "acme_exits.py").write_text("raise SystemExit(3)")
    (tmp_path / "acme_broken.py").write_text("import no_such_module_anywhere")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in (MODULE, "acme_exits", "acme_broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def entry(name: str, value: str, group: str = Group.TOOLS) -> EntryPoint:
    return EntryPoint(name, value if ":" in value else f"{MODULE}:{value}", group)


def plugins(*entries: EntryPoint, report: list[PluginFailure] | None = None) -> Plugins:
    heard = [] if report is None else report
    return Plugins(heard.append, find=lambda group: [e for e in entries if e.group == group])


def test_the_groups_are_those_that_packages_declare() -> None:
    assert {group.value for group in Group} == {
        "victor.compaction_strategies",
        "victor.observers",
        "victor.prompt_contributors",
        "victor.providers",
        "victor.tools",
    }


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    found = plugins(entry("good", "Good")).find(Group.TOOLS)

    assert [plugin.name for plugin in found] == ["good"]
    assert found[0].source.endswith(f"{MODULE}:Good")
    assert MODULE not in sys.modules


def test_classes_and_functions_are_called_and_values_taken_as_they_are() -> None:
    loaded = plugins(
        entry("good", "Good"), entry("function", "factory"), entry("value", "value")
    ).load(Group.TOOLS)

    assert type(loaded["good"]).__name__ == "Good"
    assert loaded["function"] == "made by a function"
    assert loaded["value"] == ("a", "tuple")


def test_each_plugin_is_loaded_once() -> None:
    found = plugins(entry("good", "Good"))

    assert found.load(Group.TOOLS)["good"] is found.load(Group.TOOLS)["good"]
    assert sys.modules[MODULE].Good.loaded == 1


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("acme_broken:X", "ModuleNotFoundError"),
        ("acme_exits:X", "SystemExit"),
        ("Missing", "AttributeError"),
        ("RaisesWhenMade", "no licence"),
    ],
)
def test_a_broken_plugin_is_skipped_and_reported_once_and_the_others_work(
    value: str, error: str
) -> None:
    heard: list[PluginFailure] = []
    found = plugins(entry("broken", value), entry("good", "Good"), report=heard)

    assert list(found.load(Group.TOOLS)) == ["good"]
    assert list(found.load(Group.TOOLS)) == ["good"]

    [failure] = heard
    assert (failure.group, failure.name) == ("victor.tools", "broken")
    assert error in failure.error
    assert value in failure.source
    assert found.failures == (failure,)


def test_what_is_made_of_a_plugin_may_be_refused_by_who_makes_it() -> None:
    def build(named: Any) -> Any:
        if made(named) != "made by a function":
            raise TypeError("not what is wanted here")
        return "fine"

    found = plugins(entry("good", "Good"), entry("function", "factory"))

    assert found.load(Group.TOOLS, build) == {"function": "fine"}
    assert "not what is wanted here" in found.failures[0].error


def test_of_two_with_one_name_the_first_counts_and_the_other_is_reported() -> None:
    found = plugins(entry("same", "value"), entry("same", "Good"))

    assert [plugin.source for plugin in found.find(Group.TOOLS)] == [f"?: {MODULE}:Good"]
    assert "taken by" in found.failures[0].error


def test_a_factory_loads_its_plugin_when_it_is_called() -> None:
    strategies = Group.COMPACTION_STRATEGIES
    factories = plugins(entry("mine", "Good", strategies)).factories(strategies)

    assert MODULE not in sys.modules
    assert type(factories["mine"]()).__name__ == "Good"


def test_a_factory_of_a_broken_plugin_says_which_one_it_is() -> None:
    found = plugins(entry("mine", "acme_broken:X"))

    with pytest.raises(ConfigError, match=r"'mine'.*acme_broken.*no_such_module_anywhere"):
        found.factories(Group.TOOLS)["mine"]()
    assert [failure.name for failure in found.failures] == ["mine"]


def test_each_group_is_looked_for_once() -> None:
    asked: list[str] = []

    def find(group: str) -> list[EntryPoint]:
        asked.append(group)
        return []

    found = Plugins(find=find)

    assert asked == []
    assert found.load(Group.TOOLS) == found.load("victor.tools") == {}
    assert asked == ["victor.tools"]


def test_a_broken_plugin_needs_nobody_to_hear_of_it() -> None:
    found = Plugins(find=lambda _: [entry("broken", "Missing")])

    assert found.load(Group.TOOLS) == {}
    assert len(found.failures) == 1


def test_the_environment_s_own_entry_points_are_found() -> None:
    assert any(plugin.name == "victor" for plugin in Plugins().find("console_scripts"))
