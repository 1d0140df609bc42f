"""The prompts of the small-model profile: short, and growing only at their end.

A small model on a CPU reads 40 to 100 tokens a second, so every sentence here costs; and what was
read once is kept as long as the beginning stays the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TypeAlias

from victor.messages import JsonObject, Message, Role, ToolCall, ToolSpec
from victor.providers.small_model_schema import REPLY, long_arguments, short_parameters
from victor.providers.small_model_turn import Done, SmallModelTurn

ChatMessage: TypeAlias = dict[str, str]
"""`role` and `content`, as every chat template takes them."""

RESULT_CHARACTERS = 1600
"""How much of one tool result the model sees."""
EARLIER_CHARACTERS = 1600
"""How much of earlier turns the model sees."""
_WHOLE_SYSTEM_CHARACTERS = 1200
_FACTS_CHARACTERS = 700
_STANDING = re.compile(r"standing instructions:\s*(.+)\Z", re.DOTALL)
_FACT = re.compile(
    r"workspace|working (folder|directory)|\bmode\b|platform|/[\w.-]+/", re.IGNORECASE
)

_RULES = (
    "You are Victor, a coding assistant. You answer with one JSON object and nothing else: either "
    "a tool call or a reply. Use tools to look at the project; never guess what a file holds. "
    "Reply in words for greetings, general questions, and when the task is done. Keep a reply to "
    "a few sentences."
)


def instructions(system: str, tools: tuple[ToolSpec, ...]) -> str:
    """Return the system prompt: the rules, one line for each tool, examples, and the facts."""
    lines = [_RULES, "", "Tools:"]
    lines += [_tool_line(spec) for spec in tools]
    lines.append(f"{_answer(REPLY, {'message': '...'})} answers the user in words.")
    lines += ["", "Examples:", *_examples({spec.name for spec in tools})]
    facts = essential_facts(system)
    if facts:
        lines += ["", facts]
    return "\n".join(lines)


def _tool_line(spec: ToolSpec) -> str:
    arguments = dict.fromkeys(short_parameters(spec)["properties"], "...")
    first = re.split(r"(?<=[.!?])\s|\n", spec.description.strip(), maxsplit=1)[0]
    asked = " The text itself is asked for afterwards." if long_arguments(spec) else ""
    return f"{_answer(spec.name, arguments)} {first[:120]}{asked}"


def _answer(tool: str, arguments: JsonObject) -> str:
    return json.dumps({"tool": tool, "arguments": arguments}, ensure_ascii=False)


def _examples(names: set[str]) -> Iterator[str]:
    """Yield the worked examples whose tools are offered."""
    yield f"User: hello\nYou: {_answer(REPLY, {'message': 'Hello! What shall we work on?'})}"
    yield (
        "User: what is a tuple?\nYou: "
        + _answer(REPLY, {"message": "An ordered collection that cannot be changed."})
    )
    if "list" in names:
        yield f"User: what is in this folder?\nYou: {_answer('list', {'path': '.'})}"
    if "read" in names:
        yield f"User: what does <file> do?\nYou: {_answer('read', {'path': '<file>'})}"
    if "grep" in names:
        call = _answer("grep", {"pattern": "<name>", "path": "."})
        yield f"User: where is <name> used?\nYou: {call}"
    if {"read", "write", "shell"} <= names:
        run = _answer("shell", {"command": "python -m pytest -q"})
        yield (
            f"User: a test fails, repair it\nYou: {run}\n"
            f"You, seeing the failure: {_answer('read', {'path': '<file>'})}\n"
            f"You, seeing the mistake: {_answer('write', {'path': '<file>'})}\n"
            f"You, after writing: {run}\n"
            f"You, seeing it pass: {_answer(REPLY, {'message': 'Repaired: <what was wrong>.'})}"
        )


def essential_facts(system: str) -> str:
    """Return the caller's system prompt if it is short, else what of it a small model can use.

    That is the lines that state where it works, and the user's standing instructions.
    """
    system = system.strip()
    if len(system) <= _WHOLE_SYSTEM_CHARACTERS:
        return system
    kept: list[str] = []
    room = _FACTS_CHARACTERS
    for line in system.splitlines():
        line = line.strip()
        if line and len(line) <= room and _FACT.search(line):
            kept.append(line)
            room -= len(line) + 1
    standing = _STANDING.search(system)
    if standing:
        kept.append(shortened(standing.group(1).strip(), _FACTS_CHARACTERS))
    return "\n".join(kept)


def shortened(text: str, limit: int) -> str:
    """Return the text if it is within `limit` characters, else its beginning and its end."""
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    tail = limit - head
    left_out = len(text) - limit
    return f"{text[:head]}\n[{left_out} characters left out]\n{text[-tail:]}"


def earlier(messages: tuple[Message, ...]) -> list[ChatMessage]:
    """Return the words of earlier turns, the oldest left out beyond the limit."""
    kept: list[ChatMessage] = []
    room = EARLIER_CHARACTERS
    for message in reversed(messages):
        if message.role is Role.TOOL or not message.text.strip():
            continue
        text = shortened(message.text.strip(), 500)
        room -= len(text)
        if room < 0:
            break
        if message.role is Role.ASSISTANT:
            text = _answer(REPLY, {"message": text})
        kept.append({"role": message.role.value, "content": text})
    # A conversation that begins with an answer confuses chat templates.
    while kept and kept[-1]["role"] == Role.ASSISTANT:
        kept.pop()
    return kept[::-1]


def conversation(turn: SmallModelTurn, room: int) -> list[ChatMessage]:
    """Return earlier turns and this one, within about `room` characters, the newest whole."""
    sent = [*earlier(turn.before), {"role": "user", "content": turn.task}]
    size = len(turn.task) + sum(
        min(len(d.result.content), RESULT_CHARACTERS) + 120 for d in turn.done
    )
    over = size - room
    for done in turn.done:
        limit = RESULT_CHARACTERS
        if over > 0 and done is not turn.done[-1]:
            over -= max(0, min(len(done.result.content), limit) - 200)
            limit = 200
        sent.append({"role": "assistant", "content": _call_text(done.call)})
        sent.append({"role": "user", "content": _result_text(done, limit, turn)})
    return sent


def _call_text(call: ToolCall) -> str:
    arguments = {
        name: value
        for name, value in call.arguments.items()
        if not (isinstance(value, str) and len(value) > 400)
    }
    if call.name == "write":
        arguments.pop("content", None)
    return _answer(call.name, arguments)


def _result_text(done: Done, limit: int, turn: SmallModelTurn) -> str:
    """Return what the model is told of a result, and the next step."""
    body = shortened(done.result.content.strip() or "(no output)", limit)
    state = "failed" if done.failed else "gave"
    return f"{done.call.name} {state}:\n{body}\n\n{_next_step(done, turn)}"


def _next_step(done: Done, turn: SmallModelTurn) -> str:
    task = shortened(turn.task.strip(), 200)
    match done.call.name:
        case "shell" if done.failed:
            return "Next: read the file that is wrong, or write it anew."
        case "write" | "edit" if not done.failed:
            return "Next: run the tests or the program, or reply if the task is done."
        case "read" if done.failed:
            return "Next: write it if it is to be made, or look elsewhere."
        case "list" if "README.md" in done.result.content and not turn.has_read("README.md"):
            return (
                f"The user asked: {task}\nRead README.md if it is about the project, or reply now."
            )
        case _ if done.failed:
            return "Next: try it differently, or reply what went wrong."
        case _:
            return f"The user asked: {task}\nIf the answer is above, reply with it now."


_PART_RULES = (
    "You are a careful programmer. Answer with one fenced code block that holds what is asked for, "
    "indented as in the file. No words before or after it."
)
_WRITING_RULES = (
    "You are a careful programmer. Answer with one fenced code block that holds the complete new "
    "text of the file, from its first line to its last, and nothing after it."
)


def writing_messages(
    turn: SmallModelTurn, tool: str, name: str, arguments: JsonObject, *, diagnosis: str = ""
) -> list[ChatMessage]:
    """Return the fresh prompt for one long argument: task, files, what failed, what to write."""
    path = str(arguments.get("path", ""))
    parts = _evidence(turn, path)
    if diagnosis:
        parts.append(f"What is wrong: {diagnosis}")
    parts.append(_wanted(tool, name, path, arguments, known=bool(turn.present_content(path))))
    rules = _WRITING_RULES if tool == "write" else _PART_RULES
    return [
        {"role": "system", "content": rules},
        {"role": "user", "content": "\n\n".join(parts)},
    ]


def diagnosis_messages(turn: SmallModelTurn, path: str) -> list[ChatMessage]:
    """Return the prompt that asks, in words, what is wrong with the file."""
    asked = (
        f"In at most two sentences: which line of {path} is wrong, and what should stand there "
        "instead?"
    )
    return [
        {"role": "system", "content": "You are a careful programmer."},
        {"role": "user", "content": "\n\n".join((*_evidence(turn, path), asked))},
    ]


def _evidence(turn: SmallModelTurn, path: str) -> list[str]:
    """Return what the turn has seen that bears on the file."""
    parts = [f"Task: {shortened(turn.task.strip(), 1500)}"]
    present = turn.present_content(path)
    if present:
        parts.append(f"{path} is now:\n```\n{shortened(present, 9000)}```")
    elif turn.seen_content(path):
        parts.append(f"A part of {path}:\n```\n{shortened(turn.seen_content(path), 6000)}\n```")
    for other, text in turn.other_files(path)[:2]:
        parts.append(f"{other}, which stays as it is:\n```\n{shortened(text, 1800)}```")
    if turn.last_failure:
        parts.append(f"This failed:\n```\n{shortened(turn.last_failure, 1500)}\n```")
    return parts


def _wanted(tool: str, name: str, path: str, arguments: JsonObject, *, known: bool) -> str:
    if tool == "write" and known:
        return f"Write the complete new text of {path}, changed as the task needs."
    if tool == "write":
        return f"Write the complete text of {path}."
    if name.startswith("old"):
        return f"Copy the lines of {path} that must change, exactly as they are now, no others."
    old = next((value for key, value in arguments.items() if key.startswith("old")), "")
    if old:
        return f"Write what these lines of {path} become:\n```\n{old}\n```"
    return f"Write the text of `{name}` for {tool} {path}".rstrip() + "."
