"""The share of facts that outlive a compaction, in conversations of another shape than sessions.

People state several facts in one long message, constraints come late, negations and paths among
them; tools give JSON in one line, logs, prose and binary signs. A fact counts where it stands in
the context, or in what a place that the context names gives to the `read` tool: lines of the file
of what was left out, each in one call.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field
from pathlib import Path
from pydoc_data.topics import topics

import pytest

from victor import tokens
from victor.agent.coordinators.context_coordinator import ContextCoordinator
from victor.agent.outputs import Outputs
from victor.context import strategies
from victor.embedding import text_likeness
from victor.messages import Message, Role, ToolCall, ToolResult, assistant, tool_results, user
from victor.protocols import ToolEnvironment
from victor.tools import builtin_tools

pytestmark = pytest.mark.anyio

PROSE = tuple(
    paragraph.replace("\n", " ")
    for text in topics.values()
    for paragraph in text.split("\n\n")
    if 150 < len(paragraph) < 900
)
TURNS = 24
WHERE = re.compile(r"kept word for word in (\S+): ")
LINES = re.compile(r"\b(\d+)-(\d+)\b(?=[\d, -]*(?: of left-out\.md|\.\)))")


@dataclass
class Talk:
    messages: list[Message] = field(default_factory=list)
    stated: list[str] = field(default_factory=list)
    """What the user stated."""
    found: list[str] = field(default_factory=list)
    """What tools gave, and what the model decided."""


def talk(seed: int) -> Talk:
    dice = random.Random(seed)
    made = Talk()
    for turn in range(TURNS):
        facts = [
            f"the limit of batch {seed}{turn} is {dice.randint(1_000, 99_999)} rows",
            f"do not use port {dice.randint(2_000, 60_000)} for service-{turn}",
            f"results go to /srv/data/{seed}/{turn}/out-{dice.randint(10, 99)}.parquet",
        ]
        before, behind = dice.sample(PROSE, 2)
        made.messages.append(user(f"{before}\nMind that {'; '.join(facts)}.\n{behind}"))
        made.stated += facts
        for number in range(dice.randint(1, 3)):
            call, output, fact = _step(dice, turn, f"{seed}.{turn}.{number}")
            made.messages += [assistant("", call), tool_results(ToolResult(call.id, output))]
            made.found.append(fact)
        decided = f"for part {turn} I take way {dice.choice('ABCDEF')}{dice.randint(10, 999)}"
        made.messages.append(assistant(f"{dice.choice(PROSE)} So {decided}."))
        made.found.append(decided)
    made.messages.append(user("Go on with the export, and mind everything that I said."))
    return made


def _step(dice: random.Random, turn: int, call_id: str) -> tuple[ToolCall, str, str]:
    """Return a call, what it gave, and a fact of that."""
    match turn % 4:
        case 0:
            rows = [{"id": dice.randint(1, 10**6), "name": dice.choice(PROSE)} for _ in range(20)]
            fact = f'"id": {dice.choice(rows)["id"]}'
            return ToolCall(call_id, "query", {"sql": f"select {turn}"}), json.dumps(rows), fact
        case 1:
            lines = [f"ERROR worker {n} exit after {dice.randint(1, 9_999)} ms" for n in range(99)]
            call = ToolCall(call_id, "shell", {"command": f"tail app{turn}.log"})
            return call, "\n".join(lines), dice.choice(lines)
        case 2:
            found = dice.sample(PROSE, 9)
            call = ToolCall(call_id, "fetch", {"url": f"https://example.org/{turn}"})
            return call, "\n\n".join(found), dice.choice(found)[40:120]
        case _:
            found = dice.sample(PROSE, 3)
            call = ToolCall(call_id, "dump", {"name": f"n{turn}"})
            return call, "\0\1" + "\n".join(found), dice.choice(found)[40:120]


async def reached(here: str, folder: Path) -> str:
    """Return what the model sees, and what the places that it is told of give to `read`."""
    place = WHERE.search(here)
    if place is None:
        return here
    tools = {tool.spec.name: tool for tool in builtin_tools(folder, readable=(folder,))}
    environment = ToolEnvironment(folder, output_limit=10**6, output_tokens=10**6)
    read = []
    for first, last in LINES.findall(here):
        asked = {"path": place[1], "offset": int(first), "limit": int(last) - int(first) + 1}
        read.append((await tools["read"].run(asked, environment)).content)
    return "\n".join((here, *read))


@pytest.mark.parametrize("share", [0.5, 0.25, 0.1])
@pytest.mark.parametrize("name", ["truncation", "hybrid"])
async def test_what_people_said_stays_and_the_rest_is_one_read_away(
    name: str, share: float, tmp_path: Path
) -> None:
    stated, every = [], []
    for seed in (1, 2, 3):
        made = talk(seed)
        size = sum(map(tokens.of_message, made.messages))
        coordinator = ContextCoordinator(
            name,
            threshold=1.0,
            strategies=strategies(text_likeness),
            left_out=Outputs(tmp_path / str(seed)),
        )
        coordinator.start_session("s")
        coordinator.append(*made.messages)
        context = await coordinator.fit(int(size * share * 2) - 1, 0, lambda event: None, None)
        here = "\n".join(
            part
            for message in context.messages
            for part in (message.text, *(result.content for result in message.tool_results))
        )
        text = await reached(here, tmp_path)
        stated.append(sum(fact in text for fact in made.stated) / len(made.stated))
        facts = made.stated + made.found
        every.append(sum(fact in text for fact in facts) / len(facts))
        assert context.messages[-1].role is Role.USER
    print(f"{share:4.0%} {name:10} stated by people {min(stated):4.0%}, all {min(every):4.0%}")
    assert min(stated) >= 0.9
    if name == "hybrid" and share >= 0.25:
        assert min(every) >= 0.75
