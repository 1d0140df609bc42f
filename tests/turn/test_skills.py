"""A skill costs a line of the prompt until it is needed, and then its instructions are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from victor.agent.orchestrator import AgentOrchestrator
from victor.config.sources import SkillFolders
from victor.config.trust import Trust
from victor.messages import ToolResult
from victor.testing import ScriptedProvider, call

pytestmark = pytest.mark.anyio

New = Callable[..., AgentOrchestrator]

SKILL = "---\nname: release\ndescription: How releases are made.\n---\nTag it, then tell Ada.\n"


def put(folder: Path) -> None:
    (folder / "release").mkdir(parents=True)
    (folder / "release/SKILL.md").write_text(SKILL)
    (folder / "release/checklist.txt").write_text("one, two")


async def test_the_model_reads_a_skill_and_its_files_when_it_needs_them(
    new: New, tmp_path: Path
) -> None:
    folder = tmp_path / "skills"
    put(folder)
    provider = ScriptedProvider(
        [call("skill", name="release"), call("skill", name="releases")],
        [call("read", path=str(folder / "release/checklist.txt"))],
        "done",
    )
    made = new(provider=provider, skill_folders=(str(folder),))

    await made.chat("Make a release")

    first, *_, last = provider.requests
    assert "- release: How releases are made." in first.system
    assert "Tag it" not in first.system
    results = [
        part.content
        for message in last.messages
        for part in message.parts
        if isinstance(part, ToolResult)
    ]
    assert "Tag it, then tell Ada." in results[0]
    assert str(folder / "release") in results[0]
    assert "Did you mean 'release'?" in results[1]
    assert "one, two" in results[2]


async def test_without_skills_neither_prompt_nor_tools_speak_of_them(new: New) -> None:
    provider = ScriptedProvider("hi")

    await new(provider=provider).chat("hello")

    assert "skill" not in {tool.name for tool in provider.requests[0].tools}
    assert "Skills are instructions" not in provider.requests[0].system


def test_a_project_s_skills_count_once_it_is_trusted_as_it_is_now(tmp_path: Path) -> None:
    home, project = tmp_path / "home", tmp_path / "project"
    put(home / "skills")
    put(project / ".victor/skills")
    trust = Trust(tmp_path / "trust.json")
    folders = SkillFolders(home, project, trust)
    assert folders.read() == {"skill_folders": (str(home / "skills"),)}
    assert "`victor trust`" in folders.warning

    trust.trust(project)
    assert folders.read()["skill_folders"] == (
        str(home / "skills"),
        str(project / ".victor/skills"),
    )
    assert folders.warning == ""

    (project / ".victor/skills/release/SKILL.md").write_text(f"{SKILL}Tell Eve, too.")
    assert folders.read()["skill_folders"] == (str(home / "skills"),)
    assert "or is there now" in folders.warning

    (project / ".victor/config.toml").write_text("max_tools = 20\n")
    folders.read()
    assert folders.warning == ""  # the file's own source tells of it
    assert SkillFolders(tmp_path / "nothing").read() == {}
