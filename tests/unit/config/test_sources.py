from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from victor.agent.coordinators.config_coordinator import ConfigCoordinator
from victor.config import files
from victor.config.settings import Settings, validate
from victor.config.sources import (
    EnvironmentConfigProvider,
    ProfileConfigProvider,
    ProjectConfigProvider,
    SettingsConfigProvider,
    TomlConfigProvider,
    standard_sources,
)
from victor.config.trust import Trust
from victor.errors import ConfigError, UnknownNameError
from victor.protocols import IConfigProvider


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_every_source_fits_the_port_and_keeps_its_rank(tmp_path: Path) -> None:
    sources = standard_sources(Settings(), tmp_path, environ={})
    assert all(isinstance(source, IConfigProvider) for source in sources)
    assert [source.priority() for source in sources] == [80, 50, 40, 30, 20, 10]


@pytest.mark.anyio
async def test_asking_and_reading_give_the_same() -> None:
    source = EnvironmentConfigProvider({"VICTOR_MODEL": "a"})
    assert await source.get_config("s1") == source.read() == {"model": "a"}


def test_settings_in_code_count_where_they_were_given() -> None:
    source = SettingsConfigProvider(Settings(max_tools=40, mode="plan"))
    assert source.read() == {"max_tools": 40, "mode": "plan"}
    assert source.origin("mode") == "Settings(...)"


def test_the_environment_sets_by_name_and_leaves_other_variables_alone() -> None:
    environ = {
        "VICTOR_MAX_TOOLS": "7",
        "VICTOR_PERMISSIONS": '{"allow": ["read"]}',
        "VICTOR_MODEL": "",
        "VICTOR_HOME": "/somewhere",
        "PATH": "/bin",
    }
    source = EnvironmentConfigProvider(environ)
    assert source.read() == {"max_tools": "7", "permissions": {"allow": ["read"]}}
    assert source.origin("max_tools") == "VICTOR_MAX_TOOLS in the environment"


def test_the_process_environment_is_read_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    source = EnvironmentConfigProvider()
    assert source.read() == {}
    monkeypatch.setenv("VICTOR_MODE", "plan")
    assert source.read() == {"mode": "plan"}


def test_an_unknown_variable_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"'VICTOR_MODLE'\. Did you mean 'VICTOR_MODEL'"):
        EnvironmentConfigProvider({"VICTOR_MODLE": "a"}).read()
    with pytest.raises(ConfigError, match="no setting 'VICTOR_XYZZY'") as caught:
        EnvironmentConfigProvider({"VICTOR_XYZZY": "a"}).read()
    assert "mean" not in str(caught.value)


def test_a_table_that_is_no_json_is_refused_by_its_variable() -> None:
    with pytest.raises(ConfigError, match="VICTOR_PERMISSIONS in the environment is no JSON"):
        EnvironmentConfigProvider({"VICTOR_PERMISSIONS": "read"}).read()


def test_a_toml_file_is_read_and_a_missing_one_sets_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "c.toml", 'model = "a"\n[permissions]\ndeny = ["rm"]\n')
    assert TomlConfigProvider(path).read() == {"model": "a", "permissions": {"deny": ["rm"]}}
    assert TomlConfigProvider(tmp_path / "none.toml").read() == {}
    assert TomlConfigProvider(path / "below a file").read() == {}
    assert TomlConfigProvider(path).origin("model") == str(path)


def test_broken_toml_names_file_line_and_key(tmp_path: Path) -> None:
    path = written(tmp_path / "c.toml", 'model = "a"\napi_key = "sk-secret\n')
    with pytest.raises(ConfigError, match=r"c\.toml, line 2 at `api_key`") as caught:
        TomlConfigProvider(path).read()
    assert "sk-secret" not in str(caught.value)


def test_toml_that_ends_too_early_names_the_last_line(tmp_path: Path) -> None:
    path = written(tmp_path / "c.toml", "a = 1\nb = [1,")
    with pytest.raises(ConfigError, match="line 2 at `b`"):
        TomlConfigProvider(path).read()


def test_a_file_that_is_no_text_or_too_large_or_a_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"a = 1\nb = '\xff'")
    with pytest.raises(ConfigError, match="line 2: this is no UTF-8"):
        TomlConfigProvider(path).read()
    path.write_bytes(b"#" * (files.LIMIT + 1))
    with pytest.raises(ConfigError, match="larger than 1,000,000 bytes"):
        TomlConfigProvider(path).read()
    with pytest.raises(ConfigError, match="cannot be read: it is a folder"):
        TomlConfigProvider(tmp_path).read()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="cannot be read: it is a pipe"):
        TomlConfigProvider(tmp_path / "pipe").read()


