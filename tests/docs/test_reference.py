"""The pages that are made from the code are as the code is now, and leave nothing out."""

from __future__ import annotations

import inspect
from typing import get_args

import pytest
from tests.docs.conftest import DOCS, text_of
from tests.docs.reference import errors_page, events_page, tools_page

from victor import errors, events
from victor.config.settings import names


def test_the_page_of_events_is_up_to_date() -> None:
    assert text_of(DOCS / "events.md") == events_page(), "run `python -m tests.docs.reference`"


def test_the_page_of_errors_is_up_to_date() -> None:
    assert text_of(DOCS / "errors.md") == errors_page(), "run `python -m tests.docs.reference`"


def test_the_page_of_tools_is_up_to_date() -> None:
    page = text_of(DOCS / "tools.md")
    assert page == tools_page(), "run `python -m tests.docs.reference`"
    assert all(f"\n## {name}\n" in page for name in ("read", "edit", "apply_patch", "git", "task"))


@pytest.mark.parametrize("kind", get_args(events.Event), ids=lambda kind: kind.__name__)
def test_every_event_has_a_section_that_says_what_happened(kind: type) -> None:
    _, _, section = text_of(DOCS / "events.md").partition(f"\n## {kind.__name__}\n")
    assert len(section.strip().partition("\n")[0]) > 30


def test_every_error_has_a_row() -> None:
    page = text_of(DOCS / "errors.md")
    raised = [name for name, one in inspect.getmembers(errors, inspect.isclass) if _is_ours(one)]
    assert [name for name in raised if f"| `{name}` |" not in page] == []
    assert len(raised) > 20


def _is_ours(one: type) -> bool:
    return issubclass(one, errors.VictorError)


def test_every_setting_has_a_section() -> None:
    page = text_of(DOCS / "settings.md")
    assert [name for name in names() if f"## `{name}`\n" not in page] == []
