"""Which provider and model serve: what was asked for, else the keys, else a server, else local."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from victor.config.keyring import ask_keyring
from victor.errors import ConfigError, ProviderUnavailable, UnknownNameError
from victor.protocols import IProvider
from victor.providers.catalog import default_model
from victor.providers.exchange import PATIENCE, Patience
from victor.providers.keys import key_variables
from victor.providers.presets import PRESETS, ollama_address, preset_for

if TYPE_CHECKING:
    from http.client import HTTPConnection

LOCAL = "local"
PROVIDER_NAMES: tuple[str, ...] = ("anthropic", "google", *PRESETS, LOCAL)
"""Every provider that there is without a plugin; `provider_names` adds those of plugins."""

_PROBE_SECONDS = 0.5
_LISTS_MODELS = frozenset({"ollama", "vllm", "llamacpp", "lmstudio"})
"""Servers of the user's own: what they serve is asked of them."""
_KEYS = (
    ("anthropic", "ANTHROPIC_API_KEY"),
    ("openai", "OPENAI_API_KEY"),
    ("google", "GOOGLE_API_KEY"),
    ("google", "GEMINI_API_KEY"),
)
"""The vendors that a key alone chooses, and where it is looked for."""
_NO_CHAT = ("embed", "bge-", "minilm", "rerank", "whisper")
_GOOD_WITH_TOOLS = ("coder", "devstral", "gpt-oss", "qwen3", "qwen", "llama3", "llama-3", "mistral")

Prober: TypeAlias = Callable[[str], tuple[str, ...] | None]
"""Asks the URL for its models: their names, or None where nothing answers."""


class ModelAddress(NamedTuple):
    """A provider's name and a model's."""

    provider: str
    model: str
    """Empty where none was named."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What serves, and why."""

    provider: str
    model: str
    """For `local` it may be empty: then the one that fits this machine."""
    reason: str
    """For a person, such as `ANTHROPIC_API_KEY is set`."""
    base_url: str | None = None
    """Address of the server, where it is not the provider's own."""


def provider_names() -> tuple[str, ...]:
    """Return the names of every provider that there is, those of plugins last; imports none."""
    return (*PROVIDER_NAMES, *plugged_providers())


def plugged_providers() -> dict[str, str]:
    """Return the packages that bring a provider, each by the provider's name; imports none.

    A plugin by a name of Victor's own is left out, since it never serves.
    """
    from victor.plugins import Group, installed

    plugins = installed().find(Group.PROVIDERS)
    return {one.name: one.source for one in plugins if one.name not in PROVIDER_NAMES}


def parse_endpoint(text: str, known: tuple[str, ...] | None = None) -> ModelAddress:
    """Return what `provider:model`, or `provider` alone, names.

    The model may hold colons itself: `ollama:qwen3:8b`. Without `known`, every provider is.
    Raises `UnknownNameError`.
    """
    provider, _, model = text.strip().partition(":")
    if not _is_known(provider, known):
        raise UnknownNameError("provider", provider, known or provider_names())
    return ModelAddress(provider, model.strip())


def choose_provider(
    config: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    probe: Prober | None = None,
    known: tuple[str, ...] | None = None,
) -> Choice:
    """Return the provider and model that serve.

    In this order: `provider` (or `provider:model`) and `model` of the settings; a `base_url`; a
    key in the environment, Anthropic's before OpenAI's before Google's; a running Ollama; the
    embedded model.
    Raises `UnknownNameError` for a provider that is not in `known` (every one), `ConfigError`
    where no model can be told, and `ProviderUnavailable` where a server that was asked for does
    not answer.
    """
    ask = probe or ask_for_models
    address = _asked_for(config, known)
    base_url = config.get("base_url") or None
    if address.provider:
        return _explicit(address, base_url, environ, ask)
    if base_url:
        address = ModelAddress(_vendor_of(address.model) or "openai", address.model)
        return _explicit(address, base_url, environ, ask, reason=f"base_url is {base_url}")
    return _by_keys(address.model, config, environ) or _by_servers(address.model, environ, ask)


