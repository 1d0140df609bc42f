"""How much of what was said and found is still there after a compaction, for each strategy.

The conversations are made of real text: an agent is asked about modules of the standard library,
lists and reads their source, and answers. Facts are what can be checked letter by letter: what the
user demanded, lines that were read, and what the agent stated.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import random
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pytest

from victor import tokens
from victor.agent.coordinators.context_coordinator import ContextCoordinator
from victor.agent.outputs import Outputs
from victor.context import strategies
from victor.embedding import text_likeness
from victor.messages import Message, ToolCall, ToolResult, assistant, tool_results, user

pytestmark = pytest.mark.anyio

MODULES = """
    argparse ast asyncio.tasks base64 calendar cmd codeop collections configparser contextlib copy
    csv dataclasses datetime decimal difflib email.message enum fileinput fractions functools
    getpass glob gzip heapq html.parser http.client inspect ipaddress json.decoder linecache
    logging mailbox mimetypes netrc optparse pathlib pdb pickle pprint queue random sched shelve
    shlex shutil smtplib socketserver statistics string subprocess tarfile tempfile textwrap
    threading timeit tokenize traceback typing uuid warnings weakref xmlrpc.client zipfile
""".split()  # noqa: SIM905  # a list of seventy quoted words would be seventy lines
STRATEGIES = ("truncation", "tool_results", "semantic", "hybrid")
SHARES = (0.5, 0.25, 0.1)


class Source(StrEnum):
    USER = "user"
    TOOL = "tool"
    AGENT = "agent"


@dataclass(frozen=True)
class Fact:
    source: Source
    text: str
    topic: str


@dataclass
class Conversation:
    messages: list[Message] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)

    def step(self, name: str, path: str, output: str) -> None:
        call = ToolCall(f"{name}-{len(self.messages)}", name, {"path": path})
        self.messages += [assistant("", call), tool_results(ToolResult(call.id, output))]


def conversation(seed: int) -> Conversation:
    """Return a session of fourteen tasks, each about a module that is listed and read in parts."""
    dice = random.Random(seed)
    made = Conversation()
    for task, name in enumerate(dice.sample(MODULES, 14)):
        module = importlib.import_module(name)
        source = inspect.getsource(module)
        path = f"lib/{name.replace('.', '/')}.py"
        demand = f"never touch line {dice.randint(10, 900)} of {path}, ticket T-{seed}{task:02}"
        made.messages.append(user(f"Explain how {name} works for our guide; {demand}."))
        made.facts.append(Fact(Source.USER, demand, name))
        lines = source.splitlines()
        outline = [node for node in ast.parse(source).body if hasattr(node, "name")]
        listing = "\n".join(f"{node.lineno}: {getattr(node, 'name', '')}" for node in outline)
        made.step("outline", path, listing)
        for node in dice.sample(outline, min(3, len(outline))):
            part = "\n".join(lines[node.lineno - 1 : node.lineno + 60])
            made.step("read", f"{path}:{node.lineno}", part)
            telling = [line.strip() for line in part.splitlines() if len(line.strip()) > 20]
            made.facts.append(Fact(Source.TOOL, dice.choice(telling), name))
            stated = f"{getattr(node, 'name', '')} begins in line {node.lineno} of {path}"
            made.messages.append(assistant(f"{stated}. It is one of the module's main parts."))
            made.messages.append(user("Go on."))
            made.facts.append(Fact(Source.AGENT, stated, name))
        made.messages[-1] = user("Good, that is enough of this module.")
        made.messages.append(assistant(f"{name} is described. The next one, please."))
    made.messages.append(user("Now write down what you found of the first and the last module."))
    return made


def words(messages: tuple[Message, ...]) -> str:
    return "\n".join(
        part
        for message in messages
        for part in (message.text, *(result.content for result in message.tool_results))
    )


@dataclass
class Kept:
    """Shares of the facts, by who stated them: in the context, and there or in the file it names"""

    seen: dict[Source, float]
    reached: dict[Source, float]
    all_seen: float
    all_reached: float


async def compacted(
    talk: Conversation, name: str, share: float, folder: Path, focus: str = ""
) -> str:
    """Compact to `share` of the tokens and return what the model sees then."""
    size = sum(map(tokens.of_message, talk.messages))
    known = strategies(text_likeness)
    coordinator = ContextCoordinator(
        name, threshold=1.0, strategies=known, left_out=Outputs(folder)
    )
    coordinator.start_session(f"{name}-{share}-{focus}")
    coordinator.append(*talk.messages)
    # A compaction aims at half of the room, and comes at the whole of it.
    room = int(size * share * 2) - 1
    context = await coordinator.compact(room, 0, lambda event: None, None, focus)
    assert sum(map(tokens.of_message, context.messages)) <= size * share * 2
    return words(context.messages)


def found(talk: Conversation, text: str, source: Source | None = None, topic: str = "") -> float:
    """Return the share of the facts, of one source or topic, that stand in `text`."""
    facts = [
        fact.text
        for fact in talk.facts
        if source in (None, fact.source) and topic in ("", fact.topic)
    ]
    return sum(fact in text for fact in facts) / len(facts)


async def kept(talk: Conversation, name: str, share: float, folder: Path) -> Kept:
    """Compact to `share` of the tokens and look for each fact."""
    here = await compacted(talk, name, share, folder)
    files = [file.read_text("utf-8") for file in folder.rglob("left-out.md") if str(file) in here]
    reach = "\n".join((here, *files))
    return Kept(
        {source: found(talk, here, source) for source in Source},
        {source: found(talk, reach, source) for source in Source},
        found(talk, here),
        found(talk, reach),
    )


@pytest.fixture(scope="module")
def talks() -> list[Conversation]:
    return [conversation(seed) for seed in (1, 2, 3)]


@pytest.mark.parametrize("share", SHARES)
async def test_facts_survive_compaction(
    talks: list[Conversation], share: float, tmp_path: Path
) -> None:
    """The user's are in the context, all are at most one search away; hybrid beats truncation."""
    table: dict[str, list[Kept]] = {}
    for name in STRATEGIES:
        table[name] = [
            await kept(talk, name, share, tmp_path / f"{number}")
            for number, talk in enumerate(talks)
        ]
    for name, rows in table.items():
        seen = {who: sum(row.seen[who] for row in rows) / len(rows) for who in Source}
        told = " ".join(f"{who} {value:4.0%}" for who, value in seen.items())
        every = sum(row.all_reached for row in rows) / len(rows)
        print(f"{share:4.0%} {name:13} in the context: {told}; one search away: {every:4.0%}")
    for rows in table.values():
        assert min(row.all_reached for row in rows) == 1.0
    hybrid, plain = table["hybrid"], table["truncation"]
    assert sum(row.all_seen for row in hybrid) >= sum(row.all_seen for row in plain)
    if share >= 0.25:
        assert min(row.seen[Source.USER] for row in hybrid) >= 0.9


@pytest.mark.parametrize("share", [0.25, 0.1])
@pytest.mark.parametrize("name", ["semantic", "hybrid"])
async def test_what_the_focus_names_is_kept_more_than_without_it(
    talks: list[Conversation], name: str, share: float, tmp_path: Path
) -> None:
    """Of what tools gave about modules from the middle of the conversation."""
    plain, focused = [], []
    for talk in talks:
        for topic in list(dict.fromkeys(fact.topic for fact in talk.facts))[5:8]:
            here = await compacted(talk, name, share, tmp_path)
            plain.append(found(talk, here, Source.TOOL, topic))
            here = await compacted(talk, name, share, tmp_path, f"how {topic} works")
            focused.append(found(talk, here, Source.TOOL, topic))
    without, with_it = sum(plain) / len(plain), sum(focused) / len(focused)
    print(f"{share:4.0%} {name:13} of the focus: {with_it:4.0%}, without it {without:4.0%}")
    assert with_it > without + 0.2
