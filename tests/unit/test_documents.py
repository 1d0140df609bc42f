from __future__ import annotations

import pytest

from victor import tokens
from victor.messages import Document, Message, Request, Role, Text
from victor.pairing import problems
from victor.protocols import Record
from victor.providers import anthropic_wire, openai_wire
from victor.providers.presets import Preset, preset_for
from victor.storage.codec import decode, encode

PDF = Document(b"%PDF /Type /Pages /Type /Page /Type/Page%", name="report.pdf")
ASKED = Message(Role.USER, (Text("Sum it up."), PDF))


def test_a_document_comes_back_from_the_record_as_it_was() -> None:
    record = Record("user", "t1", ASKED, time=1.0)
    assert decode("user", "t1", 1.0, encode(record)) == record


def test_a_document_is_counted_by_its_pages() -> None:
    page = tokens.PAGE_TOKENS + tokens.IMAGE_TOKENS
    with_document, without = tokens.of_message(ASKED), tokens.of_message(Message(Role.USER, ()))
    assert with_document - without - tokens.of_text("Sum it up.") == 2 * page


@pytest.mark.parametrize(("data", "pages"), [(b"", 1), (b"x" * 120_000, 3)])
def test_pages_that_cannot_be_seen_are_estimated_from_the_size(data: bytes, pages: int) -> None:
    assert tokens.pages(data) == pages


def test_a_user_may_send_a_document() -> None:
    assert problems((ASKED,)) == ()


def test_a_document_is_not_printed_with_its_bytes() -> None:
    assert "%PDF" not in repr(PDF)


def test_anthropic_is_sent_the_document_as_a_block() -> None:
    body = anthropic_wire.encode_request(Request("claude-sonnet-5-5", (ASKED,)), 100)
    block = body["messages"][0]["content"][1]
    assert block["type"] == "document"
    assert block["title"] == "report.pdf"
    assert block["source"]["media_type"] == "application/pdf"


def test_a_server_that_takes_files_over_chat_completions_is_sent_one() -> None:
    body = openai_wire.encode_request(Request("m", (ASKED,)), preset_for("azure", "https://a/v1"))
    file = body["messages"][0]["content"][1]["file"]
    assert file["filename"] == "report.pdf"
    assert file["file_data"].startswith("data:application/pdf;base64,")


def test_a_server_that_takes_no_files_is_told_that_there_was_one() -> None:
    body = openai_wire.encode_request(Request("m", (ASKED,)), Preset("box", "http://box/v1"))
    assert "report.pdf cannot be shown" in body["messages"][0]["content"][1]["text"]
