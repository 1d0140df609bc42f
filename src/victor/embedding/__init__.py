"""Likeness of meaning by word embeddings, offline: the extra `embeddings`."""

from __future__ import annotations

from importlib.util import find_spec

from victor.protocols.likeness import ITextLikeness

__all__ = ["text_likeness"]


def text_likeness() -> ITextLikeness | None:
    """Return what compares texts by meaning; None where the extra is not installed.

    Nothing is loaded before its first use.
    """
    if find_spec("wordllama") is None:
        return None
    from victor.embedding.static_vectors import StaticVectors

    return StaticVectors()
