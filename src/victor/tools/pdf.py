"""The text of PDF files, by pypdf: the extra `documents`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import BinaryIO

from victor.errors import ToolError

MARK = b"%PDF-"
PDF_BYTES = 100_000_000


def lines(raw: BinaryIO, name: str) -> Iterator[str]:
    """Yield the text of a PDF, page by page, as far as it is asked for. Raises `ToolError`."""
    try:
        from pypdf import PdfReader
        from pypdf.errors import PyPdfError
    except ImportError:
        raise ToolError(
            f"{name} is a PDF, and what reads those is not installed. A person can install it:"
            " pip install 'victor-ai[documents]'."
        ) from None
    if raw.seek(0, 2) > PDF_BYTES:
        raise ToolError(f"{name} is too large to be read as a PDF.")
    # It warns of each flaw that it gets over, which is nothing to tell anybody.
    logging.getLogger("pypdf").setLevel(logging.ERROR)
    try:
        reader = PdfReader(raw)
        if reader.is_encrypted and not reader.decrypt(""):
            raise ToolError(f"{name} is encrypted, so its text cannot be read.")
        count = len(reader.pages)
        for number, page in enumerate(reader.pages, 1):
            yield f"[page {number} of {count}]"
            yield from page.extract_text().splitlines() or ("[no text on this page]",)
    except PyPdfError as error:
        raise ToolError(f"{name} is no valid PDF: {error}.") from error
