"""One place that turns what an SDK or its HTTP client raises into Victor's own errors.

Both SDKs describe a failure by the same attributes (`status_code`, `body`, `response`), so no SDK
is imported here. The text of the result says what happened, where, and what to do; the key is cut
out of it, wherever a server may have put it.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from victor.errors import (
    AuthenticationError,
    BadReply,
    ContextExceeded,
    InvalidRequest,
    ProviderError,
    ProviderUnavailable,
    RateLimitError,
)

_SHORTEST_SECRET = 4
"""What is given as a key and is shorter is none, and would be cut out of every other word."""
_LONGEST_DETAIL = 500
_LONGEST_SEARCHED = 4_000
"""Characters of an error's own words that are looked at; the expressions below are slow on more."""
_CONTEXT_WORDS = re.compile(
    r"context[ _-]?(length|size|window|limit|overflow)|prompt is too long|input is too long"
    r"|maximum (prompt length|number of tokens|context)|max(imum)?_?context"
    r"|reduce the length of the messages|tokens? .*must be <=|request_too_large"
    r"|exceed_context_size|too many (input )?tokens",
    re.IGNORECASE,
)
_UNKNOWN_MODEL = re.compile(
    r"model[_ ]not[_ ]found|(unknown|invalid|no such) model|model\b.*(not (found|exist|supported)|"
    r"does ?n[o']t exist|not a valid|try pulling)",
    re.IGNORECASE | re.DOTALL,
)
_KEY_LIKE = re.compile(r"\b(sk|pk|key|gsk|xai|hf)[-_][\w*.-]{6,}|\bBearer\s+\S+", re.IGNORECASE)
_PASSING = (408, 409, 425)
_NEVER_AGAIN = (400, 401, 402, 403, 404, 413, 422)
_STATUS_OF_TYPE = {
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "insufficient_quota": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "timeout_error": 504,
    "request_too_large": 413,
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "api_error": 500,
    "server_error": 500,
    "overloaded_error": 529,
}


class ReportedFailure(Exception):
    """A failure that the vendor reports otherwise than its SDK raises it, to be translated.

    `body` is the vendor's JSON, `status_code` None within a stream that began well.
    """

    def __init__(
        self, body: object, status_code: int | None = None, response: object = None
    ) -> None:
        super().__init__(str(body))
        self.body = body
        self.status_code = status_code
        self.response = response


@dataclass(frozen=True, slots=True)
class CallSite:
    """Where a call went, for the texts of its errors."""

    provider: str
    model: str
    address: str
    """The server's base URL."""
    key_variable: str = ""
    """The environment variable that the key is read from."""
    secret: str = field(default="", repr=False)
    """The key, only to be cut out of texts."""


def missing_key(provider: str, key_variable: str) -> AuthenticationError:
    """Return the error for a call without a key."""
    return AuthenticationError(
        f"There is no API key for {provider}.",
        provider=provider,
        hint=f"Set {key_variable} in the environment, or pass api_key=...",
    )


def cut_off(site: CallSite) -> BadReply:
    """Return the error for a stream that ended before the reply did."""
    return BadReply(
        "The answer broke off before its end.",
        provider=site.provider,
        model=site.model,
        hint="Try again; if it stays so, look for a proxy that cuts connections.",
    )


def against_protocol(what: str, site: CallSite) -> BadReply:
    """Return the error for an answer that is not what the vendor's protocol says."""
    return BadReply(
        f"The answer is against the protocol: {_clean(what, site)}.",
        provider=site.provider,
        model=site.model,
        hint=f"Check that {site.address} speaks this vendor's protocol.",
    )


def not_an_api(site: CallSite) -> BadReply:
    """Return the error for a web page in the place of an answer. Asking again gives it again."""
    page = BadReply(
        f"{site.address} answered with a web page.",
        provider=site.provider,
        model=site.model,
        hint="Check base_url, and whether a proxy or a login page stands in between.",
    )
    page.retryable = False
    return page