def test_the_project_file_counts_only_once_it_is_trusted(tmp_path: Path) -> None:
    trust = Trust(tmp_path / "trust.json")
    path = written(tmp_path / "project" / ".victor" / "config.toml", 'mode = "plan"')
    source = ProjectConfigProvider(tmp_path / "project", trust)
    assert source.read() == {}
    assert "`victor trust`" in source.warning
    trust.trust(tmp_path / "project")
    assert source.read() == {"mode": "plan"}
    assert source.warning == ""
    assert source.origin("mode") == str(path)


def test_a_project_without_configuration_is_nothing_to_warn_of(tmp_path: Path) -> None:
    source = ProjectConfigProvider(tmp_path)
    assert source.read() == {}
    assert source.warning == ""


def test_a_profile_is_chosen_by_the_highest_source_that_names_one(tmp_path: Path) -> None:
    written(tmp_path / "fast.yaml", "model: small\npermissions:\n  allow: [read]\n")
    written(tmp_path / "empty.yaml", "# nothing yet\n")
    low = TomlConfigProvider(written(tmp_path / "c.toml", 'profile = "empty"'))
    high = EnvironmentConfigProvider({"VICTOR_PROFILE": "fast"})
    source = ProfileConfigProvider(tmp_path, (low, high))
    assert source.read() == {"model": "small", "permissions": {"allow": ["read"]}}
    assert source.origin("model") == str(tmp_path / "fast.yaml")
    assert ProfileConfigProvider(tmp_path, (low,)).read() == {}
    assert ProfileConfigProvider(tmp_path).read() == {}


@pytest.mark.parametrize("name", ["fats", "../fast", "/etc/passwd"])
def test_a_profile_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    written(tmp_path / "fast.yaml", "model: small")
    written(tmp_path / "profiles" / "fast.yaml", "model: small")
    chosen = SettingsConfigProvider(Settings(profile=name))
    with pytest.raises(UnknownNameError, match="Known: fast"):
        ProfileConfigProvider(tmp_path / "profiles", (chosen,)).read()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: a\nmode: [plan\n", r"p\.yaml, line 3"),
        ("model: a\n  mode: plan\n", "line 2 at `mode`"),
        ("- model\n", "`setting: value` pairs"),
        ("1: model\n", "`setting: value` pairs"),
        ("model: \x07\n", r"p\.yaml, line 1"),
        ("since: 2001-99-99\n", r"p\.yaml, line 1"),
        ("profile: other\n", "cannot choose a `profile`"),
    ],
)
def test_a_broken_profile_names_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    written(tmp_path / "p.yaml", text)
    chosen = SettingsConfigProvider(Settings(profile="p"))
    with pytest.raises(ConfigError, match=message):
        ProfileConfigProvider(tmp_path, (chosen,)).read()


def test_all_sources_together_are_merged_by_priority(tmp_path: Path) -> None:
    home = files.config_folder()
    written(home / "config.toml", 'model = "user"\nmode = "plan"\nmax_tools = 1\nprofile = "p"\n')
    written(home / "profiles" / "p.yaml", "mode: explore\nmax_tools: 2\nmax_retries: 9\n")
    written(tmp_path / ".victor" / "config.toml", "max_tools = 3\n[permissions]\nallow = ['ls']\n")
    Trust().trust(tmp_path)
    environ = {"VICTOR_MAX_OUTPUT_TOKENS": "99", "VICTOR_PERMISSIONS": '{"deny": ["rm"]}'}
    sources = standard_sources(Settings(temperature=0.5), tmp_path, environ=environ)
    coordinator = ConfigCoordinator(sources, validate=validate)
    config = coordinator.get_config()
    expected: dict[str, Any] = {
        "model": "user",
        "mode": "explore",
        "max_tools": 3,
        "max_retries": 9,
        "max_output_tokens": 99,
        "temperature": 0.5,
        "permissions": {"allow": ("ls",), "deny": ("rm",)},
    }
    assert {key: config[key] for key in expected} == expected
    assert coordinator.explain("max_tools").overrode == (
        (str(home / "profiles" / "p.yaml"), 2),
        (str(home / "config.toml"), 1),
        ("default", 128),
    )


def test_an_agent_without_a_folder_or_settings_has_the_persons_sources_only() -> None:
    assert [source.priority() for source in standard_sources(environ={})] == [50, 30, 20, 10]


def test_the_folders_are_the_platforms_without_victor_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert files.config_folder() == files.data_folder()
    monkeypatch.delenv("VICTOR_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert str(files.config_folder()).startswith(str(tmp_path))
    assert files.config_folder().name == "victor"
    assert files.data_folder().name == "victor"
