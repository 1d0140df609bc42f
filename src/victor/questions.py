"""What a person is asked about a tool call, with nothing hidden in it."""

from __future__ import annotations

import json

from victor.protocols import CallReview
from victor.visible import visible

QUESTION_CHARACTERS = 2_000
"""Of a longer question, both ends are shown."""


def question(review: CallReview, reason: str) -> str:
    """Return what is asked, why, and whether it can be undone."""
    call, access = review.call, review.access
    if access.command:
        what = f"Run this command?\n{visible(access.command)}"
    elif access.known and access.hosts:
        what = f"Let {visible(call.name)} talk to {visible(', '.join(access.hosts))}?"
    elif access.known and access.paths and review.targets is None:
        what = f"Let {visible(call.name)} change {visible(', '.join(access.paths))}?"
    else:
        arguments = json.dumps(dict(call.arguments), ensure_ascii=False, default=repr)
        what = f"Run {visible(call.name)} with {visible(arguments)}?"
    if len(what) > QUESTION_CHARACTERS:
        half = QUESTION_CHARACTERS // 2
        left_out = len(what) - 2 * half
        what = f"{what[:half]}\n[... {left_out:,} characters not shown ...]\n{what[-half:]}"
    if reason:
        what = f"{what}\nAsked because {visible(reason)}."
    if review.undoable:
        return what
    if access.command:
        return f"{what}\nOnly what it changes in files of this folder can be undone."
    return f"{what}\nIt cannot be undone."
