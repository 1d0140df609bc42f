"""Anthropic's Messages API, through the vendor's SDK."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import TYPE_CHECKING

from victor.events import ReplyDelta
from victor.messages import Request
from victor.protocols import ModelInfo
from victor.providers.anthropic_wire import ReplyReader, beta_headers, encode_request
from victor.providers.catalog import model_info
from victor.providers.connection import ClientPerLoop
from victor.providers.errors import CallSite, cut_off, is_loopback, missing_key, translate

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic, AsyncStream

KEY_VARIABLE = "ANTHROPIC_API_KEY"
_DEFAULT_MAX_TOKENS = 32_000
_DRAIN_SECONDS = 0.25


class AnthropicProvider:
    """Claude models. Fits `IProvider`.

    The key is `api_key` or `ANTHROPIC_API_KEY`, looked for at the first call; a server on this
    machine (`base_url`) needs none. The SDK is imported at the first call. A `client` of the SDK's
    own (`AsyncAnthropic`, Bedrock, Vertex) is used as it is and left open. `timeout` is in seconds
    and counts silence, not length; `max_retries` calls are made again by the SDK before anything
    was received.

    `Request.temperature` is not sent: the vendor's API has no such parameter any more. A forced
    tool call is asked for only of models that accept one (those before the 5th generation).
    """

    name = "anthropic"

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        client: AsyncAnthropic | None = None,
        timeout: float = 600.0,
        max_retries: int = 2,
    ) -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._client = client
        self._timeout = timeout
        self._max_retries = max_retries
        self._clients = ClientPerLoop(self._make_client)

    def __repr__(self) -> str:
        return f"AnthropicProvider(base_url={self._base_url!r})"

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        """Make one model call. Raises `ProviderError`."""
        client = self._client or await self._clients.get()
        import anthropic
        import httpx2

        site = self._site(client, request.model)
        most = self.model_info(request.model).max_output
        body = encode_request(request, request.max_tokens or min(most, _DEFAULT_MAX_TOKENS))
        reader = ReplyReader(site)
        stream: AsyncStream[object] | None = None
        try:
            # The events stay plain JSON: the SDK's models would cost more than all else per
            # chunk, and its `create` warns about older models, which is fatal under `-W error`.
            stream = await client.post(
                "/v1/messages",
                body=body,
                options={"headers": beta_headers(request.model)},
                cast_to=object,
                stream=True,
                stream_cls=anthropic.AsyncStream[object],
            )
            async for event in stream:
                for delta in reader.read(event):
                    yield delta
                if reader.finished:
                    break
            await _drain(stream)
        except (anthropic.AnthropicError, httpx2.HTTPError, ValueError) as error:
            raise translate(error, site) from None
        finally:
            if stream is not None:
                await stream.close()
        if not reader.finished:
            raise cut_off(site)
        yield reader.result()

    def model_info(self, model: str) -> ModelInfo:
        """Return what is known of `model`, without the network."""
        return model_info(self.name, model)

    async def aclose(self) -> None:
        """Close the running loop's connections. Safe to call twice."""
        await self._clients.aclose()

    def _make_client(self) -> AsyncAnthropic:
        key = self._api_key or os.environ.get(KEY_VARIABLE)
        if not key and is_loopback(self._base_url or os.environ.get("ANTHROPIC_BASE_URL")):
            key = "none-needed"
        if not key:
            raise missing_key(self.name, KEY_VARIABLE)
        import anthropic

        return anthropic.AsyncAnthropic(
            api_key=key,
            base_url=self._base_url,
            timeout=self._timeout,
            max_retries=self._max_retries,
        )

    def _site(self, client: AsyncAnthropic, model: str) -> CallSite:
        return CallSite(
            provider=self.name,
            model=model,
            address=str(client.base_url).rstrip("/"),
            key_variable=KEY_VARIABLE,
            secret=client.api_key or "",
        )


async def _drain(stream: AsyncStream[object]) -> None:
    """Read what follows the last event, so that the connection can serve the next call."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in stream:
                pass
