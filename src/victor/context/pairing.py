"""The pairing check under its name in this folder; the rules are in `victor.pairing`."""

from __future__ import annotations

from victor.pairing import INTERRUPTED, LEFT_OUT, interrupted, problems, repair

__all__ = ["INTERRUPTED", "LEFT_OUT", "interrupted", "problems", "repair"]