def create_provider(
    name: str,
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    model: str | None = None,
    patience: Patience = PATIENCE,
    streaming: bool = True,
    small_model: str = "auto",
    num_ctx: int | None = None,
) -> IProvider:
    """Return the provider called `name`, without touching the network.

    `model` matters to `local` alone, which loads it. A plugin's provider is made by its entry
    point, which must take `base_url` where one is given, and sees to its own key. A name that is
    not known stands for an OpenAI-compatible server, and then needs `base_url`. With
    `small_model="on"` the model of such a server is held to valid tool calls by a grammar, as the
    embedded one always is; `auto` and `off` leave it free. `num_ctx` is the context
    that Ollama is asked for. The key is `api_key`, else the provider's variable, else the
    keyring's.
    Raises `UnknownNameError`, or `ConfigError` for a plugin that is broken.
    """
    if name == LOCAL:
        from victor.providers.local import LocalProvider

        return LocalProvider(model=model or None)
    if name not in PROVIDER_NAMES and (plugged := _plugged(name, base_url)) is not None:
        return plugged
    if not api_key and not base_url:
        api_key = _kept_key(name)
    if name == "anthropic":
        from victor.providers.anthropic import AnthropicProvider

        return AnthropicProvider(api_key, base_url=base_url, patience=patience, streaming=streaming)
    if name == "google":
        from victor.providers.google import GoogleProvider

        return GoogleProvider(api_key, base_url=base_url, patience=patience)
    if name not in PROVIDER_NAMES and not base_url:
        raise UnknownNameError("provider", name, provider_names())
    if name == "ollama" and small_model != "on":
        from victor.providers.ollama import OllamaProvider

        return OllamaProvider(
            api_key, base_url=base_url, num_ctx=num_ctx, patience=patience, streaming=streaming
        )
    from victor.providers.openai import OpenAIProvider

    provider = OpenAIProvider(
        api_key, base_url=base_url, name=name, patience=patience, streaming=streaming
    )
    if small_model != "on":
        return provider
    from victor.providers.small_model import SmallModel

    return SmallModel(provider, name=name)


def _plugged(name: str, base_url: str | None) -> IProvider | None:
    """Return the provider that a plugin brings; None where none has this name.

    Raises `ConfigError` where it is broken, or takes no `base_url` and is given one.
    """
    from victor.plugins import Group, installed

    factory = installed().factories(Group.PROVIDERS).get(name)
    if factory is None:
        return None
    provider = factory(base_url=base_url) if base_url else factory()
    if not isinstance(provider, IProvider):
        raise ConfigError(
            f"The plugin {name!r} gave {type(provider).__name__}, which is no provider.",
            hint="Mend or remove that package, or choose another name.",
        )
    return provider


def ask_for_models(url: str) -> tuple[str, ...] | None:
    """Return the names of the models that the server lists at `url`; None if it does not answer.

    Understands Ollama's list (`/api/tags`) and OpenAI's (`/v1/models`). Waits half a second.
    """
    from http.client import HTTPException
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    connection = _connect(parts.scheme, parts.netloc)
    try:
        connection.request("GET", parts.path, headers={"accept": "application/json"})
        response = connection.getresponse()
        body = json.loads(response.read()) if response.status == 200 else None
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return _names(body)


def _connect(scheme: str, netloc: str) -> HTTPConnection:
    from http.client import HTTPConnection, HTTPSConnection

    kind = HTTPSConnection if scheme == "https" else HTTPConnection
    return kind(netloc, timeout=_PROBE_SECONDS)


def _names(body: object) -> tuple[str, ...] | None:
    if not isinstance(body, dict):
        return None
    listed = body.get("models") or body.get("data") or []
    if not isinstance(listed, list):
        return None
    entries = [entry for entry in listed if isinstance(entry, dict)]
    return tuple(str(name) for entry in entries if (name := entry.get("name") or entry.get("id")))


def _is_known(provider: str, known: tuple[str, ...] | None) -> bool:
    if known is not None:
        return provider in known
    # Plugins are only looked for where the name is none of Victor's own.
    return provider in PROVIDER_NAMES or provider in provider_names()


def _asked_for(config: Mapping[str, Any], known: tuple[str, ...] | None) -> ModelAddress:
    """Return what the settings name; either part may be empty."""
    model = str(config.get("model") or "")
    if provider := config.get("provider"):
        address = parse_endpoint(str(provider), known)
        return address._replace(model=model or address.model)
    prefix, separator, _ = model.partition(":")
    if separator and _is_known(prefix, known):
        return parse_endpoint(model, known)
    return ModelAddress("", model)


