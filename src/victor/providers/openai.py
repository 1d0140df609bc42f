"""OpenAI's chat completions, through the vendor's SDK, and every server that imitates them."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from victor.events import ReplyDelta, TextDelta
from victor.messages import JsonObject, Request, StopReason
from victor.protocols import ModelInfo
from victor.providers.catalog import model_info
from victor.providers.connection import ClientPerLoop
from victor.providers.errors import CallSite, cut_off, missing_key, translate
from victor.providers.openai_wire import ChunkReader, encode_completion, encode_request
from victor.providers.presets import preset_for

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from victor.providers.small_model import CompletionPiece

_NO_KEY = "none-needed"


class OpenAIProvider:
    """OpenAI's models, or those of a server that speaks chat completions. Fits `IProvider`.

    `name` chooses a preset (`openai`, `ollama`, `vllm`, `groq`, ...: address, key variable and what
    the server cannot do); another name needs a `base_url`. The key is `api_key` or the preset's
    variable, looked for at the first call; a server on this machine needs none. The SDK is imported
    at the first call. A `client` of the SDK's own (`AsyncOpenAI`, Azure) is used as it is and left
    open. `timeout` is in seconds and counts silence, not length; `max_retries` calls are made again
    by the SDK before anything was received.

    OpenAI's newer models take tools in chat completions only when told not to reason, which they
    are then; and some of them not even so. `Request.temperature` is not sent to models that refuse
    one. `complete` is the port that `SmallModel` wraps.

    Raises `UnknownNameError` for a name without preset and `base_url`.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        client: AsyncOpenAI | None = None,
        name: str = "openai",
        timeout: float = 600.0,
        max_retries: int = 2,
    ) -> None:
        given = base_url or (os.environ.get("OPENAI_BASE_URL") if name == "openai" else None)
        self._preset = preset_for(name, given, with_client=client is not None)
        self._api_key = api_key
        self._client = client
        self._timeout = timeout
        self._max_retries = max_retries
        self._clients = ClientPerLoop(self._make_client)

    def __repr__(self) -> str:
        return f"OpenAIProvider(name={self.name!r}, base_url={self._preset.base_url!r})"

    @property
    def name(self) -> str:
        """The preset's name."""
        return self._preset.name

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        """Make one model call. Raises `ProviderError`."""
        taken = {call.id for message in request.messages for call in message.tool_calls}
        client = self._client or await self._clients.get()
        site = self._site(client, request.model)
        reader = ChunkReader(site, frozenset(taken))
        body = encode_request(request, self._preset)
        async with aclosing(_chunks(client, body, site)) as chunks:
            async for chunk in chunks:
                for delta in reader.read(chunk):
                    yield delta
        if not reader.finished:
            raise cut_off(site)
        yield reader.result()

    async def complete(
        self,
        *,
        model: str,
        messages: list[dict[str, str]],
        schema: JsonObject | None,
        max_tokens: int,
        temperature: float,
        stop: tuple[str, ...],
    ) -> AsyncGenerator[CompletionPiece, None]:
        """Generate text, held to `schema` if there is one. Raises `ProviderError`.

        Yields pieces of the text, then one `Completed`.
        """
        from victor.providers.small_model import Completed

        client = self._client or await self._clients.get()
        site = self._site(client, model)
        reader = ChunkReader(site)
        body = encode_completion(
            self._preset,
            model=model,
            messages=messages,
            schema=schema,
            max_tokens=max_tokens,
            temperature=temperature,
            stop=stop,
        )
        async with aclosing(_chunks(client, body, site)) as chunks:
            async for chunk in chunks:
                for delta in reader.read(chunk):
                    if isinstance(delta, TextDelta):
                        yield delta.content
        if not reader.finished:
            raise cut_off(site)
        end = reader.result()
        yield Completed(end.usage, cut=end.stop_reason is StopReason.MAX_TOKENS)

    def model_info(self, model: str) -> ModelInfo:
        """Return what is known of `model`, without the network."""
        return model_info(self.name, model)

    async def aclose(self) -> None:
        """Close the running loop's connections. Safe to call twice."""
        await self._clients.aclose()

    def _make_client(self) -> AsyncOpenAI:
        preset = self._preset
        key = self._api_key or os.environ.get(preset.key_variable or "")
        if not key and not preset.needs_key(os.environ):
            key = _NO_KEY
        if not key:
            raise missing_key(preset.name, preset.key_variable)
        import openai

        return openai.AsyncOpenAI(
            api_key=key,
            base_url=preset.address(os.environ),
            timeout=self._timeout,
            max_retries=self._max_retries,
        )

    def _site(self, client: AsyncOpenAI, model: str) -> CallSite:
        return CallSite(
            provider=self.name,
            model=model,
            address=str(client.base_url).rstrip("/"),
            key_variable=self._preset.key_variable,
            secret=client.api_key or "",
        )


async def _chunks(
    client: AsyncOpenAI, body: dict[str, Any], site: CallSite
) -> AsyncGenerator[object, None]:
    """Yield the chunks of one streamed call as plain JSON. Raises `ProviderError`.

    The SDK's own models would cost more than all else per chunk, and know no vendor's extras.
    """
    import httpx2
    import openai

    stream: openai.AsyncStream[object] | None = None
    try:
        stream = await client.post(
            "/chat/completions",
            body=body,
            cast_to=object,
            stream=True,
            stream_cls=openai.AsyncStream[object],
        )
        async for chunk in stream:
            yield chunk
    except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
        raise translate(error, site) from None
    finally:
        if stream is not None:
            await stream.close()
