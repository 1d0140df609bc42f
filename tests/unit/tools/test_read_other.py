"""Files that are no plain text: pictures, notebooks, PDFs, pipes, and files too large to hold."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from victor.errors import ToolError, WorkspaceError
from victor.messages import Image
from victor.protocols import ITool, ToolEnvironment, ToolOutput

pytestmark = pytest.mark.anyio

Run = Callable[..., Awaitable[ToolOutput]]

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 9, "image/jpeg"),
        (b"GIF89a\0", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
async def test_a_picture_is_shown_to_a_model_that_sees(
    root: Path, tools: dict[str, ITool], environment: ToolEnvironment, data: bytes, kind: str
) -> None:
    (root / "a").write_bytes(data)
    seeing = await tools["read"].run({"path": "a"}, replace(environment, sees_images=True))
    assert seeing.images == (Image(data, kind),)
    blind = await tools["read"].run({"path": "a"}, environment)
    assert blind.images == ()
    assert "the model in use cannot see pictures" in blind.content


async def test_a_picture_that_is_too_large_is_refused(
    root: Path,
    tools: dict[str, ITool],
    environment: ToolEnvironment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("victor.tools.read.PICTURE_BYTES", 10)
    (root / "a.png").write_bytes(PNG)
    with pytest.raises(ToolError, match="too large to look at"):
        await tools["read"].run({"path": "a.png"}, replace(environment, sees_images=True))


async def test_a_notebook_is_read_by_its_cells_and_edited_as_it_is(root: Path, run: Run) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "words"]},
        {
            "cell_type": "code",
            "source": "print(1)",
            "outputs": [
                {"output_type": "stream", "text": [f"{n}\n" for n in range(30)]},
                {"output_type": "display_data", "data": {"image/png": "iVBOR", "text/plain": "x"}},
                {"output_type": "error", "ename": "ValueError", "evalue": "no"},
                "nonsense",
            ],
        },
        "nonsense",
        {"source": None, "outputs": None},
    ]
    (root / "a.ipynb").write_text(json.dumps({"cells": cells}))
    text = (await run("read", path="a.ipynb")).content
    assert "1\t[cell 1, markdown]\n2\t# Title\n3\twords\n4\t[cell 2, code]\n5\tprint(1)" in text
    assert "[... 10 more lines of output]" in text
    assert "[image/png, not shown]" in text
    assert "iVBOR" not in text
    assert "ValueError: no" in text
    assert '"cell_type"' in (await run("read", path="a.ipynb", raw=True)).content
    await run("edit", path="a.ipynb", old="print(1)", new="print(2)")
    assert "print(2)" in (root / "a.ipynb").read_text()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"cells": 7}'])
async def test_a_broken_notebook_is_said_so(root: Path, run: Run, text: str) -> None:
    (root / "a.ipynb").write_text(text)
    if "cells" in text:
        assert "has only 0 lines" in (await run("read", path="a.ipynb")).content
        return
    with pytest.raises(ToolError, match="no valid notebook"):
        await run("read", path="a.ipynb")


def pdf_of(*pages: str) -> bytes:
    """Return a PDF that says each text on a page of its own."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{3 + 2 * n} 0 R" for n in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    font = "<< /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    for number, text in enumerate(pages):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Resources {font}"
            f" /Contents {4 + 2 * number} 0 R >>".encode()
        )
        stream = f"BT /F 12 Tf 10 100 Td ({text}) Tj ET".encode() if text else b""
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    out = io.BytesIO()
    out.write(b"%PDF-1.4\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, content))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer << /Size %d /Root 1 0 R >>\n" % (len(objects) + 1))
    out.write(b"startxref\n%d\n%%%%EOF\n" % start)
    return out.getvalue()


@pytest.mark.slow
async def test_the_text_of_a_pdf_is_read_page_by_page(root: Path, run: Run) -> None:
    (root / "a.pdf").write_bytes(pdf_of("Hello", "World", ""))
    text = (await run("read", path="a.pdf")).content
    assert "1\t[page 1 of 3]\n2\tHello\n3\t[page 2 of 3]\n4\tWorld\n" in text
    assert "[no text on this page]" in text
    assert (await run("read", path="a.pdf", offset=4, limit=1)).content.startswith("4\tWorld")
    (root / "b.pdf").write_bytes(b"%PDF-1.4\nnothing of the kind")
    with pytest.raises(ToolError, match="no valid PDF"):
        await run("read", path="b.pdf")


async def test_without_its_reader_a_pdf_names_the_extra(
    root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pypdf", None)
    (root / "a.pdf").write_bytes(b"%PDF-1.4\n")
    with pytest.raises(ToolError, match=r"victor-ai\[documents\]"):
        await run("read", path="a.pdf")


async def test_a_pipe_or_a_device_is_never_waited_for(root: Path, run: Run) -> None:
    os.mkfifo(root / "pipe")
    (root / "null").symlink_to("/dev/zero")
    for path in ("pipe", "null"):
        with pytest.raises(WorkspaceError):
            await run("read", path=path)


async def test_a_file_too_large_to_hold_is_read_a_line_at_a_time(
    root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("victor.tools.document.EDITABLE_BYTES", 1_000)
    (root / "a").write_text("first\n" + "x" * 500_000 + "\nlast\n")
    text = (await run("read", path="a")).content
    assert text.startswith("1\tfirst\n2\txxx")
    assert "[... 498,000 more characters]" in text
    assert text.endswith("3\tlast\n[End of a.]")
    assert (await run("read", path="a", offset=3)).content == "3\tlast\n[End of a.]"
