"""Google's Gemini API, through the vendor's SDK (extra `google`)."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Iterator
from contextlib import aclosing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from victor.errors import ModelMissing, ProviderError, RateLimitError
from victor.events import ReplyDelta
from victor.messages import Request, user
from victor.protocols import ModelInfo
from victor.providers.catalog import model_info
from victor.providers.connection import ClientPerLoop
from victor.providers.errors import (
    CallSite,
    ReportedFailure,
    against_protocol,
    is_loopback,
    missing_key,
    silent,
    translate,
)
from victor.providers.exchange import (
    PATIENCE,
    Exchange,
    Patience,
    SdkStream,
)
from victor.providers.google_wire import PROVIDER, ResponseReader, encode_config, encode_contents

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.errors import APIError
    from httpx2 import AsyncClient

KEY_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
"""Where the key is looked for, in this order."""

_ADDRESS = "https://generativelanguage.googleapis.com"
_Answer = TypeVar("_Answer")


class OwnClient:
    """A client of the SDK's that closes both of its halves, and the HTTP client it was given."""

    def __init__(self, client: Client, http: AsyncClient) -> None:
        self.client = client
        self._http = http

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aio.aclose()
        await self._http.aclose()
        self.client.close()


class GoogleProvider:
    """Gemini models. Fits `IProvider`.

    The key is `api_key`, `GOOGLE_API_KEY` or `GEMINI_API_KEY`, looked for at the first call; a
    server on this machine (`base_url`) needs none. The SDK is imported at the first call; where it
    is not installed, that raises `ModelMissing` with the command that installs it. A `client` of
    the SDK's own (`genai.Client`, also for Vertex AI) is used as it is and left open.

    A failed call is not made again here: whoever calls decides that.
    """

    name = PROVIDER

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        client: Client | None = None,
        patience: Patience = PATIENCE,
    ) -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._client = client
        self._patience = patience
        self._clients = ClientPerLoop(self._make_client)

    def __repr__(self) -> str:
        return f"GoogleProvider(base_url={self._base_url!r})"

    async def stream(self, request: Request) -> AsyncGenerator[ReplyDelta, None]:
        """Make one model call. Raises `ProviderError`."""
        client = self._client or (await self._clients.get()).client
        site = self._site(request.model)
        reader = ResponseReader(site)
        from google.genai.errors import APIError

        exchange = Exchange(site, self._patience, APIError, unique_keys=True)
        sent = _sent(client, request, site, own=self._client is None)
        async with aclosing(exchange.deltas(sent, reader)) as deltas:
            async for delta in deltas:
                yield delta
        yield reader.result()

    async def count_tokens(self, request: Request) -> int:
        """Return the vendor's own count of the request's messages and system prompt.

        The vendor does not count tools here. Raises `ProviderError`.
        """
        client = self._client or (await self._clients.get()).client
        site = self._site(request.model)
        messages = ((user(request.system),) if request.system else ()) + request.messages
        with _translated(site):
            counting = client.aio.models.count_tokens(
                model=request.model, contents=encode_contents(messages)
            )
            counted = await _within(self._patience.whole, counting, site)
        return counted.total_tokens or 0

    def model_info(self, model: str) -> ModelInfo:
        """Return what is known of `model`, without the network."""
        return model_info(self.name, model)

    async def aclose(self) -> None:
        """Close the running loop's connections. Safe to call twice."""
        await self._clients.aclose()

    def _make_client(self) -> OwnClient:
        key = self._api_key or next(filter(None, map(os.environ.get, KEY_VARIABLES)), None)
        if not key and is_loopback(self._base_url):
            key = "none-needed"
        if not key:
            raise missing_key(self.name, " or ".join(KEY_VARIABLES))
        try:
            from google import genai
        except ImportError:
            raise ModelMissing(
                "Google's models need the package google-genai.",
                provider=self.name,
                hint="Install it: pip install 'victor-ai[google]'",
            ) from None
        import httpx2

        from victor.providers.google_stream import keep_body
        from victor.providers.http_client import http_options

        settings = http_options(self._patience)
        settings["event_hooks"]["response"].append(keep_body)
        http = httpx2.AsyncClient(**settings, follow_redirects=True)
        # Without a list of its own, the SDK calls again after some failures by itself.
        options = genai.types.HttpOptions(
            base_url=self._base_url,
            retry_options=genai.types.HttpRetryOptions(attempts=1),
            client_args={"verify": settings["verify"]},
            httpx_async_client=http,
        )
        return OwnClient(genai.Client(api_key=key, vertexai=False, http_options=options), http)

    def _site(self, model: str) -> CallSite:
        return CallSite(
            provider=self.name,
            model=model,
            address=self._base_url or _ADDRESS,
            key_variable=KEY_VARIABLES[0],
            secret=self._api_key or next(filter(None, map(os.environ.get, KEY_VARIABLES)), ""),
        )


async def _sent(client: Client, request: Request, site: CallSite, *, own: bool) -> SdkStream:
    """Make the call; `own` says that the client is one of Victor's. Raises `ProviderError`."""
    from victor.providers.google_stream import ReadAnswer, own_answer

    # The SDK's types for what it takes say less than its dictionaries hold.
    config: Any = encode_config(request)
    with _translated(site):
        call = client.aio.models.generate_content_stream(
            model=request.model, contents=encode_contents(request.messages), config=config
        )
        return await own_answer(call) if own else ReadAnswer(call, partial(_translated, site))


async def _within(seconds: float, work: Awaitable[_Answer], site: CallSite) -> _Answer:
    """Return what `work` gives. Raises `ProviderUnavailable` when the server is silent."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise silent(site, seconds) from None


@contextmanager
def _translated(site: CallSite) -> Iterator[None]:
    """Turn what the SDK raises inside into Victor's own errors."""
    import httpx2
    from google.auth.exceptions import GoogleAuthError
    from google.genai.errors import APIError

    try:
        yield
    except APIError as error:
        raise _refusal(error, site) from None
    except (httpx2.HTTPError, ValueError, OSError) as error:
        raise translate(error, site) from None
    except GoogleAuthError as error:
        raise translate(ReportedFailure({"message": str(error)}, 401), site) from None
    except (AttributeError, KeyError, TypeError) as error:
        # How the SDK fails on JSON that is no response.
        raise against_protocol(f"{type(error).__name__}: {error}", site) from None


def _refusal(error: APIError, site: CallSite) -> ProviderError:
    """Return what the vendor's own refusal means."""
    details = error.details
    status = error.code if isinstance(error.code, int) else None
    if status == 400 and "API_KEY_INVALID" in str(details):
        status = 401
    failure = translate(ReportedFailure(details, status, error.response), site)
    if isinstance(failure, RateLimitError) and failure.retry_after is None:
        failure.retry_after = _retry_delay(str(details))
    return failure


def _retry_delay(details: str) -> float | None:
    """Return the seconds that the refusal asks to wait; they are in its body, not its headers."""
    found = re.search(r"retryDelay\W+(\d+(?:\.\d+)?)s", details)
    return float(found[1]) if found else None
