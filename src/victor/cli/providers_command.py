"""`victor providers`: who is set up, where the key comes from, and who answers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from victor.cli.options import workspace_option
from victor.cli.start import Options, configuration

if TYPE_CHECKING:
    from pathlib import Path

    from victor.providers.keys import Key


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """One provider, as it is set up here."""

    provider: str
    configured: bool
    """Whether it has a key, or needs none."""
    key: str
    """Where its key comes from; empty without one. Never the key."""
    detail: str
    reachable: bool | None = None
    """None where nothing was asked."""
    healthy: bool | None = None


@click.command()
@click.option("--check", is_flag=True, help="Ask each configured one whether it answers.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@workspace_option
def providers(check: bool, as_json: bool, workspace: Path | None) -> None:
    """List the providers, where keys come from, and who answers.

    Keys are looked for in the settings, in the environment, and in the system's keyring (with
    pip install 'victor-ai[keyring]', and then: keyring set victor openai). None is ever shown.
    Without --check nothing is sent.
    """
    config = configuration(Options(workspace)).get_config()
    rows = tuple(_checked(config) if check else (row for row, _ in _rows(config)))
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    width = max(len(row.provider) for row in rows)
    for row in rows:
        click.echo(f"{_mark(row)} {row.provider:<{width}}  {row.detail}")
    click.echo("\n* answers" if check else "\n* configured; --check asks whether they answer")


def _mark(row: ProviderRow) -> str:
    good = row.configured if row.healthy is None else row.healthy
    return "*" if good else " "


def _rows(config: Mapping[str, Any]) -> Iterator[tuple[ProviderRow, Key | None]]:
    from victor.providers.choose import plugged_providers
    from victor.providers.keys import find_key, key_variables
    from victor.providers.presets import PRESETS

    for name in ("anthropic", "google", *PRESETS):
        own = config.get("api_key") if config.get("provider") == name else None
        key = find_key(name, os.environ, setting=own)
        if key is not None:
            yield ProviderRow(name, True, key.source, f"key from {key.source}"), key
        elif name in PRESETS and not PRESETS[name].needs_key(os.environ):
            yield ProviderRow(name, True, "", "a server on this machine; no key is needed"), None
        else:
            wanted = " or ".join(key_variables(name))
            yield ProviderRow(name, False, "", f"no key: set {wanted}"), None
    yield _local(), None
    for name, source in plugged_providers().items():
        detail = f"from the package {source}; it sees to its key"
        yield ProviderRow(name, True, "", detail), None


def _local() -> ProviderRow:
    from importlib.util import find_spec

    if find_spec("xllamacpp") is None:
        return ProviderRow("local", False, "", "needs pip install 'victor-ai[local]'")
    return ProviderRow("local", True, "", "runs in this process; no key is needed")


def _checked(config: Mapping[str, Any]) -> Iterator[ProviderRow]:
    """Yield each row in order, with what became of asking; all are asked at once."""
    from concurrent.futures import ThreadPoolExecutor

    from victor.providers.choose import LOCAL, plugged_providers
    from victor.providers.reach import reach

    # Neither the embedded model nor a plugin's provider has an address that is known here.
    unasked = {LOCAL, *plugged_providers()}

    def ask(row: ProviderRow, key: Key | None) -> ProviderRow:
        if not row.configured or row.provider in unasked:
            return row
        found = reach(row.provider, key)
        detail = f"{row.detail}; {found.detail}"
        return replace(row, reachable=found.answers, healthy=found.healthy, detail=detail)

    with ThreadPoolExecutor(max_workers=16) as threads:
        yield from threads.map(lambda pair: ask(*pair), tuple(_rows(config)))
