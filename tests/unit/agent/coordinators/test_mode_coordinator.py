from __future__ import annotations

from pathlib import Path

import pytest

from victor.agent.coordinators.mode_coordinator import ModeCoordinator
from victor.errors import UnknownNameError
from victor.messages import Effect, ToolSpec
from victor.protocols import Mode


def test_it_builds_unless_told_otherwise() -> None:
    assert ModeCoordinator().current is Mode.BUILD
    assert ModeCoordinator("plan").current is Mode.PLAN


def test_a_switch_tells_the_mode_before_and_after() -> None:
    modes = ModeCoordinator()
    assert modes.switch(" Plan ") == (Mode.BUILD, Mode.PLAN)
    assert modes.switch(Mode.EXPLORE) == (Mode.PLAN, Mode.EXPLORE)
    assert modes.current is Mode.EXPLORE


@pytest.mark.parametrize("mode", ["plam", "", 3])
def test_an_unknown_mode_is_refused_and_changes_nothing(mode: object) -> None:
    modes = ModeCoordinator(Mode.PLAN)
    with pytest.raises(UnknownNameError, match="build, explore, plan"):
        modes.switch(mode)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError):
        modes.configure({"mode": mode})
    assert modes.current is Mode.PLAN


def test_the_setting_is_adopted_once_and_does_not_undo_a_switch() -> None:
    modes = ModeCoordinator()
    modes.configure({})
    modes.configure({"mode": "build"})
    modes.switch("plan")
    modes.configure({"mode": "build"})
    assert modes.current is Mode.PLAN
    modes.configure({"mode": "explore"})
    assert modes.current is Mode.EXPLORE


@pytest.mark.parametrize("mode", [Mode.PLAN, Mode.EXPLORE])
def test_only_reading_is_permitted_outside_of_build(mode: Mode) -> None:
    modes = ModeCoordinator(mode)
    assert [effect for effect in Effect if modes.permits(effect)] == [Effect.READ_ONLY]
    assert all(ModeCoordinator().permits(effect) for effect in Effect)


def test_what_is_allowed_follows_from_what_tools_declare() -> None:
    specs = tuple(ToolSpec(effect.value, "", {}, effect) for effect in Effect)
    undeclared = ToolSpec("undeclared", "", {})
    modes = ModeCoordinator("plan")
    assert modes.allowed((*specs, undeclared)) == (specs[0],)


def test_each_mode_has_instructions_of_its_own() -> None:
    texts = {ModeCoordinator(mode).instructions() for mode in Mode}
    assert len(texts) == len(Mode)
    assert all(text.startswith("Mode: ") for text in texts)


def test_exploring_may_take_more_steps() -> None:
    assert ModeCoordinator("build").tool_iterations(5) == 5
    assert ModeCoordinator("explore").tool_iterations(5) == 15
    assert ModeCoordinator("explore").tool_iterations(0) == 1


def test_the_plan_of_the_session_is_told_while_planning_and_only_then() -> None:
    modes = ModeCoordinator("plan", plan_of=lambda session: Path("/plans", session, "plan.md"))
    assert "plan.md" not in modes.instructions()
    modes.start_session("s1")
    assert "/plans/s1/plan.md" in modes.instructions()
    modes.switch("explore")
    assert "plan.md" not in modes.instructions()


def test_without_a_place_for_it_the_answer_is_the_plan() -> None:
    modes = ModeCoordinator("plan")
    modes.start_session("s1")
    assert modes.instructions().endswith("are refused.")
