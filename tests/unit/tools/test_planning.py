"""The tools that can write the session's plan, where nothing else may be written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from victor.agent.tool_claims import ToolClaims
from victor.errors import ToolError
from victor.messages import Effect, JsonObject, ToolCall, ToolSpec
from victor.protocols import IPlanTool, ToolEnvironment, ToolOutput
from victor.tools.apply_patch import ApplyPatch
from victor.tools.edit import Edit, MultiEdit
from victor.tools.seen import SeenFiles
from victor.tools.workspace import Workspace
from victor.tools.write import Write

pytestmark = pytest.mark.anyio


@pytest.fixture
def environment(tmp_path: Path) -> ToolEnvironment:
    home = Path(os.path.realpath(tmp_path))
    (home / "work").mkdir()
    return ToolEnvironment(home / "work", writable=False, plan=home / "plans" / "s1" / "plan.md")


def tools(environment: ToolEnvironment) -> tuple[Write, Edit]:
    workspace, seen = Workspace(environment.workspace), SeenFiles()
    return Write(workspace, seen), Edit(workspace, seen)


def test_only_tools_that_change_one_file_can_write_it(environment: ToolEnvironment) -> None:
    workspace = Workspace(environment.workspace)
    assert all(isinstance(tool, IPlanTool) for tool in tools(environment))
    assert not isinstance(MultiEdit(workspace), IPlanTool)
    assert not isinstance(ApplyPatch(workspace), IPlanTool)


async def test_what_was_written_is_given_whole_and_can_be_edited(
    environment: ToolEnvironment,
) -> None:
    write, edit = tools(environment)
    path = str(environment.plan)
    written = await write.run({"path": path, "content": "one\ntwo\n"}, environment)
    assert (written.plan, written.display) == ("one\ntwo\n", "")
    assert written.content == f"Created {path} (2 lines). The user is shown the plan."
    edited = await edit.run({"path": path, "old": "two", "new": "three"}, environment)
    assert edited.plan == "one\nthree\n"
    assert "+three" in edited.display
    assert list(environment.workspace.iterdir()) == []


async def test_where_all_may_be_written_the_plan_may_not(environment: ToolEnvironment) -> None:
    write, _ = tools(environment)
    free = ToolEnvironment(environment.workspace, plan=environment.plan)
    assert not free.plan_only
    with pytest.raises(ToolError, match="outside the workspace"):
        await write.run({"path": str(environment.plan), "content": "x"}, free)


async def test_where_its_folder_cannot_be_made_the_model_is_told(
    environment: ToolEnvironment,
) -> None:
    write, _ = tools(environment)
    assert environment.plan is not None
    environment.plan.parent.parent.write_text("in the way")
    with pytest.raises(ToolError, match="cannot be written"):
        await write.run({"path": str(environment.plan), "content": "x"}, environment)


class Careless:
    """Somebody's tool, whose word on the plan cannot be had."""

    spec = ToolSpec("careless", "", {}, Effect.EFFECTFUL)

    def paths(self, arguments: JsonObject, environment: ToolEnvironment) -> tuple[Path, ...]:
        return ()

    async def run(self, arguments: JsonObject, environment: ToolEnvironment) -> ToolOutput:
        return ToolOutput("")

    def writes_only(self, arguments: JsonObject, file: Path) -> bool:
        if not arguments:
            raise RuntimeError
        return "yes"  # type: ignore[return-value]


@pytest.mark.parametrize("arguments", [{}, {"path": "x"}])
def test_a_word_that_is_none_counts_as_no(
    arguments: JsonObject, environment: ToolEnvironment
) -> None:
    claims = ToolClaims({"careless": Careless()})
    assert not claims.review(ToolCall("1", "careless", arguments), environment).plan
