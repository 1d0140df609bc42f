from __future__ import annotations

import json
import time
from email.utils import formatdate
from typing import Any

import httpx2
import pytest

from victor.errors import (
    AuthenticationError,
    BadReply,
    ContextExceeded,
    InvalidRequest,
    ProviderError,
    ProviderUnavailable,
    RateLimitError,
)
from victor.providers.errors import (
    CallSite,
    against_protocol,
    cut_off,
    is_loopback,
    missing_key,
    retry_after,
    translate,
)

SITE = CallSite(
    provider="acme",
    model="model-1",
    address="https://api.acme.example",
    key_variable="ACME_API_KEY",
    secret="very-secret-key",
)


class Failure(Exception):
    """Shaped as the SDKs' errors are."""

    def __init__(
        self, status: int | None, body: Any, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"Error code: {status}")
        self.status_code = status
        self.body = body
        self.response = httpx2.Response(status or 200, headers=headers)


def translated(status: int | None, message: Any = "no reason", **fields: Any) -> ProviderError:
    return translate(Failure(status, {"error": {"message": message, **fields}}), SITE)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, AuthenticationError),
        (402, AuthenticationError),
        (403, AuthenticationError),
        (404, InvalidRequest),
        (408, ProviderUnavailable),
        (409, ProviderUnavailable),
        (413, ContextExceeded),
        (418, InvalidRequest),
        (422, InvalidRequest),
        (429, RateLimitError),
        (500, ProviderUnavailable),
        (502, ProviderUnavailable),
        (503, ProviderUnavailable),
        (529, ProviderUnavailable),
    ],
)
def test_each_status_has_its_error_with_place_and_remedy(
    status: int, kind: type[ProviderError]
) -> None:
    error = translated(status)
    assert type(error) is kind
    assert (error.provider, error.model, error.status) == ("acme", "model-1", status)
    assert error.hint
    assert "no reason" in str(error)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "prompt is too long: 210000 tokens > 200000 maximum"),
        (400, "input length and `max_tokens` exceed context limit: 1 + 2 > 3"),
        (400, "This model's maximum context length is 8192 tokens."),
        (400, "the request exceeds the available context size, try increasing it"),
        (400, "Please reduce the length of the messages or completion."),
        (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096"),
        (400, "This model's maximum prompt length is 131072 but the request has 200000"),
        (
            500,
            "Trying to keep the first 9000 tokens when context overflows: context length is 4096",
        ),
    ],
)
def test_every_vendors_way_to_say_too_long_is_understood(status: int, message: str) -> None:
    assert type(translated(status, message)) is ContextExceeded


def test_a_code_says_too_long_where_the_words_do_not() -> None:
    assert type(translated(400, "Too big.", code="context_length_exceeded")) is ContextExceeded


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "model: model-1"),
        (404, "The model `model-1` does not exist or you do not have access to it."),
        (404, "model 'model-1' not found, try pulling it first"),
        (400, "model-1 is not a valid model ID"),
        (400, "Invalid model: model-1"),
    ],
)
def test_an_unknown_model_is_told_with_the_command_that_lists_them(
    status: int, message: str
) -> None:
    error = translated(status, message)
    assert type(error) is InvalidRequest
    assert "`victor models`" in error.hint
    assert "no model 'model-1'" in str(error)


def test_a_wrong_address_is_not_taken_for_an_unknown_model() -> None:
    error = translated(404, "page not found")
    assert "base_url" in error.hint
    assert "https://api.acme.example" in str(error)


def test_an_empty_account_is_no_rate_limit() -> None:
    error = translated(429, "You exceeded your current quota", code="insufficient_quota")
    assert type(error) is AuthenticationError
    assert not error.retryable
    assert "billing" in error.hint


def test_a_model_that_takes_no_tools_here_is_told_so() -> None:
    error = translated(400, "To use function tools, use /v1/responses instead.")
    assert "takes tools" in error.hint


@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        ("overloaded_error", None, ProviderUnavailable),
        ("rate_limit_error", None, RateLimitError),
        ("invalid_request_error", None, InvalidRequest),
        ("authentication_error", None, AuthenticationError),
        ("server_error", "rate_limit_exceeded", RateLimitError),
        (None, 502, ProviderUnavailable),
        (None, 429, RateLimitError),
        ("something_else", None, ProviderUnavailable),
    ],
)
@pytest.mark.parametrize("status", [200, None])
def test_an_error_in_mid_stream_is_told_by_its_type(
    kind: str | None, code: Any, expected: type[ProviderError], status: int | None
) -> None:
    assert type(translated(status, type=kind, code=code)) is expected


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("plain words", "plain words"),
        ({"detail": "from fastapi"}, "from fastapi"),
        ({"error": "from ollama"}, "from ollama"),
        ({"message": "flat"}, "flat"),
        ([1, 2], "Error code: 400"),
    ],
)
def test_the_reason_is_found_wherever_a_server_puts_it(body: Any, text: str) -> None:
    assert text in str(translate(Failure(400, body), SITE))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "-1"}, None),
        ({}, None),
    ],
)
def test_the_wait_that_the_vendor_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    error = translate(Failure(429, {"error": {"message": "slow"}}, headers), SITE)
    assert error.retry_after == seconds
    assert error.retryable


