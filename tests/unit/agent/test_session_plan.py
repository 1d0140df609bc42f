"""The plan of a session, between a person's word and the model's hearing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from victor import plans
from victor.agent.plan_files import PlanFiles
from victor.agent.session_plan import SessionPlan

pytestmark = pytest.mark.anyio


async def test_an_approved_plan_is_told_until_a_turn_begins(tmp_path: Path) -> None:
    plan = SessionPlan(PlanFiles(tmp_path))
    assert plan.note("s") == ""
    plan.approve("Mend it.")
    assert "Mend it." in plan.note("s")
    assert str(tmp_path / "s" / "plan.md") in plan.note("s")
    plan.settle()
    assert plan.note("s") == ""
    assert plan.taken_back == ""


async def test_what_is_taken_back_is_known_until_it_is_approved_anew(tmp_path: Path) -> None:
    plan = SessionPlan(PlanFiles(tmp_path))
    plan.keep_planning()
    assert plan.taken_back == ""
    plan.approve("Mend it.")
    plan.keep_planning()
    plan.keep_planning()
    assert (plan.note("s"), plan.taken_back) == ("", "Mend it.")
    plan.approve("Mend it otherwise.")
    assert plan.taken_back == ""


async def test_a_file_that_is_gone_is_made_anew_from_the_record(tmp_path: Path) -> None:
    plan = SessionPlan(PlanFiles(tmp_path))
    records = (plans.record("Mend it.", approved=True),)
    assert await plan.current("s", ()) is None
    await plan.restore("s", records)
    assert (tmp_path / "s" / "plan.md").read_text() == "Mend it."
    assert "Mend it." in plan.note("s")
    now = await plan.current("s", records)
    assert now is not None
    assert (now.text, now.approved) == ("Mend it.", True)
    (tmp_path / "s" / "plan.md").write_text("Another one.")
    now = await plan.current("s", records)
    assert now is not None
    assert (now.text, now.approved) == ("Another one.", False)
