"""`victor models`: who can serve, and which models are known."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from victor.protocols import ModelInfo


@dataclass(frozen=True, slots=True)
class Row:
    """One provider, or one model of it."""

    provider: str
    model: str
    ready: bool
    """Whether it can serve as things are, as far as can be told without the network."""
    detail: str
    context_window: int | None = None
    """Tokens."""
    max_output: int | None = None
    """Tokens."""
    input_price: float | None = None
    """USD for a million tokens; None where unknown."""
    output_price: float | None = None
    abilities: tuple[str, ...] = ()

    def fits(self, words: tuple[str, ...]) -> bool:
        """Return whether every word is part of its provider, name or abilities."""
        text = " ".join((self.provider, self.model, *self.abilities)).lower()
        return all(word.lower() in text for word in words)


@click.command()
@click.option(
    "--filter",
    "words",
    metavar="TEXT",
    multiple=True,
    help="Only those with TEXT in provider, name or abilities; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def models(words: tuple[str, ...], as_json: bool) -> None:
    """List the providers and known models, and which can serve here.

    Any other model of a vendor works as well: name it with --model. Nothing is asked of the
    network, so a key that is set counts as good.

    \b
      victor models --filter openai --filter thinking
      victor chat --provider openai --model gpt-5
      victor chat --provider ollama --model qwen3-coder
      victor chat --provider local --model qwen2.5-coder-0.5b
    """
    rows = tuple(row for row in _rows() if row.fits(words))
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    if not rows:
        click.echo("No known model fits. `victor models` lists all.", err=True)
        return
    provider = max(len(row.provider) for row in rows)
    model = max(len(row.model) for row in rows)
    for row in rows:
        mark = "*" if row.ready else " "
        click.echo(
            f"{mark} {row.provider:<{provider}}  {row.model:<{model}}  {row.detail}".rstrip()
        )
    click.echo("\n* can serve here")


def _rows() -> Iterator[Row]:
    from victor.providers.presets import PRESETS

    yield from _keyed("anthropic", needs_key=True)
    yield from _keyed("google", needs_key=True)
    for name, preset in PRESETS.items():
        yield from _keyed(name, needs_key=preset.needs_key(os.environ))
    yield from _local()
    yield from _plugged()


def _plugged() -> Iterator[Row]:
    from victor.providers.choose import plugged_providers

    for name, source in plugged_providers().items():
        yield Row(name, "", ready=True, detail=f"from the package {source}; it sees to its key")


def _keyed(name: str, *, needs_key: bool) -> Iterator[Row]:
    from victor.providers.catalog import known_models, model_info
    from victor.providers.keys import find_key, key_variables

    if not needs_key:
        yield Row(name, "", ready=False, detail="a server on this machine, if one runs")
        return
    key = find_key(name, os.environ)
    detail = f"key from {key.source}" if key else f"set {' or '.join(key_variables(name))}"
    known = known_models(name)
    if not known:
        yield Row(name, "", ready=key is not None, detail=detail)
    for listed in known:
        info = model_info(name, listed.name)
        abilities = tuple(sorted(info.abilities))
        yield Row(
            name,
            info.name,
            key is not None,
            f"{_figures(info)}{', '.join(abilities)}; {detail}",
            info.context_window,
            info.max_output,
            info.input_price,
            info.output_price,
            abilities,
        )


def _figures(info: ModelInfo) -> str:
    window = f"{info.context_window // 1000:,}k tokens, "
    if info.input_price is None or info.output_price is None:
        return window
    return f"{window}{info.input_price:g}/{info.output_price:g} USD a million, "


def _local() -> Iterator[Row]:
    from importlib.util import find_spec

    from victor.providers.weights import models_folder
    from victor.providers.weights_catalog import MODELS

    runtime = find_spec("xllamacpp") is not None
    for model in MODELS:
        path = models_folder() / model.file
        here = path.exists() and path.stat().st_size == model.size
        if not runtime:
            detail = "needs pip install 'victor-ai[local]'"
        else:
            detail = "downloaded" if here else f"{model.size / 1e9:.1f} GB to download"
        yield Row("local", model.name, ready=runtime, detail=f"{detail}; {model.expectation}")
