from __future__ import annotations

import asyncio
from typing import Any

import pytest

from victor.agent.coordinators.prompt_coordinator import BasePromptContributor, PromptCoordinator
from victor.errors import ConfigError, CoordinatorError
from victor.protocols import INoteContributor, PromptContext

pytestmark = pytest.mark.anyio


class Says(BasePromptContributor):
    def __init__(self, text: str, priority: int = 50, *, mandatory: bool = False) -> None:
        self.text = text
        self.rank = priority
        self.mandatory = mandatory

    @property
    def name(self) -> str:
        return f"says {self.text}"

    def priority(self) -> int:
        return self.rank

    async def get_contribution(self, context: PromptContext) -> str:
        return self.text


class CompliancePromptContributor(BasePromptContributor):
    """Add compliance requirements to prompts."""

    def priority(self) -> int:
        return 50

    async def get_contribution(self, context: PromptContext) -> str:
        if context.get("requires_compliance"):
            return "\nCompliance: Follow all regulatory requirements."
        return ""


class Misbehaves(BasePromptContributor):
    def __init__(self, way: str, *, mandatory: bool = False) -> None:
        self.way = way
        self.mandatory = mandatory
        self.asked = 0

    async def get_contribution(self, context: PromptContext) -> Any:
        self.asked += 1
        match self.way:
            case "raises":
                raise RuntimeError("no idea")
            case "hangs":
                await asyncio.Event().wait()
            case "says it was cancelled":
                raise asyncio.CancelledError
            case "returns bytes":
                return b"text"
            case "works":
                return "well"
            case "says how often it was asked":
                return str(self.asked)
        return None


WAYS = ["raises", "hangs", "says it was cancelled", "returns bytes", "returns None"]


async def test_parts_come_in_order_of_priority_and_then_as_they_were_added() -> None:
    prompt = PromptCoordinator([Says("low", 10), Says("a"), Says("high", 900)])
    prompt.add_contributor(Says("b"))

    assert await prompt.build_system_prompt(PromptContext()) == "high\n\na\n\nb\n\nlow"


async def test_the_guide_s_contributor_adds_its_text_where_it_applies() -> None:
    prompt = PromptCoordinator([Says("core", 100)])
    prompt.add_contributor(CompliancePromptContributor())

    assert await prompt.build_system_prompt(PromptContext()) == "core"
    assert await prompt.build_system_prompt(PromptContext(requires_compliance=True)) == (
        "core\n\nCompliance: Follow all regulatory requirements."
    )


async def test_without_a_context_it_is_the_one_built_for_last() -> None:
    prompt = PromptCoordinator([CompliancePromptContributor()])

    assert await prompt.build_system_prompt(...) == ""
    built = await prompt.build_system_prompt(PromptContext(requires_compliance=True))
    assert await prompt.build_system_prompt(...) == built != ""
    assert await prompt.build_system_prompt() == built


async def test_a_prompt_that_has_not_changed_is_the_same_object() -> None:
    prompt = PromptCoordinator([Says("one"), Says("two")])

    first = await prompt.build_system_prompt(PromptContext(mode="build"))

    assert await prompt.build_system_prompt(PromptContext(mode="plan")) is first


async def test_a_removed_contributor_says_nothing_any_more() -> None:
    one, two = Says("one"), Says("two")
    prompt = PromptCoordinator([one, two])
    await prompt.build_system_prompt()

    prompt.remove_contributor(one)
    prompt.remove_contributor(one)

    assert await prompt.build_system_prompt() == "two"
    assert prompt.contributors == (two,)


async def test_each_part_is_explained_by_who_wrote_it() -> None:
    prompt = PromptCoordinator([Says("silent", 70), Says("core", 90)])
    prompt.contributors[1].text = ""  # type: ignore[attr-defined]
    await prompt.build_system_prompt()

    [part] = prompt.explain()

    assert (part.contributor, part.priority, part.text) == ("says core", 90, "core")
    assert part.tokens > 0


@pytest.mark.parametrize("way", WAYS)
async def test_a_part_that_misbehaves_is_left_out_and_reported(way: str) -> None:
    reported: list[tuple[str, str]] = []
    prompt = PromptCoordinator(
        [Says("before", 90), Misbehaves(way), Says("after", 10)],
        time_limit=0.01,
        on_failure=lambda name, error: reported.append((name, error)),
    )

    assert await prompt.build_system_prompt() == "before\n\nafter"

    [(name, error)] = reported
    assert name == "Misbehaves"
    assert [(one.contributor, one.error) for one in prompt.failures] == [(name, error)]
    assert [part.contributor for part in prompt.explain()] == ["says before", "says after"]


@pytest.mark.parametrize("way", WAYS)
async def test_without_a_mandatory_part_there_is_no_prompt(way: str) -> None:
    prompt = PromptCoordinator([Misbehaves(way, mandatory=True)], time_limit=0.01)

    with pytest.raises(CoordinatorError, match="Misbehaves"):
        await prompt.build_system_prompt()


async def test_a_part_that_keeps_failing_is_left_alone_for_a_while() -> None:
    now = 100.0
    broken = Misbehaves("raises")
    prompt = PromptCoordinator([broken, Says("fine")], clock=lambda: now)

    for _ in range(10):
        assert await prompt.build_system_prompt() == "fine"
    assert broken.asked == 3
    assert len(prompt.failures) == 3

    now += 31
    broken.way = "works"
    assert await prompt.build_system_prompt() == "well\n\nfine"
    assert await prompt.build_system_prompt() == "well\n\nfine"


