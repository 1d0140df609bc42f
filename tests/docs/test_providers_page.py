from __future__ import annotations

from pathlib import Path

import pytest

from victor.messages import StopReason
from victor.providers.catalog import LOCAL_WINDOW
from victor.providers.presets import PRESETS

PAGE = (Path(__file__).parents[2] / "docs/providers.md").read_text("utf-8")


def row_of(name: str) -> str:
    return next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))


@pytest.mark.parametrize("name", PRESETS)
def test_the_page_tells_of_each_preset_what_the_code_does(name: str) -> None:
    preset, row = PRESETS[name], row_of(name)
    assert f"`{preset.key_variable}`" in row
    assert preset.base_url is None or f"`{preset.base_url}`" in row
    assert not preset.address_variable or f"`{preset.address_variable}`" in row
    assert preset.prints_calls == ("printed calls" in row)
    assert preset.responses == ("Responses API" in row)
    assert preset.nine_letter_ids == ("nine letters" in row)
    assert preset.asks_for_usage != ("usage is not asked for" in row)
    assert not preset.returns_reasoning or f"`{preset.returns_reasoning}`" in row
    named = "`max_completion_tokens`" in row
    assert named == (preset.max_tokens_key == "max_completion_tokens" and not preset.responses)


def test_the_page_names_every_reason_a_vendor_stops_for() -> None:
    own = {StopReason.MAX_TOOL_ITERATIONS, StopReason.TOOL_LOOP}
    missing = [reason for reason in StopReason if reason not in own and f"`{reason}`" not in PAGE]
    assert missing == []


def test_the_page_tells_the_window_of_a_model_on_an_own_server() -> None:
    assert f"{LOCAL_WINDOW:,} tokens" in PAGE
