"""Ollama by its own protocol, the only one in which a call says how much context it needs."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from victor.events import ReplyDelta
from victor.messages import Request
from victor.protocols import ModelInfo
from victor.providers.catalog import model_info
from victor.providers.connection import ClientPerLoop
from victor.providers.errors import CallSite, ReportedFailure
from victor.providers.exchange import PATIENCE, Exchange, Patience
from victor.providers.ollama_wire import LineReader, encode_request, tokens_needed
from victor.providers.presets import PRESETS, ollama_address

if TYPE_CHECKING:
    import httpx2

LEAST_CONTEXT = 8_192
"""Tokens of context that are asked for at least."""

_PATH = "/api/chat"


class OllamaProvider:
    """Models that a server of Ollama's runs. Fits `IProvider`.

    The address is `base_url`, else `OLLAMA_HOST`, else this machine; a `/v1` at its end is left
    out. The key, for a server that wants one, is `api_key` or `OLLAMA_API_KEY`.

    A call asks for `num_ctx` tokens of context. Without it, it asks for the smallest doubling of
    8,192 that the request and its answer fit in, and no later call for the same model asks for
    less: the server loads a model anew for each other size. What does not fit is an error: the
    server is told not to cut it.

    A failed call is not made again here: whoever calls decides that, by `RetryPolicy`.
    """

    name = "ollama"

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        num_ctx: int | None = None,
        patience: Patience = PATIENCE,
        streaming: bool = True,
    ) -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._num_ctx = num_ctx
        self._patience = patience
        self._streaming = streaming
        self._asked: dict[str, int] = {}
        """The context that was last asked for, by model."""
        self._clients = ClientPerLoop(self._make_client)

    def __repr__(self) -> str:
        return f"OllamaProvider(base_url={self.address!r})"

    @property
    def address(self) -> str:
        """Where the calls go."""
        given = self._base_url or os.environ.get(PRESETS[self.name].address_variable) or ""
        return ollama_address(given.rstrip("/").removesuffix("/v1"))

    @property
    def account(self) -> int:
        """Tells calls by one key from those by another; of use in this process alone."""
        return hash(self._key())

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        """Make one model call. Raises `ProviderError`."""
        client = (await self._clients.get()).http
        key = self._key()
        site = CallSite(self.name, request.model, self.address, "OLLAMA_API_KEY", key)
        body = encode_request(request, self._context(request), streaming=self._streaming)
        reader = LineReader(site, request)
        exchange = Exchange(
            site,
            self._patience,
            ReportedFailure,
            whole=not self._streaming,
            lines=self._streaming,
            unique_keys=True,
        )
        sent = self._sent(client, body, key)
        async with aclosing(exchange.deltas(sent, reader)) as deltas:
            async for delta in deltas:
                yield delta
        yield reader.result()

    def model_info(self, model: str) -> ModelInfo:
        """Return what is known of `model`, without the network."""
        info = model_info(self.name, model)
        return replace(info, context_window=self._num_ctx) if self._num_ctx else info

    async def aclose(self) -> None:
        """Close the running loop's connections. Safe to call twice."""
        await self._clients.aclose()

    def _key(self) -> str:
        return self._api_key or os.environ.get(PRESETS[self.name].key_variable) or ""

    def _context(self, request: Request) -> int:
        if self._num_ctx:
            return self._num_ctx
        most = request.max_tokens or self.model_info(request.model).max_output
        size = self._asked.get(request.model, LEAST_CONTEXT)
        while size < tokens_needed(request) + most:
            size *= 2
        self._asked[request.model] = size
        return size

    def _make_client(self) -> HttpClient:
        import httpx2

        from victor.providers.http_client import http_options

        return HttpClient(httpx2.AsyncClient(**http_options(self._patience)))

    async def _sent(self, client: httpx2.AsyncClient, body: dict[str, Any], key: str) -> _Answer:
        """Make the call. Raises `ReportedFailure` where it is refused."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        call = client.build_request("POST", f"{self.address}{_PATH}", json=body, headers=headers)
        answer = _Answer(await client.send(call, stream=True))
        if answer.response.is_success:
            return answer
        try:
            raise ReportedFailure(
                await answer.refusal(), answer.response.status_code, answer.response
            )
        finally:
            await answer.close()


class HttpClient:
    """An HTTP client as `ClientPerLoop` closes it."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http

    async def close(self) -> None:
        """Close the connections."""
        await self.http.aclose()


class _Answer:
    """A response whose body nobody has read yet. Fits `SdkStream`."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response

    async def refusal(self) -> object:
        """Return what the server says: JSON, else its words."""
        await self.response.aread()
        try:
            return json.loads(self.response.content)
        except (ValueError, RecursionError):
            return self.response.text

    async def close(self) -> None:
        await self.response.aclose()
