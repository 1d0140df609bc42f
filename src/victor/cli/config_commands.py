"""`victor config`: which settings hold, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from victor.cli.options import workspace_option
from victor.cli.start import Options, configuration
from victor.cli.trust_command import trust
from victor.errors import UnknownNameError

if TYPE_CHECKING:
    from victor.agent.coordinators.config_coordinator import Explanation


@click.group()
def config() -> None:
    """Show which settings hold, and where each comes from."""


@config.command()
@click.argument("key", required=False)
@workspace_option
@click.option("--all", "everything", is_flag=True, help="Also list what has its default.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def explain(key: str | None, workspace: Path | None, everything: bool, as_json: bool) -> None:
    """Say what a setting is, and where its value comes from.

    Also what that overrode. Without KEY: every setting that is not at its default. Secrets are
    never shown.
    """
    settings = configuration(Options(workspace))
    names = (key,) if key else tuple(settings.get_config())
    try:
        found = [settings.explain(name) for name in names]
    except UnknownNameError as error:
        error.hint = error.hint or "`victor config explain --all` lists every setting."
        raise
    if not (key or everything):
        found = [one for one in found if one.source != "default"]
    if as_json:
        listed = [_as_json(one) for one in found]
        click.echo(json.dumps(listed[0] if key else listed, indent=2))
        return
    for one in found:
        _show(one)
    if key:
        click.echo(_meaning(key))
    if not found:
        click.echo("Every setting has its default. `victor config explain --all` lists them.")
    for warning in settings.warnings:
        click.echo(warning, err=True)


def _as_json(one: Explanation) -> dict[str, Any]:
    from victor.cli.json_lines import plain

    overrode = [{"source": source, "value": plain(value)} for source, value in one.overrode]
    return {"key": one.key, "value": plain(one.value), "source": one.source, "overrode": overrode}


def _show(one: Explanation) -> None:
    click.echo(f"{one.key} = {_toml(one.value)}")
    click.echo(f"    from {one.source}")
    for source, value in one.overrode:
        click.echo(f"    over {source}: {_toml(value)}")


def _meaning(key: str) -> str:
    """Return what the setting is, as its page says."""
    from victor.config.reference import describe

    text = next(doc.description for doc in describe() if doc.name == key)
    return click.wrap_text(text, initial_indent="    ", subsequent_indent="    ")


def _toml(value: Any) -> str:
    from victor.cli.json_lines import plain
    from victor.visible import visible

    return "not set" if value is None else visible(json.dumps(plain(value), ensure_ascii=False))


@config.command()
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def path(workspace: Path | None, as_json: bool) -> None:
    """Show the files and folders that Victor reads and writes."""
    from victor.config.files import config_folder
    from victor.config.trust import PROJECT_FILE, Trust
    from victor.storage.location import data_folder, sessions_database

    folder = config_folder()
    places = {
        "user settings": folder / "config.toml",
        "profiles": folder / "profiles",
        "project settings": Options(workspace).folder / PROJECT_FILE,
        "trusted projects": Trust().path,
        "data": data_folder(),
        "sessions": sessions_database(),
    }
    if as_json:
        click.echo(json.dumps({name: str(place) for name, place in places.items()}, indent=2))
        return
    width = max(map(len, places))
    for name, place in places.items():
        mark = "" if place.exists() else "  (not there)"
        click.echo(f"{name:<{width}}  {place}{mark}")


config.add_command(trust)
