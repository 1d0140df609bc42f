"""How far the estimate of tokens is off, against the vocabularies of OpenAI's models."""

from __future__ import annotations

import json
import random
import sysconfig
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from pydoc_data.topics import topics

import pytest

from victor import tokens
from victor.providers.vocabulary import text_counter

if find_spec("bpe_openai") is None:
    pytest.skip("pip install 'victor-ai[tokens]'", allow_module_level=True)


def texts() -> Iterator[tuple[str, str]]:
    """Give pieces of 400 to 8,000 characters with their kind: code, prose, JSON and logs."""
    dice = random.Random(7)

    def piece(text: str) -> str:
        size = dice.randint(400, 8_000)
        start = dice.randrange(max(1, len(text) - size))
        return text[start : start + size]

    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    for file in dice.sample(files, 80):
        yield "code", piece(file.read_text("utf-8", "replace"))
    prose = "\n".join(topics.values())
    rows = json.dumps([{"name": name, "words": len(text)} for name, text in topics.items()])
    for _ in range(40):
        yield "prose", piece(prose)
        yield "JSON", piece(rows)
        lines = (
            f"2026-01-{dice.randint(10, 28)} ERROR worker {dice.randint(1, 99)} exit"
            f" {dice.randint(1, 255)} [{dice.getrandbits(32):08x}] after {dice.random():.4f} s"
            for _ in range(dice.randint(10, 80))
        )
        yield "logs", "\n".join(lines)


@pytest.mark.parametrize("model", ["gpt-5.2", "gpt-4"])
def test_the_estimate_is_about_as_far_off_as_is_said(model: str) -> None:
    count = text_counter(model)
    assert count is not None
    off: dict[str, list[float]] = {}
    for kind, text in texts():
        off.setdefault(kind, []).append(tokens.of_text(text) / count(text) - 1)
    every = sorted(abs(one) for kind in off.values() for one in kind)
    mean = sum(every) / len(every)
    kinds = {kind: f"{sum(one) / len(one):+.0%}" for kind, one in off.items()}
    print(f"{model}: {mean:.1%} off on average, worst {every[-1]:.0%}; by kind {kinds}")
    assert mean < 2 * tokens.MEAN_ERROR
    # Where it is wrong by much, it leaves room: code, of which windows are full, is close.
    assert abs(sum(off["code"]) / len(off["code"])) < 0.1
