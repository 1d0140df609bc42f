"""OpenAI's two protocols through the vendor's SDK, and every server that imitates the older one."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from victor.endpoints import RECORDS
from victor.events import ReplyDelta, TextDelta
from victor.messages import JsonObject, Request, StopReason
from victor.protocols import ModelInfo, TextCounter
from victor.providers.catalog import model_info
from victor.providers.connection import ClientPerLoop
from victor.providers.errors import CallSite, missing_key
from victor.providers.exchange import PATIENCE, Exchange, Patience
from victor.providers.openai_wire import ChunkReader, encode_completion, encode_request
from victor.providers.presets import preset_for
from victor.providers.vocabulary import text_counter

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from victor.providers.openai_responses import ResponseReader
    from victor.providers.small_model import CompletionPiece

Reader: TypeAlias = "ChunkReader | ResponseReader"
Protocol: TypeAlias = Literal["auto", "responses", "chat"]
"""Which of the vendor's protocols is spoken; `auto` is the one that suits the server."""

_CHAT = "/chat/completions"
_TAIL_SECONDS = 5.0
"""How long the usage is awaited, which comes after the reply."""
_NO_KEY = "none-needed"


class OpenAIProvider:
    """OpenAI's models, or those of a server that speaks as OpenAI does. Fits `IProvider`.

    `name` chooses a preset (`openai`, `ollama`, `vllm`, `groq`, ...: address, key variable and what
    the server cannot do); another name needs a `base_url`. The key is `api_key` or the preset's
    variable, looked for at the first call; a server on this machine needs none. The SDK is imported
    at the first call. A `client` of the SDK's own (`AsyncOpenAI`, Azure) is used as it is and left
    open; then it is that client which limits the time for a connection. `streaming=False` is for
    servers that cannot stream.

    A failed call is not made again here: whoever calls decides that, by `RetryPolicy`.

    OpenAI's own server is spoken to by the Responses API, where every model takes tools and reasons
    on from step to step; every other server by chat completions. `api` says otherwise: in chat
    completions OpenAI's newer models take tools only when told not to reason, which they are then,
    and some of them not even so. `Request.temperature` is not sent to models that refuse one.
    `complete` is the port that `SmallModel` wraps.

    Raises `UnknownNameError` for a name without preset and `base_url`.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        client: AsyncOpenAI | None = None,
        name: str = "openai",
        api: Protocol = "auto",
        patience: Patience = PATIENCE,
        streaming: bool = True,
    ) -> None:
        given = base_url or (os.environ.get("OPENAI_BASE_URL") if name == "openai" else None)
        self._preset = preset_for(name, given, with_client=client is not None)
        self._responses = self._preset.responses if api == "auto" else api == "responses"
        self._api_key = api_key
        self._client = client
        self._patience = patience
        self._streaming = streaming
        self._clients = ClientPerLoop(self._make_client)

    def __repr__(self) -> str:
        return f"OpenAIProvider(name={self.name!r}, base_url={self._preset.base_url!r})"

    @property
    def name(self) -> str:
        """The preset's name."""
        return self._preset.name

    def text_counter(self, model: str) -> TextCounter | None:
        """Return what counts by the vocabulary of an OpenAI model, where that is installed."""
        return text_counter(model)

    @property
    def address(self) -> str:
        """Where the calls go."""
        if self._client is not None:
            return str(self._client.base_url)
        return self._preset.address(os.environ) or "https://api.openai.com/v1"

    @property
    def account(self) -> int:
        """Tells calls by one key from those by another; of use in this process alone."""
        key = self._client.api_key if self._client else self._api_key
        return hash(key or os.environ.get(self._preset.key_variable or ""))

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        """Make one model call. Raises `ProviderError`."""
        client = self._client or await self._clients.get()
        site = self._site(client, request.model)
        path, body, reader = self._exchange(request, site)
        async with aclosing(self._deltas(client, path, body, reader, site)) as deltas:
            async for delta in deltas:
                yield delta
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
        async with aclosing(self._deltas(client, _CHAT, body, reader, site)) as deltas:
            async for delta in deltas:
                if isinstance(delta, TextDelta):
                    yield delta.content
        end = reader.result()
        yield Completed(end.usage, cut=end.stop_reason is StopReason.MAX_TOKENS)

    def model_info(self, model: str) -> ModelInfo:
        """Return what is known of `model`, without the network."""
        return model_info(self.name, model)

    async def aclose(self) -> None:
        """Close the running loop's connections. Safe to call twice."""
        await self._clients.aclose()

    def _exchange(self, request: Request, site: CallSite) -> tuple[str, dict[str, Any], Reader]:
        """Return where the call goes, its body, and what reads the answer."""
        if self._responses:
            from victor.providers import openai_responses as wire

            body = wire.encode_response_request(request, self.name)
            return wire.PATH, body, wire.ResponseReader(site)
        taken = {call.id for message in request.messages for call in message.tool_calls}
        printed = frozenset(tool.name for tool in request.tools)
        if not self._preset.prints_calls or request.output_schema is not None:
            # JSON in an answer that has to be JSON is the answer.
            printed = frozenset()
        reader = ChunkReader(
            site,
            frozenset(taken),
            printed,
            reasoning_details=self._preset.reasoning_details,
        )
        return _CHAT, encode_request(request, self._preset), reader

    def _make_client(self) -> AsyncOpenAI:
        preset = self._preset
        key = self._api_key or os.environ.get(preset.key_variable or "")
        if not key and not preset.needs_key(os.environ):
            key = _NO_KEY
        if not key:
            raise missing_key(preset.name, preset.key_variable)
        import openai

        from victor.providers.http_client import http_options

        http = openai.DefaultAsyncHttpxClient(**http_options(self._patience))
        return openai.AsyncOpenAI(
            api_key=key,
            base_url=preset.address(os.environ),
            timeout=http.timeout,
            max_retries=0,
            http_client=http,
        )

    def _site(self, client: AsyncOpenAI, model: str) -> CallSite:
        return CallSite(
            provider=self.name,
            model=model,
            address=str(client.base_url).rstrip("/"),
            key_variable=self._preset.key_variable,
            secret=client.api_key or "",
        )

    def _deltas(
        self, client: AsyncOpenAI, path: str, body: dict[str, Any], reader: Reader, site: CallSite
    ) -> AsyncGenerator[ReplyDelta, None]:
        """Return what one call gives, as `reader` understands it.

        The answer stays plain JSON: the SDK's models would cost more than all else per chunk, and
        know no vendor's extras.
        """
        import openai

        if not self._streaming:
            body = {key: value for key, value in body.items() if not key.startswith("stream")}
        sent = client.post(
            path,
            body=body,
            options={"max_retries": 0},
            cast_to=object,
            stream=True,
            stream_cls=openai.AsyncStream[object],
        )
        limits = RECORDS.of(self, site.model).limits
        exchange = Exchange(
            site, self._patience, openai.OpenAIError, whole=not self._streaming, limits=limits
        )
        return exchange.deltas(sent, reader, last_bytes=_TAIL_SECONDS)
