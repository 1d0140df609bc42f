"""What is known of models without the network."""

from __future__ import annotations

from victor.protocols import ModelInfo

UNKNOWN_WINDOW = 128_000
UNKNOWN_OUTPUT = 8_192


def model_info(provider: str, model: str) -> ModelInfo:
    """Return what is known of the model."""
    return ModelInfo(model, UNKNOWN_WINDOW, UNKNOWN_OUTPUT, known=False)
