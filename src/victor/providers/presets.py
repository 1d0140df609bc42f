"""Servers that speak OpenAI's chat completions: address, key variable, and where they differ."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from victor.errors import UnknownNameError
from victor.providers.errors import is_loopback

_OFFICIAL_HOST = re.compile(r"^https://([a-z0-9-]+\.)?api\.openai\.com(/|:|$)")


@dataclass(frozen=True, slots=True)
class Preset:
    """One such server."""

    name: str
    base_url: str | None = None
    """None leaves it to the SDK."""
    key_variable: str = ""
    address_variable: str = ""
    """The environment variable that names another address; empty where there is none."""
    max_tokens_key: str = "max_tokens"
    """What the output limit is called."""
    asks_for_usage: bool = True
    """Whether to ask for the usage of a stream; False where it is refused, and sent unasked."""
    returns_reasoning: str = ""
    """The field that the server wants its own reasoning back in, and refuses a conversation with
    tool calls without; empty where it does not."""
    reasoning_details: bool = False
    """Whether it gives reasoning in signed blocks, and wants those of the same model back."""
    responses: bool = False
    """Whether the server's own protocol, and the one to use, is the Responses API."""
    documents: bool = False
    """Whether a PDF may be sent."""
    prints_calls: bool = False
    """Whether models served there may print a tool call as text, which is then taken for one."""
    nine_letter_ids: bool = False
    """Whether the id of a tool call must be nine letters or digits."""
    effort_with_tools: bool = False
    """Whether newer models take tools only when told not to reason, as on OpenAI's own server."""

    def address(self, environ: Mapping[str, str]) -> str | None:
        """Return the base URL, with the environment's own address for it."""
        given = environ.get(self.address_variable, "") if self.address_variable else ""
        if not given:
            return self.base_url
        if self.name == "ollama":
            return f"{ollama_address(given)}/v1"
        return f"{given.rstrip('/')}/openai/v1" if self.name == "azure" else given

    def needs_key(self, environ: Mapping[str, str]) -> bool:
        """Return whether calls without a key are pointless."""
        return not is_loopback(self.address(environ))


OPENAI = Preset(
    "openai",
    key_variable="OPENAI_API_KEY",
    address_variable="OPENAI_BASE_URL",
    max_tokens_key="max_completion_tokens",
    responses=True,
    documents=True,
    effort_with_tools=True,
)

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        OPENAI,
        Preset(
            "azure",
            key_variable="AZURE_OPENAI_API_KEY",
            address_variable="AZURE_OPENAI_ENDPOINT",
            max_tokens_key="max_completion_tokens",
            effort_with_tools=True,
            documents=True,
        ),
        Preset(
            "ollama",
            "http://127.0.0.1:11434/v1",
            key_variable="OLLAMA_API_KEY",
            address_variable="OLLAMA_HOST",
            prints_calls=True,
        ),
        Preset("vllm", "http://127.0.0.1:8000/v1", key_variable="VLLM_API_KEY", prints_calls=True),
        Preset(
            "llamacpp", "http://127.0.0.1:8080/v1", key_variable="LLAMA_API_KEY", prints_calls=True
        ),
        Preset(
            "lmstudio", "http://127.0.0.1:1234/v1", key_variable="LM_API_TOKEN", prints_calls=True
        ),
        Preset(
            "openrouter",
            "https://openrouter.ai/api/v1",
            key_variable="OPENROUTER_API_KEY",
            reasoning_details=True,
        ),
        Preset(
            "groq",
            "https://api.groq.com/openai/v1",
            key_variable="GROQ_API_KEY",
            max_tokens_key="max_completion_tokens",
        ),
        Preset(
            "deepseek",
            "https://api.deepseek.com",
            key_variable="DEEPSEEK_API_KEY",
            returns_reasoning="reasoning_content",
        ),
        Preset(
            "mistral",
            "https://api.mistral.ai/v1",
            key_variable="MISTRAL_API_KEY",
            asks_for_usage=False,
            nine_letter_ids=True,
        ),
        Preset("xai", "https://api.x.ai/v1", key_variable="XAI_API_KEY"),
        Preset("together", "https://api.together.xyz/v1", key_variable="TOGETHER_API_KEY"),
    )
}


def preset_for(name: str, base_url: str | None = None, *, with_client: bool = False) -> Preset:
    """Return the preset called `name`, as it holds for a server at `base_url`.

    A name without a preset stands for a server of the user's own, which needs a `base_url`, or a
    client that knows it; without one, raises `UnknownNameError`.
    """
    preset = PRESETS.get(name)
    if preset is None and (base_url or with_client):
        return Preset(name, base_url, prints_calls=True)
    if preset is None:
        raise UnknownNameError(
            "OpenAI-compatible server",
            name,
            tuple(PRESETS),
            hint="Or give the base_url of a server of your own.",
        )
    if name == "openai" and base_url and not _OFFICIAL_HOST.match(base_url):
        # Somebody else's server under OpenAI's name knows only what all of them know.
        preset = replace(
            preset,
            max_tokens_key="max_tokens",
            effort_with_tools=False,
            responses=False,
            documents=False,
            prints_calls=True,
        )
    return replace(preset, base_url=base_url, address_variable="") if base_url else preset


def ollama_address(host: str) -> str:
    """Return the URL that `OLLAMA_HOST` stands for: a URL, a host, a port, or host and port."""
    scheme, separator, rest = host.strip().partition("://")
    if not separator:
        scheme, rest = "http", scheme
    rest = rest.rstrip("/")
    name, colon, port = rest.rpartition(":")
    if not colon:
        name, port = rest, "443" if scheme == "https" else "11434"
    # 0.0.0.0 is where the server listens, not where it is reached.
    name = "127.0.0.1" if name in ("", "0.0.0.0") else name  # noqa: S104  # not bound to
    return f"{scheme}://{name}:{port}"
