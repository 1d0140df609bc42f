from __future__ import annotations

import re
import tomllib
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from pydantic import SecretStr

from victor.agent.coordinators.safety_coordinator import SafetyCoordinator
from victor.config.reference import describe, render
from victor.config.settings import TABLES, Settings, as_mapping, names, nearest, validate
from victor.errors import ConfigError

GUIDE: dict[str, Any] = {
    "context_compaction_strategy": "semantic",
    "context_compaction_threshold": 0.8,
    "enable_task_hints": True,
    "system_prompt_template": "default",
    "max_tool_iterations": 5,
    "tool_calling_timeout": 30,
    "enable_analytics": True,
    "analytics_export_interval": 60,
    "enable_metrics": False,
}


def test_every_setting_of_the_guide_exists() -> None:
    settings = Settings(**GUIDE)
    assert {name: getattr(settings, name) for name in GUIDE} == GUIDE
    assert settings.model_fields_set == set(GUIDE)


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"no setting 'modle'\. Did you mean 'model'\?") as caught:
        Settings(modle="x")
    assert "docs/settings.md" in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_name_like_nothing_gets_no_suggestion() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings(zzz=1)
    assert "Did you mean" not in str(caught.value)
    assert nearest("zzz") == ""


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("context_compaction_threshold", 1.5, "is 1.5, but should be less than or equal to 1"),
        ("context_compaction_threshold", 0, "is 0, but should be greater than 0"),
        ("max_tool_iterations", 0, "is 0, but should be greater than or equal to 1"),
        ("mode", "edit", "is 'edit', but should be 'build', 'plan' or 'explore'"),
        ("mode", 7, "is 7, but should be 'build', 'plan' or 'explore'"),
        ("base_url", "localhost", "should start with http:// or https://"),
        ("fallbacks", ["gpt 5"], "should be written as provider:model"),
        ("enable_metrics", "perhaps", "should be a valid boolean"),
        ("permissions", {"alow": []}, "no setting 'permissions.alow'"),
        ("instructions", ["x" * 500], "should be a valid string"),
    ],
)
def test_a_value_that_does_not_fit_says_what_would(field: str, value: Any, expected: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(expected)) as caught:
        Settings(**{field: value})
    assert field in str(caught.value)
    assert len(str(caught.value)) < 250


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError, match="2 settings are wrong") as caught:
        validate({"max_tools": 0, "colour": 1}, {"max_tools": "a.toml", "colour": "b.toml"})
    assert "  a.toml: max_tools is 0" in str(caught.value)
    assert "  b.toml: there is no setting 'colour'" in str(caught.value)


def test_a_value_without_an_origin_is_still_named() -> None:
    with pytest.raises(ConfigError, match="settings: max_tools is 0"):
        validate({"max_tools": 0})


@pytest.mark.parametrize("value", [SecretStr("sk-secret"), "sk-secret"])
def test_the_key_is_never_shown(value: Any) -> None:
    settings = Settings(api_key=value)
    shown = f"{settings!r} {settings} {settings.model_dump_json()} {as_mapping(settings)}"
    assert "sk-secret" not in shown
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == "sk-secret"


def test_a_wrong_key_type_does_not_show_the_key() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings(api_key=["sk-secret"])  # type: ignore[arg-type]  # that is the point
    assert "sk-secret" not in str(caught.value)


def test_settings_cannot_be_changed_only_made_anew() -> None:
    settings = Settings(model="a", max_tools=3)
    with pytest.raises(ConfigError, match=r"settings\.changed\(model="):
        settings.model = "b"  # type: ignore[misc]  # that is the point
    other = settings.changed(model="b")
    assert (settings.model, other.model, other.max_tools) == ("a", "b", 3)
    assert other.model_fields_set == {"model", "max_tools"}
    with pytest.raises(ConfigError):
        settings.changed(max_tools=0)


def test_a_mode_may_be_written_in_capitals() -> None:
    assert validate({"mode": "PLAN"})["mode"] == "plan"


def test_validation_gives_every_setting_read_only() -> None:
    config = validate({"permissions": {"allow": ["read"]}})
    assert tuple(config) == names()
    assert isinstance(config, MappingProxyType)
    assert config["permissions"] == {"allow": ("read",)}
    assert isinstance(config["permissions"], MappingProxyType)


def test_what_was_validated_can_be_validated_again() -> None:
    config = validate({"permissions": {"allow": ["read"]}, "api_key": "k"})
    assert validate(config) == config


def test_pydantic_may_validate_it_too() -> None:
    assert Settings.model_validate({"model": "a"}).model == "a"
    with pytest.raises(ConfigError):
        Settings.model_validate({"model": 7})


def test_every_setting_is_documented_with_type_default_and_variable() -> None:
    docs = {doc.name: doc for doc in describe()}
    assert tuple(docs) == names()
    assert all(len(doc.description) > 20 for doc in docs.values())
    assert docs["mode"].kind == '"build" or "plan" or "explore"'
    assert docs["mode"].default == '"build"'
    assert docs["permissions"].kind == "table"
    assert docs["enable_metrics"].default == "true"
    assert docs["max_tools"].default == "128"
    assert docs["model"].default == ""
    assert docs["model"].variable == "VICTOR_MODEL"


def test_the_page_of_settings_has_them_all_and_the_sources() -> None:
    page = render()
    assert all(f"## `{name}`" in page for name in names())
    assert "| Environment variables `VICTOR_*` | 50 |" in page


def test_the_page_of_settings_in_the_docs_is_up_to_date() -> None:
    page = Path(__file__).parents[3] / "docs" / "settings.md"
    assert page.read_text("utf-8") == render(), "run `make docs`"


def test_the_example_on_the_page_of_settings_is_valid() -> None:
    example = render().split("```toml")[1].split("```")[0]
    config = validate(tomllib.loads(example))
    SafetyCoordinator().configure(config)
    assert config["permissions"]["deny"] == ("shell(git push *)",)


def test_the_tables_are_the_settings_that_hold_mappings() -> None:
    settings = Settings()
    assert {name for name in names() if isinstance(getattr(settings, name), dict)} == TABLES