def _explicit(
    address: ModelAddress,
    base_url: str | None,
    environ: Mapping[str, str],
    ask: Prober,
    reason: str = "the settings say so",
) -> Choice:
    provider, model = address
    own_server = provider in _LISTS_MODELS or (base_url and provider in PRESETS)
    if not model and own_server:
        url = preset_for(provider, base_url).address(environ) or ""
        model = _first_model(ask, url, provider)
    model = model or default_model(provider)
    if not model and provider != LOCAL:
        raise ConfigError(
            f"There is no default model for the provider {provider!r}.",
            hint=f"Name one: the setting `model`, or `{provider}:MODEL` as the provider.",
        )
    return Choice(provider, model, reason, base_url)


def _by_keys(model: str, config: Mapping[str, Any], environ: Mapping[str, str]) -> Choice | None:
    """Return the vendor whose key there is and whose the model, if named, can be."""
    vendor = _vendor_of(model)
    for provider, variable in _KEYS:
        if model and vendor != provider:
            continue
        if environ.get(variable):
            return Choice(provider, model or default_model(provider), f"{variable} is set")
    if config.get("api_key"):
        provider = vendor or _vendor_of_key(config["api_key"])
        return Choice(provider, model or default_model(provider), "the setting api_key is set")
    for provider, _ in _KEYS:
        if (vendor == provider if model else True) and ask_keyring(provider):
            return Choice(provider, model or default_model(provider), "its key is in the keyring")
    if vendor:
        # The name leaves no doubt; the missing key is told at the first call, with its remedy.
        return Choice(vendor, model, f"the model {model} is {vendor}'s")
    return None


def _kept_key(provider: str) -> str | None:
    """Return the keyring's key; None where a variable holds one, which the provider reads."""
    if any(os.environ.get(variable) for variable in key_variables(provider)):
        return None
    return ask_keyring(provider)


def _vendor_of(model: str) -> str:
    """Return the vendor whose models are called so; empty where several serve them."""
    if model.startswith("claude-"):
        return "anthropic"
    if model.startswith("gemini-"):
        return "google"
    owned = ("gpt-", "o1", "o3", "o4")
    return "openai" if model.startswith(owned) and not model.startswith("gpt-oss") else ""


def _vendor_of_key(key: object) -> str:
    reveal = getattr(key, "get_secret_value", None)
    text = str(reveal() if callable(reveal) else key)
    if text.startswith("AIza"):
        return "google"
    return "anthropic" if text.startswith("sk-ant-") else "openai"


def _by_servers(model: str, environ: Mapping[str, str], ask: Prober) -> Choice:
    host = environ.get("OLLAMA_HOST") or "http://127.0.0.1:11434"
    address = ollama_address(host)
    base_url = f"{address}/v1" if environ.get("OLLAMA_HOST") else None
    served = ask(f"{address}/api/tags")
    if model:
        if served and (found := _same_model(model, served)):
            return Choice("ollama", found, f"Ollama at {address} has {found}", base_url)
        return Choice(LOCAL, model, f"no key is set, and no Ollama at {address} has {model}")
    usable = _best(served or ())
    if usable:
        return Choice("ollama", usable, f"no key is set, and Ollama runs at {address}", base_url)
    missing = "runs" if served is None else "has a model"
    return Choice(LOCAL, "", f"no key is set, and no Ollama {missing} at {address}")


def _same_model(model: str, served: tuple[str, ...]) -> str:
    """Return the served model that `model` names, with its tag or without."""
    return next((name for name in served if name in (model, f"{model}:latest")), "")


def _best(served: tuple[str, ...]) -> str:
    """Return the model of a server that is likeliest to call tools well; empty if none can chat."""
    able = [name for name in served if not any(word in name.lower() for word in _NO_CHAT)]
    for word in _GOOD_WITH_TOOLS:
        for name in able:
            if word in name.lower():
                return name
    return able[0] if able else ""


def _first_model(ask: Prober, base_url: str, provider: str) -> str:
    """Return the best model that the server at `base_url` lists. Raises `ProviderUnavailable`."""
    url = base_url.rstrip("/")
    served = ask(f"{url}/models")
    if served is None:
        start = " with `ollama serve`" if provider == "ollama" else ""
        raise ProviderUnavailable(
            f"Nothing lists its models at {url}/models.",
            provider=provider,
            hint=f"Start the server{start}, check base_url, or name the model.",
        )
    model = _best(served)
    if not model:
        pull = "`ollama pull qwen3:8b` gets one." if provider == "ollama" else "Load one first."
        raise ConfigError(f"The server at {url} has no model to talk to.", hint=pull)
    return model
