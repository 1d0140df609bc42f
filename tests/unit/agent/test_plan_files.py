from __future__ import annotations

from pathlib import Path

import pytest

from victor.agent.plan_files import PlanFiles

pytestmark = pytest.mark.anyio


async def test_a_plan_is_made_anew_only_where_there_is_none(tmp_path: Path) -> None:
    plans = PlanFiles(tmp_path / "plans")
    assert await plans.read("s1") is None
    await plans.restore("s1", "the first")
    await plans.restore("s1", "another")
    assert await plans.read("s1") == "the first"
    assert plans.of("s1").stat().st_mode & 0o077 == 0


async def test_a_link_is_no_plan(tmp_path: Path) -> None:
    plans = PlanFiles(tmp_path / "plans")
    plans.of("s1").parent.mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    plans.of("s1").symlink_to(tmp_path / "secret")
    assert await plans.read("s1") is None


async def test_an_id_from_elsewhere_leads_nowhere_else(tmp_path: Path) -> None:
    plans = PlanFiles(tmp_path)
    assert plans.of("../../etc").parent.parent == plans.folder


@pytest.mark.parametrize("passing", [True, False])
async def test_only_what_was_not_to_stay_goes_in_the_end(tmp_path: Path, passing: bool) -> None:
    plans = PlanFiles(tmp_path / "plans", passing=passing)
    await plans.aclose()
    await plans.restore("s1", "text")
    await plans.aclose()
    assert plans.folder.exists() is not passing
