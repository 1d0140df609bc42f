"""Anthropic's Messages API, through the vendor's SDK."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from victor.endpoints import RECORDS
from victor.events import ReplyDelta
from victor.messages import Request
from victor.protocols import ModelInfo
from victor.providers.anthropic_wire import (
    ReplyReader,
    beta_headers,
    compaction,
    encode_request,
    joined,
)
from victor.providers.catalog import model_info
from victor.providers.connection import ClientPerLoop
from victor.providers.errors import (
    CallSite,
    against_protocol,
    is_loopback,
    missing_key,
    silent,
    translate,
)
from victor.providers.exchange import PATIENCE, Exchange, Patience

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic._types import RequestOptions

KEY_VARIABLE = "ANTHROPIC_API_KEY"
_DEFAULT_MAX_TOKENS = 32_000


class AnthropicProvider:
    """Claude models. Fits `IProvider`.

    The key is `api_key` or `ANTHROPIC_API_KEY`, looked for at the first call; a server on this
    machine (`base_url`) needs none. The SDK is imported at the first call. A `client` of the SDK's
    own (`AsyncAnthropic`, Bedrock, Vertex) is used as it is and left open; then it is that client
    which limits the time for a connection. `streaming=False` is for servers that cannot stream;
    Bedrock, whose streams are in a form of its own, is always asked for whole answers.

    A failed call is not made again here: whoever calls decides that, by `RetryPolicy`.

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
        patience: Patience = PATIENCE,
        streaming: bool = True,
    ) -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._client = client
        self._patience = patience
        self._streaming = streaming
        self._clients = ClientPerLoop(self._make_client)

    def __repr__(self) -> str:
        return f"AnthropicProvider(base_url={self._base_url!r})"

    @property
    def address(self) -> str:
        """Where the calls go."""
        if self._client is not None:
            return str(self._client.base_url)
        return self._base_url or os.environ.get("ANTHROPIC_BASE_URL") or "https://api.anthropic.com"

    @property
    def account(self) -> int:
        """Tells calls by one key from those by another; of use in this process alone."""
        # Clients of Bedrock and Vertex have no key of the vendor.
        key = getattr(self._client, "api_key", None) if self._client else self._api_key
        return hash(key or os.environ.get(KEY_VARIABLE))

    def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        """Make one model call. Raises `ProviderError`."""
        return self._answered(request)

    def summarize(
        self, request: Request, instructions: str = ""
    ) -> AsyncGenerator[ReplyDelta, None]:
        """Let the vendor sum up the conversation: a beta of its API, of the newer models.

        `instructions` take the place of the vendor's own. Raises `ProviderError`.
        """
        return self._answered(request, *compaction(instructions))

    async def _answered(
        self,
        request: Request,
        more: Mapping[str, Any] = MappingProxyType({}),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> AsyncGenerator[ReplyDelta, None]:
        """Make a call with `more` in its body; with more, the answer comes as a whole."""
        client = self._client or await self._clients.get()
        import anthropic

        site = self._site(client, request.model)
        most = self.model_info(request.model).max_output
        body = encode_request(request, request.max_tokens or min(most, _DEFAULT_MAX_TOKENS))
        body.update(more)
        body["stream"] = streaming = self._streaming and not more and not _streams_otherwise(client)
        reader = ReplyReader(site)
        # The answer stays plain JSON: the SDK's models would cost more than all else per chunk,
        # and its `create` warns about older models, which is fatal under `-W error`.
        sent = client.post(
            "/v1/messages",
            body=body,
            options={"headers": joined(beta_headers(request.model), headers), "max_retries": 0},
            cast_to=object,
            stream=True,
            stream_cls=anthropic.AsyncStream[object],
        )
        limits = RECORDS.of(self, request.model).limits
        exchange = Exchange(
            site, self._patience, anthropic.AnthropicError, whole=not streaming, limits=limits
        )
        async with aclosing(exchange.deltas(sent, reader)) as deltas:
            async for delta in deltas:
                yield delta
        yield reader.result()

    async def count_tokens(self, request: Request) -> int:
        """Return the vendor's own count of what the request sends. Raises `ProviderError`."""
        client = self._client or await self._clients.get()
        import anthropic
        import httpx2

        site = self._site(client, request.model)
        body = encode_request(request, 1)
        counted = {key: part for key, part in body.items() if key not in ("max_tokens", "stream")}
        options: RequestOptions = {"headers": beta_headers(request.model), "max_retries": 0}
        try:
            async with asyncio.timeout(self._patience.whole):
                answer: Any = await client.post(
                    "/v1/messages/count_tokens", body=counted, options=options, cast_to=object
                )
        except TimeoutError:
            raise silent(site, self._patience.whole) from None
        except (httpx2.HTTPError, ValueError, OSError, anthropic.AnthropicError) as error:
            raise translate(error, site) from None
        tokens = answer.get("input_tokens") if isinstance(answer, dict) else None
        if not isinstance(tokens, int):
            raise against_protocol("a count of tokens without a number", site)
        return tokens

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

        from victor.providers.http_client import http_options

        http = anthropic.DefaultAsyncHttpxClient(**http_options(self._patience))
        return anthropic.AsyncAnthropic(
            api_key=key,
            base_url=self._base_url,
            timeout=http.timeout,
            max_retries=0,
            http_client=http,
        )

    def _site(self, client: AsyncAnthropic, model: str) -> CallSite:
        return CallSite(
            provider=self.name,
            model=model,
            address=str(client.base_url).rstrip("/"),
            key_variable=KEY_VARIABLE,
            secret=getattr(client, "api_key", None) or "",
        )


def _streams_otherwise(client: AsyncAnthropic) -> bool:
    """Return whether the client's streams are no server-sent events."""
    import anthropic

    return isinstance(client, anthropic.AsyncAnthropicBedrock)
