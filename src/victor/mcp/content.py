"""What a server sends, as text and pictures that a model can be shown."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import TYPE_CHECKING

from victor.messages import Image

if TYPE_CHECKING:
    from mcp_types import BlobResourceContents, ContentBlock, TextResourceContents

MOST_CHARACTERS = 2_000_000
_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_PICTURE_BYTES = 3_500_000


def shown(parts: Iterable[ContentBlock], *, sees_images: bool) -> tuple[str, tuple[Image, ...]]:
    """Return the texts, and the pictures that can be shown. What cannot be is named."""
    texts: list[str] = []
    images: list[Image] = []
    for part in parts:
        if part.type == "text":
            texts.append(part.text)
        elif part.type == "resource_link":
            texts.append(f"[resource {part.uri}: {part.name}]")
        elif part.type == "resource":
            text, pictures = contents_shown((part.resource,), sees_images=sees_images)
            texts += [text] if text else []
            images += pictures
        elif (
            part.type == "image" and sees_images and (found := _picture(part.data, part.mime_type))
        ):
            images.append(found)
        else:
            texts.append(f"[{part.type} that cannot be shown]")
    return "\n".join(texts)[:MOST_CHARACTERS], tuple(images)


def contents_shown(
    contents: Iterable[TextResourceContents | BlobResourceContents], *, sees_images: bool
) -> tuple[str, tuple[Image, ...]]:
    """Return what a resource holds, as `shown` does; bytes that are no text are counted."""
    texts: list[str] = []
    images: list[Image] = []
    for one in contents:
        kind = one.mime_type or ""
        blob = getattr(one, "blob", None)
        if blob is None:
            texts.append(str(getattr(one, "text", "")))
        elif sees_images and (found := _picture(blob, kind)):
            images.append(found)
        else:
            texts.append(_text_of(blob) or _named(one.uri, blob, kind))
    return "\n".join(texts)[:MOST_CHARACTERS], tuple(images)


def _text_of(blob: str) -> str:
    """Return the text that the bytes are; empty where they are none."""
    try:
        text = base64.b64decode(blob, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return "" if "\0" in text else text


def _named(uri: str, blob: str, kind: str) -> str:
    size = len(blob) * 3 // 4 - blob[-2:].count("=")
    return f"[{uri}: {size:,} bytes of {kind or 'an unknown type'} that cannot be shown]"


def _picture(data: str, media_type: str) -> Image | None:
    if media_type not in _PICTURES or len(data) > _PICTURE_BYTES * 4 // 3:
        return None
    try:
        return Image(base64.b64decode(data, validate=True), media_type)
    except binascii.Error:
        return None
