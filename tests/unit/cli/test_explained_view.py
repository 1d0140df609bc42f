"""Explanations as text: what is too much is counted, and small sums are legible."""

from __future__ import annotations

import io

from rich.console import Console

from victor.calibration import Fit
from victor.cli.context_view import LEFT_OUT_SHOWN, accuracy, show_explanation
from victor.context_picture import picture
from victor.explanations import Explanation, Part, Topic
from victor.messages import user


def shown(found: Explanation) -> str:
    out = io.StringIO()
    show_explanation(Console(file=out, width=200), found)
    return out.getvalue()


def test_what_a_compaction_dropped_stands_under_it_and_is_counted_beyond_some() -> None:
    told = {"strategy": "hybrid", "reason": "too much", "kept": "/x/left-out.md", "time": "now"}
    compaction = Part("compaction", "too much", {"strategy": "hybrid", "kept": "/x/left-out.md"})
    dropped = [
        Part("left out: tool", f"result {number}", {"tokens": 9, **told})
        for number in range(LEFT_OUT_SHOWN + 3)
    ]

    text = shown(Explanation(Topic.CONTEXT, "turn 1", parts=(compaction, *dropped)))

    assert text.count("/x/left-out.md") == 1
    assert text.count("left out: tool  tokens 9\n") == LEFT_OUT_SHOWN
    assert "3 more were left out; `victor explain context --json` has each." in text


def test_a_small_cost_is_told_in_full() -> None:
    parts = (Part("identity", "", {"tokens": 153, "cost_usd": 0.0000153}),)

    assert "tokens 153, cost_usd 0.0000153\n" in shown(Explanation(Topic.PROMPT, "it", parts=parts))


def test_how_far_the_figures_can_be_trusted_is_said_in_a_sentence() -> None:
    def sentence(fit: Fit, *, exact: bool) -> str:
        return accuracy(
            picture(
                (user("Hi"),),
                provider="p",
                model="m",
                system="",
                tools=(),
                window=1_000,
                reserve=100,
                threshold=0.8,
                fit=fit,
                vocabulary=len if exact else None,
            )
        )

    learned = Fit(1.25, 2, 0.031)
    assert sentence(Fit(), exact=False) == (
        "An estimate: 13 % off on average, up to 38 % for 95 of 100 texts."
    )
    assert sentence(learned, exact=False) == (
        "An estimate, calibrated by 2 calls (x 1.25); off by 3% lately."
    )
    assert sentence(Fit(), exact=True).startswith("Words are exact, by the model's own vocabulary;")
    assert sentence(learned, exact=True).endswith(
        "calibrated by 2 calls (x 1.25); off by 3% lately."
    )
