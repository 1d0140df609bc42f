"""What `victor doctor` looks at. Nothing here asks the network or changes what is yours."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from victor import __version__
from victor.cli.start import Options, configuration
from victor.errors import VictorError

T = TypeVar("T")


class State(StrEnum):
    """What a finding means."""

    OK = "ok"
    NOTE = "note"
    """It works without, with less."""
    BROKEN = "broken"
    """It is needed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def findings(workspace: Path | None) -> tuple[Finding, ...]:
    """Return everything that was looked at, in order of importance."""
    from victor.cli.store_findings import store_findings

    options = Options(workspace)
    config: Mapping[str, Any] = {}
    found = [_victor(), _python()]
    try:
        settings = configuration(options)
        config = settings.get_config()
        found.append(Finding("configuration", State.OK, "every source can be read"))
        found += [Finding("configuration", State.NOTE, text) for text in settings.warnings]
    except VictorError as error:
        found.append(Finding("configuration", State.BROKEN, *_told(error)))
    found += _models(config)
    found += store_findings(config)
    found += _workspace(options)
    found += _programs()
    found += _sandbox(config, options)
    return tuple(found)


def _told(error: VictorError) -> tuple[str, str]:
    """Return the error's message and its hint, apart."""
    text = str(error)
    return (text.removesuffix(error.hint).rstrip(), error.hint) if error.hint else (text, "")


def _victor() -> Finding:
    return Finding("victor", State.OK, f"{__version__} in {Path(__file__).parents[1]}")


def _python() -> Finding:
    # `platform.platform` would start a program, whichever the search path finds first.
    system = f"{platform.system()}-{platform.release()}"
    detail = f"{platform.python_version()} at {sys.executable} on {system}"
    return Finding("python", State.OK, detail)


def _models(config: Mapping[str, Any]) -> Iterator[Finding]:
    keys = tuple(_keys(config))
    yield from keys
    local = _local(config.get("local_model") or os.environ.get("VICTOR_LOCAL_MODEL"))
    yield local
    if not keys and local.state is State.NOTE:
        yield Finding(
            "models",
            State.BROKEN,
            "no key is set and the local model cannot run here",
            "Set ANTHROPIC_API_KEY or OPENAI_API_KEY, or install the local model's runtime: "
            "pip install 'victor-ai[local]'. A running Ollama serves as well.",
        )


def _keys(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield every provider that has a key, saying where from and never what it is."""
    from victor.providers.presets import PRESETS

    variables = {"anthropic": "ANTHROPIC_API_KEY", "google": "GOOGLE_API_KEY"}
    variables |= {name: preset.key_variable for name, preset in PRESETS.items()}
    if config.get("api_key"):
        owner = config.get("provider") or "provider"
        yield Finding(str(owner), State.OK, "key from the setting `api_key`")
    for name, variable in variables.items():
        if variable and os.environ.get(variable):
            yield Finding(name, State.OK, f"key from {variable}")


def _local(named: str | None) -> Finding:
    from victor.providers.weights import chosen_model, models_folder
    from victor.providers.weights_catalog import MODELS, ModelFile

    if find_spec("xllamacpp") is None:
        return Finding(
            "local model",
            State.NOTE,
            "its runtime is not installed",
            "pip install 'victor-ai[local]'",
        )
    models: tuple[ModelFile, ...] = MODELS
    if named:
        try:
            own = chosen_model(named)
        except VictorError as error:
            return Finding("local model", State.NOTE, *_told(error))
        if isinstance(own, Path):
            return Finding("local model", State.OK, f"{own}, as the settings say")
        models = (own,)
    folder = models_folder()
    here = [model.name for model in models if _size(folder / model.file) == model.size]
    if here:
        return Finding("local model", State.OK, f"{', '.join(here)} in {folder}")
    sizes = " or ".join(f"{model.size / 1e9:.1f} GB" for model in models)
    detail = f"runtime installed; the first use downloads {sizes} to {folder}"
    return Finding("local model", State.OK, detail)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _workspace(options: Options) -> Iterator[Finding]:
    from victor.config.trust import PROJECT_FOLDER, Trust, contents

    try:
        folder = options.folder
    except VictorError as error:
        yield Finding("workspace", State.BROKEN, *_told(error))
        return
    writable = os.access(folder, os.W_OK)
    state = State.OK if writable else State.NOTE
    yield Finding("workspace", state, f"{folder}" + ("" if writable else " is not writable"))
    if _attempt(lambda: contents(folder)) != {}:
        trusted = _attempt(lambda: Trust().trusted_contents(folder))
        yield Finding(
            "trust",
            State.OK if trusted else State.NOTE,
            f"{PROJECT_FOLDER} is {'trusted' if trusted else 'not trusted, so it is ignored'}",
            "" if trusted else "`victor trust` shows it and asks.",
        )


def _attempt(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except VictorError:
        return None


def _sandbox(config: Mapping[str, Any], options: Options) -> Iterator[Finding]:
    """Yield the sandbox that holds here, found out by trying, and those that were passed over."""
    import asyncio

    from victor.safety.sandbox import Sandbox, kinds

    choice = config.get("sandbox") or "auto"
    if choice == "none":
        yield Finding(
            "sandbox",
            State.NOTE,
            "none, as the setting sandbox says: a command can do whatever you can do",
            "Leave the setting out to have commands confined.",
        )
        return
    sandbox = Sandbox(kinds(choice, _attempt(lambda: options.folder)))
    found = asyncio.run(sandbox.confinement())
    if found.confines:
        yield Finding("sandbox", State.OK, f"{found.name}: {found.reason}")
        return
    yield Finding(
        "sandbox",
        State.NOTE,
        f"{found.reason}: a command that is allowed can do whatever you can do",
        "Install bubblewrap (bwrap). Until then you are asked before any command runs.",
    )


def _programs() -> Iterator[Finding]:
    wanted = {
        "git": "changes are told less well without it",
        "rg": "searching is slower without ripgrep",
    }
    for program, loss in wanted.items():
        where = shutil.which(program)
        if where:
            yield Finding(program, State.OK, where)
        else:
            yield Finding(program, State.NOTE, f"not found: {loss}")