async def test_a_mandatory_part_is_asked_each_time() -> None:
    broken = Misbehaves("raises", mandatory=True)
    prompt = PromptCoordinator([broken])

    for _ in range(5):
        with pytest.raises(CoordinatorError):
            await prompt.build_system_prompt()
    broken.way = "works"
    assert await prompt.build_system_prompt() == "well"


async def test_real_cancellation_passes_through() -> None:
    prompt = PromptCoordinator([Misbehaves("hangs")])
    task = asyncio.create_task(prompt.build_system_prompt())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert prompt.failures == ()


async def test_contributors_that_wait_for_something_are_waited_for() -> None:
    class Waits(BasePromptContributor):
        async def get_contribution(self, context: PromptContext) -> str:
            await asyncio.sleep(0)
            return "worth the wait"

    assert await PromptCoordinator([Waits()]).build_system_prompt() == "worth the wait"


async def test_settings_reach_every_contributor_also_those_that_come_later() -> None:
    class Takes(Says):
        def configure(self, config: Any) -> None:
            self.text = config["instructions"]

    class Plain:
        def priority(self) -> int:
            return 1

        async def get_contribution(self, context: PromptContext) -> str:
            return "plain"

    prompt = PromptCoordinator([Takes("early"), Plain()])
    prompt.configure({"instructions": "be brief"})
    prompt.add_contributor(Takes("late"))

    assert await prompt.build_system_prompt() == "be brief\n\nbe brief\n\nplain"


def test_what_is_no_contributor_is_refused() -> None:
    class NoRank(BasePromptContributor):
        def priority(self) -> Any:
            return "high"

        async def get_contribution(self, context: PromptContext) -> str:
            return ""

    with pytest.raises(ConfigError, match="str is no prompt contributor"):
        PromptCoordinator(["text"])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="whole number"):
        PromptCoordinator([NoRank()])


def test_a_mandatory_part_cannot_be_removed() -> None:
    core = Says("core", mandatory=True)
    prompt = PromptCoordinator([core])

    with pytest.raises(ConfigError, match="says core"):
        prompt.remove_contributor(core)
    assert prompt.contributors == (core,)


async def test_a_name_is_given_by_the_class_unless_there_is_a_better_one() -> None:
    prompt = PromptCoordinator([CompliancePromptContributor()])
    await prompt.build_system_prompt(PromptContext(requires_compliance=True))

    assert prompt.explain()[0].contributor == "CompliancePromptContributor"


class Constant(Misbehaves):
    """Says the same until it is configured or renewed."""

    constant = True


async def test_a_constant_part_is_asked_once_until_settings_or_a_compaction_may_change_it() -> None:
    part, other = Constant("says how often it was asked"), Says("and more", priority=10)
    prompt = PromptCoordinator([part, other])
    for expected in ("1", "1"):
        assert await prompt.build_system_prompt(PromptContext()) == f"{expected}\n\nand more"
    other.text = "else"
    assert await prompt.build_system_prompt(PromptContext()) == "1\n\nelse"
    prompt.configure({})
    assert await prompt.build_system_prompt(PromptContext()) == "2\n\nelse"
    prompt.renew()
    assert await prompt.build_system_prompt(PromptContext()) == "3\n\nelse"


async def test_a_constant_part_that_failed_is_asked_again() -> None:
    part = Constant("raises")
    prompt = PromptCoordinator([part])
    assert await prompt.build_system_prompt(PromptContext()) == ""
    part.way = "says how often it was asked"
    assert await prompt.build_system_prompt(PromptContext()) == "2"


class Notes(Says):
    def __init__(self, *notes: str | Exception) -> None:
        super().__init__("part")
        self.notes = list(notes)
        self.renewed = 0

    async def get_note(self, context: PromptContext, paths: tuple[str, ...]) -> str:
        note = self.notes.pop(0)
        if isinstance(note, Exception):
            raise note
        return f"{note} {' '.join(paths)}"

    def renew(self) -> None:
        self.renewed += 1


async def test_notes_come_from_those_that_write_some_and_leave_the_prompt_as_it_is() -> None:
    assert isinstance(Notes(), INoteContributor)
    assert not isinstance(Says("core"), INoteContributor)
    prompt = PromptCoordinator([Says("core", 100), Notes("one", ""), Notes("two", " ")])
    before = await prompt.build_system_prompt(PromptContext())

    assert await prompt.note(PromptContext(), ("a.py",)) == "one a.py\n\ntwo a.py"
    assert await prompt.note(PromptContext()) == ""
    assert await prompt.build_system_prompt(PromptContext()) is before


async def test_a_note_that_fails_is_left_out_and_reported() -> None:
    heard = []
    prompt = PromptCoordinator(
        [Notes(OSError("gone")), Notes("fine")], on_failure=lambda *told: heard.append(told)
    )

    assert await prompt.note(PromptContext()) == "fine"
    assert heard == [("says part", "OSError: gone")]


def test_everybody_reads_anew_what_is_kept_for_the_session() -> None:
    part = Notes()

    PromptCoordinator([Says("core"), part]).renew()

    assert part.renewed == 1