def too_large(site: CallSite) -> BadReply:
    """Return the error for an answer beyond every measure."""
    endless = BadReply(
        "The answer is too large to be one.",
        provider=site.provider,
        model=site.model,
        hint=f"Check that {site.address} speaks this vendor's protocol.",
    )
    endless.retryable = False
    return endless


def silent(site: CallSite, seconds: float) -> ProviderUnavailable:
    """Return the error for a server that said nothing for so long."""
    return ProviderUnavailable(
        f"{site.address} has said nothing for {seconds:g} s.",
        provider=site.provider,
        model=site.model,
        hint="Try again, or wait longer: first_event_timeout and idle_timeout in the settings.",
    )


def stream_error(body: object, site: CallSite) -> ProviderError:
    """Return the error that an event of a stream tells of, as if it had come as a status."""
    kind, code, detail = _describe(body)
    status = _status_in_stream(kind, code)
    return _by_status(status, f"{kind} {code}", detail or kind or "an error", None, site)


def translate(error: Exception, site: CallSite) -> ProviderError:
    """Return the `ProviderError` that says what `error`, raised below an SDK, means."""
    if isinstance(error, ProviderError):
        return error
    if isinstance(error, ValueError):
        # Broken JSON or UTF-8: both SDKs let the decoder's error through.
        return against_protocol(f"{type(error).__name__}: {error}", site)
    status = getattr(error, "status_code", None)
    body = getattr(error, "body", None)
    if status is None and body is None:
        return _unreachable(error, site)
    kind, code, detail = _describe(body)
    if status is None or status < 400:
        status = _status_in_stream(kind, code)
    headers = getattr(getattr(error, "response", None), "headers", None)
    failure = _by_status(status, f"{kind} {code}", detail or str(error), headers, site)
    _obey(headers, failure)
    return failure


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the response asks to wait, or None if it does not say."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or not value:
        return seconds
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(value)
        return max(0.0, moment.timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _obey(headers: Mapping[str, str] | None, failure: ProviderError) -> None:
    """Adopt the vendor's own word on whether the call may be made again.

    A request that is wrong in itself is not made again, whatever the vendor says.
    """
    word = (headers or {}).get("x-should-retry", "").lower()
    if word == "false":
        failure.retryable = False
    elif word == "true" and failure.status not in _NEVER_AGAIN:
        failure.retryable = True


def is_loopback(address: str | None) -> bool:
    """Return whether the URL leads to this machine, where servers ask for no key."""
    from urllib.parse import urlsplit

    host = (urlsplit(address or "").hostname or "").lower()
    return host == "localhost" or host == "::1" or host.startswith("127.")


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _describe(body: object) -> tuple[str, str, str]:
    """Return (type, code, message) of an error body; each may be empty."""
    if not isinstance(body, Mapping):
        return "", "", _in_words(body) if isinstance(body, str) else ""
    inner = body.get("error")
    if isinstance(inner, str):
        return str(body.get("type") or ""), "", inner
    source: Mapping[str, Any] = inner if isinstance(inner, Mapping) else body
    message = source.get("message") or source.get("detail") or ""
    kind, code = str(source.get("type") or ""), str(source.get("code") or "")
    return kind, code, _in_words(str(message))


def _in_words(text: str) -> str:
    """Return what to tell of an error's text: pages of gateways are for a browser."""
    return "a web page" if text.lstrip().startswith("<") else text


def _status_in_stream(kind: str, code: str) -> int:
    """Return the status that an error event stands for: its own headers said 200 long ago."""
    if code.isdigit() and 400 <= int(code) < 600:
        return int(code)
    return _STATUS_OF_TYPE.get(code) or _STATUS_OF_TYPE.get(kind) or 500


def _by_status(
    status: int, kind: str, detail: str, headers: Mapping[str, str] | None, site: CallSite
) -> ProviderError:
    text = f"{kind[:_LONGEST_SEARCHED]} {detail[:_LONGEST_SEARCHED]}"
    said = f"{site.provider} says: {_clean(detail, site)}"
    named: dict[str, Any] = {"provider": site.provider, "model": site.model, "status": status}
    match status:
        case 401 | 403:
            return _key_refused(said, site, named)
        case 402 | 429 if status == 402 or "insufficient_quota" in text:
            return _no_credit(said, named)
        case 429:
            return RateLimitError(
                f"Too many requests or tokens for now. {said}",
                retry_after=retry_after(headers or {}),
                hint="Wait and try again, or configure a fallback provider.",
                **named,
            )
        case 413:
            return _too_long(said, named)
        case 400 | 404 | 422 | 500 if _CONTEXT_WORDS.search(text):
            return _too_long(said, named)
        case 400 | 404 | 422 if status == 404 or _UNKNOWN_MODEL.search(text):
            return _not_there(text, said, site, named)
    if status in _PASSING or status >= 500:
        return ProviderUnavailable(
            f"The server failed (HTTP {status}). {said}",
            retry_after=retry_after(headers or {}),
            hint="Try again later, or configure a fallback provider.",
            **named,
        )
    return _refused(detail, said, named)


def _key_refused(said: str, site: CallSite, named: dict[str, Any]) -> AuthenticationError:
    remedy = f"Set {site.key_variable} or pass api_key=..." if site.key_variable else "Check it"
    return AuthenticationError(
        f"The key was refused (HTTP {named['status']}). {said}",
        hint=f"{remedy}, with a key that may use this model.",
        **named,
    )


def _refused(detail: str, said: str, named: dict[str, Any]) -> InvalidRequest:
    hint = "Check the model's settings and what it supports."
    if "/v1/responses" in detail:
        hint = "Choose a model that takes tools here: `victor models` lists the known ones."
    return InvalidRequest(
        f"The request was refused (HTTP {named['status']}). {said}", hint=hint, **named
    )


def _no_credit(said: str, named: dict[str, Any]) -> AuthenticationError:
    return AuthenticationError(
        f"The account has no credit left. {said}",
        hint="Check plan and billing with the vendor, or use another provider.",
        **named,
    )


def _too_long(said: str, named: dict[str, Any]) -> ContextExceeded:
    return ContextExceeded(
        f"The request does not fit the model's context window. {said}",
        hint="Shorten the prompt, or choose a model with a larger window.",
        **named,
    )


def _not_there(text: str, said: str, site: CallSite, named: dict[str, Any]) -> InvalidRequest:
    if _UNKNOWN_MODEL.search(text) or (site.model and site.model in text):
        return InvalidRequest(
            f"There is no model {site.model!r} here. {said}",
            hint="`victor models` lists the known ones.",
            **named,
        )
    return InvalidRequest(
        f"The server has no such address: {site.address}. {said}",
        hint="Check base_url; many servers want it to end in /v1.",
        **named,
    )


def _unreachable(error: Exception, site: CallSite) -> ProviderError:
    """Return the error for a call that got no answer, or only half of one."""
    cause = error.__cause__ or error
    name = type(cause).__name__
    if "RemoteProtocol" in name or "ReadError" in name or "Decoding" in name:
        return cut_off(site)
    named: dict[str, Any] = {"provider": site.provider, "model": site.model}
    if "Timeout" in name or "Timeout" in type(error).__name__:
        return ProviderUnavailable(
            f"No answer from {site.address} in time.",
            hint="Try again, or wait longer: connect_timeout in the settings.",
            **named,
        )
    detail = _clean(str(cause) or name, site)
    if is_loopback(site.address):
        hint = "Start the server there, or set base_url to where it listens."
    else:
        hint = "Check the network, a proxy, and base_url."
    return ProviderUnavailable(
        f"Cannot reach {site.address}: {detail}.",
        hint=hint,
        **named,
    )


def _clean(text: str, site: CallSite) -> str:
    """Return `text` on one line, shortened, without the key or anything that looks like one."""
    if len(site.secret) >= _SHORTEST_SECRET:
        text = text.replace(site.secret, "***")
    text = " ".join(_KEY_LIKE.sub("***", text[:_LONGEST_SEARCHED]).split()).rstrip(".")
    return text if len(text) <= _LONGEST_DETAIL else text[: _LONGEST_DETAIL - 1] + "…"