def test_the_wait_may_be_a_date() -> None:
    wait = retry_after({"retry-after": formatdate(time.time() + 30, usegmt=True)})
    assert wait is not None
    assert 25 < wait <= 31
    assert retry_after({"retry-after": formatdate(0, usegmt=True)}) == 0


@pytest.mark.parametrize(
    "leak",
    [
        "Incorrect API key provided: very-secret-key.",
        "Incorrect API key provided: sk-proj-abc**********xyz.",
        "bad header Bearer abcdef",
        "key gsk_a1B2c3D4e5",
    ],
)
def test_a_key_in_the_servers_words_is_cut_out(leak: str) -> None:
    error = translate(Failure(401, {"error": {"message": leak}}), SITE)
    assert "***" in str(error)
    for secret in ("very-secret-key", "abc***", "xyz", "abcdef", "a1B2c3D4e5"):
        assert secret not in str(error)
    assert "ACME_API_KEY" in error.hint


def test_a_letter_in_the_place_of_a_key_is_left_in_the_words() -> None:
    site = CallSite("local", "m", "http://localhost:1", secret="x")
    assert "maximum" in str(translate(Failure(500, {"error": {"message": "maximum"}}), site))


def test_the_key_is_not_in_the_repr_of_where_a_call_went() -> None:
    assert "very-secret-key" not in repr(SITE)


def test_a_page_of_html_does_not_become_a_page_of_error() -> None:
    assert len(str(translate(Failure(502, "<html>\n" + "x" * 10_000), SITE))) < 1000


def connection_error(cause: Exception) -> Exception:
    """Return what an SDK raises when `cause` kept it from an answer."""
    error = ConnectionError("Connection error.")
    error.__cause__ = cause
    return error


def test_a_refused_connection_names_the_address() -> None:
    error = translate(connection_error(httpx2.ConnectError("All attempts failed")), SITE)
    assert type(error) is ProviderUnavailable
    assert "Cannot reach https://api.acme.example" in str(error)
    assert "network" in error.hint


def test_a_refused_connection_on_this_machine_says_to_start_the_server() -> None:
    site = CallSite("ollama", "m", "http://localhost:11434/v1")
    assert "Start the server" in translate(httpx2.ConnectError("refused"), site).hint


@pytest.mark.parametrize("cause", [httpx2.ReadTimeout("slow"), httpx2.ConnectTimeout("slow")])
def test_a_timeout_is_a_vendor_that_is_not_there(cause: Exception) -> None:
    for error in (cause, connection_error(cause)):
        assert type(translate(error, SITE)) is ProviderUnavailable
        assert "in time" in str(translate(error, SITE))


@pytest.mark.parametrize(
    "cause", [httpx2.RemoteProtocolError("peer closed"), httpx2.ReadError("reset")]
)
def test_a_connection_that_breaks_is_a_broken_reply(cause: Exception) -> None:
    error = translate(cause, SITE)
    assert type(error) is BadReply
    assert error.retryable


def test_broken_json_and_bytes_are_broken_replies() -> None:
    for broken in (lambda: json.loads("{"), lambda: b"\xff".decode()):
        with pytest.raises(ValueError, match=r".+") as caught:
            broken()
        assert type(translate(caught.value, SITE)) is BadReply


def test_an_error_of_victors_own_stays_what_it_is() -> None:
    own = cut_off(SITE)
    assert translate(own, SITE) is own
    assert against_protocol("odd", SITE).model == "model-1"


def test_a_missing_key_says_which_variable_to_set() -> None:
    assert "Set ACME_API_KEY" in str(missing_key("acme", "ACME_API_KEY"))


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://127.0.0.1:1/v1", True),
        ("http://LOCALHOST", True),
        ("http://[::1]:80", True),
        ("https://api.openai.com", False),
        ("http://localhost.example.com", False),
        (None, False),
    ],
)
def test_what_is_this_machine(address: str | None, here: bool) -> None:
    assert is_loopback(address) is here
