from __future__ import annotations

import json
from typing import Any

import pytest

from victor.errors import BadReply, ContextExceeded
from victor.events import ReplyDelta, ReplyFinished, TextDelta, ToolCallDelta
from victor.messages import (
    Message,
    Request,
    StopReason,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
    Usage,
    assistant,
    tool_results,
    user,
)
from victor.protocols import IProvider
from victor.providers.small_model import SmallModel

pytestmark = pytest.mark.anyio


def call(tool: str, **arguments: str) -> str:
    return json.dumps({"tool": tool, "arguments": arguments})


def reply(message: str) -> str:
    return call("reply", message=message)


def step(
    number: int, tool: str, result: str, *, error: bool = False, **arguments: Any
) -> tuple[Message, Message]:
    made = ToolCall(f"c{number}", tool, arguments)
    return assistant("", made), tool_results(ToolResult(made.id, result, error))


def request(tools: tuple[ToolSpec, ...], *messages: Message, **more: Any) -> Request:
    return Request("tiny", messages, more.pop("system", "Workspace: /w"), tools, **more)


async def deltas(model: SmallModel, asked: Request) -> list[ReplyDelta]:
    return [delta async for delta in model.stream(asked)]


def text_of(given: list[ReplyDelta]) -> str:
    return "".join(d.content for d in given if isinstance(d, TextDelta))


def call_of(given: list[ReplyDelta]) -> tuple[str, dict[str, Any]]:
    parts = [d for d in given if isinstance(d, ToolCallDelta)]
    return "".join(p.name for p in parts), json.loads("".join(p.arguments for p in parts))


def choices(schema: dict[str, Any]) -> dict[str, Any]:
    listed = schema.get("anyOf", [schema])
    return {c["properties"]["tool"]["const"]: c["properties"]["arguments"] for c in listed}


def test_it_is_a_provider(said: Any) -> None:
    model = SmallModel(said([]), context_window=4096)

    assert isinstance(model, IProvider)
    assert model.name == "local"
    assert model.model_info("tiny").context_window == 4096


async def test_a_reply_streams_as_words_while_it_is_generated(said: Any, tools: Any) -> None:
    server = said([reply('Say "hi"\n😀')])
    stream = SmallModel(server).stream(request(tools, user("hello")))

    seen = [(d.content, len(server.given)) async for d in stream if isinstance(d, TextDelta)]

    assert "".join(words for words, _ in seen) == 'Say "hi"\n😀'
    assert seen[0][1] < seen[-1][1]
    assert "tool" not in "".join(words for words, _ in seen)


async def test_the_stream_ends_with_the_reason_and_the_usage(said: Any, tools: Any) -> None:
    given = await deltas(SmallModel(said([reply("hi")])), request(tools, user("hello")))

    assert given[-1] == ReplyFinished(StopReason.END, Usage(10, 5, cache_read=2), "tiny")


async def test_a_reply_cut_by_the_limit_says_so(said: Any, tools: Any) -> None:
    server = said(['{"tool": "reply", "arguments": {"message": "once upon…'])

    given = await deltas(SmallModel(server), request(tools, user("a story")))

    assert text_of(given) == "once upon"
    assert given[-1].stop_reason is StopReason.MAX_TOKENS  # type: ignore[union-attr]


async def test_a_reply_that_goes_in_circles_is_ended(said: Any, tools: Any) -> None:
    one = "The project can also be used to make and keep {} of any length. "
    circles = "".join(one.format(what) for what in ("sessions", "coordinators") * 50)
    server = said([reply("It is an agent. " + circles)])

    given = await deltas(SmallModel(server), request(tools, user("what is it?")))

    assert text_of(given).startswith("It is an agent. The project can also")
    assert text_of(given).count("sessions") == 3
    assert given[-1].stop_reason is StopReason.END  # type: ignore[union-attr]


async def test_a_call_comes_out_whole(said: Any, tools: Any) -> None:
    server = said([call("list", path=".")])

    given = await deltas(SmallModel(server), request(tools, user("what is here?")))

    assert call_of(given) == ("list", {"path": "."})
    assert text_of(given) == ""
    assert given[-1].stop_reason is StopReason.TOOL_USE  # type: ignore[union-attr]


async def test_each_call_has_an_id_of_its_own(said: Any, tools: Any) -> None:
    model = SmallModel(said([call("list", path=".")] * 2))
    ids = {(await deltas(model, request(tools, user("look"))))[0].id for _ in range(2)}  # type: ignore[union-attr]

    assert len(ids) == 2


async def test_the_answer_is_held_to_few_tools_or_a_reply(said: Any, tools: Any) -> None:
    server = said([reply("hi")])

    await deltas(SmallModel(server), request(tools, user("a.py is too slow")))

    held = choices(server.calls[0]["schema"])
    assert set(held) == {"read", "write", "list", "grep", "shell", "reply"}
    assert held["write"]["required"] == ["path"]
    assert held["read"]["properties"]["path"]["enum"] == ["a.py"]
    assert list(held["shell"]["properties"]) == ["command"]


async def test_a_file_nobody_named_cannot_be_read(said: Any, tools: Any) -> None:
    server = said([reply("hi")])

    await deltas(SmallModel(server), request(tools, user("what is this?")))

    assert set(choices(server.calls[0]["schema"])) == {"list", "grep", "shell", "reply"}


async def test_a_question_writes_nothing(said: Any, tools: Any) -> None:
    server = said([reply("hi"), reply("hi")])

    await deltas(SmallModel(server), request(tools, user("what does a.py do?")))
    await deltas(SmallModel(server), request(tools, user("can you rename x in a.py?")))

    assert "write" not in choices(server.calls[0]["schema"])
    assert "write" in choices(server.calls[1]["schema"])


async def test_a_question_is_answered_after_a_few_looks(said: Any, tools: Any) -> None:
    server = said([reply("hi"), reply("hi")])
    asked = user("what is this project?")
    looks = [*step(1, "list", "src/\na.py", path="."), *step(2, "list", "b.py", path="src")]
    reads = [m for n in range(3, 5) for m in step(n, "read", "1\tx", path=f"f{n}.py")]

    await deltas(SmallModel(server), request(tools, asked, *looks))
    await deltas(SmallModel(server), request(tools, asked, *looks, *reads))

    assert "list" not in choices(server.calls[0]["schema"])
    assert "read" in choices(server.calls[0]["schema"])
    assert set(choices(server.calls[1]["schema"])) == {"reply"}


async def test_files_that_a_listing_showed_can_be_read(said: Any, tools: Any) -> None:
    server = said([reply("hi")])
    listing = step(1, "list", "src/\nREADME.md\n[2 ignored]", path=".")

    await deltas(SmallModel(server), request(tools, user("what is this?"), *listing))

    held = choices(server.calls[0]["schema"])
    assert held["read"]["properties"]["path"]["enum"] == ["README.md"]
    assert held["list"]["properties"]["path"]["enum"] == ["src"]


async def test_a_tool_of_ones_own_is_offered_with_what_it_requires(said: Any) -> None:
    weather = ToolSpec(
        "weather",
        "Tell the weather.",
        {
            "type": "object",
            "properties": {
                "city": {"type": "string", "title": "City"},
                "unit": {"type": "string"},
                "day": {"type": "string", "enum": ["today", "tomorrow"]},
            },
            "required": ["city", "day"],
        },
    )
    server = said([call("weather", city="Rome", day="today")])

    given = await deltas(SmallModel(server), request((weather,), user("weather in Rome?")))

    assert call_of(given) == ("weather", {"city": "Rome", "day": "today"})
    assert choices(server.calls[0]["schema"])["weather"]["properties"] == {
        "city": {"type": "string", "minLength": 1, "maxLength": 400},
        "day": {"type": "string", "enum": ["today", "tomorrow"]},
    }


async def test_a_call_that_was_just_made_is_not_made_again(said: Any, tools: Any) -> None:
    server = said([call("shell", command="ls"), reply("Only a.py.")])
    done = step(1, "shell", "a.py", command="ls")

    given = await deltas(SmallModel(server), request(tools, user("what is here?"), *done))

    assert text_of(given) == "Only a.py."
    assert "shell" in choices(server.calls[0]["schema"])
    assert "shell" not in choices(server.calls[1]["schema"])
    assert given[-1].usage == Usage(20, 10, cache_read=4)  # type: ignore[union-attr]


async def test_what_was_just_looked_at_cannot_be_chosen(said: Any, tools: Any) -> None:
    server = said([reply("Two files.")])
    done = (
        *step(1, "list", "a.py\nb.py", path="."),
        *step(2, "read", "1\tx", path="a.py"),
    )

    await deltas(SmallModel(server), request(tools, user("what is here?"), *done))

    held = choices(server.calls[0]["schema"])
    assert "list" not in held
    assert held["read"]["properties"]["path"]["enum"] == ["b.py"]


async def test_a_call_may_be_made_again_after_something_changed(said: Any, tools: Any) -> None:
    server = said([call("list", path=".")])
    done = (*step(1, "list", "a.py", path="."), *step(2, "shell", "ok", command="touch b"))

    given = await deltas(SmallModel(server), request(tools, user("touch b, then list"), *done))

    assert call_of(given) == ("list", {"path": "."})


async def test_code_is_written_in_a_second_generation_outside_json(said: Any, tools: Any) -> None:
    code = 'print("a\\tb")\n'
    server = said([call("write", path="a.py"), f"Line 1.\n```python\n{code}```\nDone."])
    read = step(1, "read", "1\tprint('a')\n[End of a.py. Lines in all: 1.]", path="a.py")

    given = await deltas(SmallModel(server), request(tools, user("print b, too, in a.py"), *read))

    assert call_of(given) == ("write", {"path": "a.py", "content": code})
    second = server.calls[1]
    assert second["schema"] is None
    assert "print('a')\n```" in second["messages"][-1]["content"]
    assert "print b, too" in second["messages"][-1]["content"]


async def test_a_file_is_read_before_it_is_written_over(said: Any, tools: Any) -> None:
    server = said([call("write", path="a.py")])

    given = await deltas(SmallModel(server), request(tools, user("shorten a.py")))

    assert call_of(given) == ("read", {"path": "a.py"})


async def test_a_file_that_is_not_there_is_written_at_once(said: Any, tools: Any) -> None:
    server = said([call("write", path="hello.py"), "```\nprint('hello')\n```"])
    missing = step(1, "read", "There is no hello.py.", error=True, path="hello.py")

    given = await deltas(SmallModel(server), request(tools, user("create hello.py"), *missing))

    assert call_of(given)[1]["content"] == "print('hello')\n"


async def test_a_text_equal_to_the_file_is_asked_for_again(said: Any, tools: Any) -> None:
    server = said(
        [call("write", path="a.py"), "```\nx = 1\n```", "x should be 2.", "```\nx = 2\n```"]
    )
    read = step(1, "read", "1\tx = 1\n[End of a.py. Lines in all: 1.]", path="a.py")

    given = await deltas(SmallModel(server), request(tools, user("x should be 2 in a.py"), *read))

    assert call_of(given)[1]["content"] == "x = 2\n"
    last = server.calls[-1]
    assert "What is wrong: x should be 2." in last["messages"][-1]["content"]
    assert last["temperature"] > server.calls[1]["temperature"]


async def test_when_no_text_can_be_written_something_else_is_chosen(said: Any, tools: Any) -> None:
    server = said(
        [call("write", path="a.py"), "No.", "x", "```\ncut…", "x", "No.", reply("I cannot.")]
    )
    read = step(1, "read", "1\tx = 1\n[End of a.py. Lines in all: 1.]", path="a.py")

    given = await deltas(SmallModel(server), request(tools, user("change a.py"), *read))

    assert text_of(given) == "I cannot."
    assert "write" not in choices(server.calls[-1]["schema"])


async def test_a_file_seen_in_part_is_edited_and_never_written_over(said: Any, tools: Any) -> None:
    server = said(
        [
            call("write", path="a.py"),
            call("edit", path="a.py"),
            "```\nx = 1\n```",
            "```\nx = 2\n```",
        ]
    )
    read = step(1, "read", "1\tx = 1\n[There are more lines: go on with offset=2.]", path="a.py")

    given = await deltas(SmallModel(server), request(tools, user("x should be 2 in a.py"), *read))

    assert call_of(given) == ("edit", {"path": "a.py", "old": "x = 1", "new": "x = 2"})


async def test_a_repair_looks_around_before_the_model_is_asked(said: Any, tools: Any) -> None:
    server = said([])

    given = await deltas(SmallModel(server), request(tools, user("A test fails, fix it.")))

    assert call_of(given) == ("list", {"path": "."})
    assert server.calls == []


async def test_a_repair_does_not_end_before_it_was_checked(said: Any, tools: Any) -> None:
    server = said([call("shell", command="pytest")])
    done = (
        *step(0, "shell", "1 failed\n[exit code 1]", error=True, command="pytest"),
        *step(1, "list", "a.py", path="."),
        *step(2, "read", "1\tx = 1\n[End of a.py. Lines in all: 1.]", path="a.py"),
        *step(3, "write", "Replaced a.py.", path="a.py", content="x = 2\n"),
    )

    await deltas(SmallModel(server), request(tools, user("Fix the bug."), *done))

    assert "reply" not in choices(server.calls[0]["schema"])


async def test_a_repair_sees_what_fails_before_it_writes(said: Any, tools: Any) -> None:
    server = said([call("shell", command="pytest")])
    listing = step(1, "list", "a.py\ntest_a.py", path=".")

    await deltas(SmallModel(server), request(tools, user("Fix the bug."), *listing))

    assert set(choices(server.calls[0]["schema"])) == {"shell"}


async def test_a_repair_leaves_the_tests_as_they_are(said: Any, tools: Any) -> None:
    server = said([call("write", path="a.py")])
    done = (
        *step(1, "list", "a.py\ntest_a.py", path="."),
        *step(2, "shell", "FAILED test_a.py\n[exit code 1]", error=True, command="pytest"),
        *step(3, "read", "1\tx = 1\n[End of a.py. Lines in all: 1.]", path="a.py"),
    )

    given = await deltas(SmallModel(server), request(tools, user("Fix the bug."), *done))

    held = choices(server.calls[0]["schema"])
    assert held["write"]["properties"]["path"]["enum"] == ["a.py"]
    assert "reply" not in held
    assert call_of(given) == ("read", {"path": "test_a.py"})


async def test_a_text_that_drops_most_of_the_file_is_not_written(said: Any, tools: Any) -> None:
    lines = [f"value_{n} = {n}" for n in range(30)]
    whole = "\n".join([*lines, "last = 1"])
    server = said([call("write", path="a.py"), "```\nx\n```", "Line 31.", f"```\n{whole}\n```"])
    numbered = "\n".join(f"{n}\t{line}" for n, line in enumerate(lines, 1))
    read = step(1, "read", f"{numbered}\n[End of a.py. Lines in all: 30.]", path="a.py")

    given = await deltas(SmallModel(server), request(tools, user("set last to 1 in a.py"), *read))

    assert call_of(given)[1]["content"] == f"{whole}\n"


async def test_a_refused_call_lets_the_turn_end(said: Any, tools: Any) -> None:
    server = said([reply("It was refused.")])
    done = (
        *step(1, "list", "a.py", path="."),
        *step(2, "shell", "Denied by the user.", error=True, command="pytest"),
    )

    given = await deltas(SmallModel(server), request(tools, user("Fix the bug."), *done))

    assert text_of(given) == "It was refused."


async def test_junk_is_tried_again_warmer_and_then_given_up(said: Any, tools: Any) -> None:
    server = said(["{", '{"tool": "fly", "arguments": {}}', call("shell"), reply("ok")])
    given = await deltas(SmallModel(server), request(tools, user("hello")))
    assert text_of(given) == "ok"
    temperatures = [made["temperature"] for made in server.calls]
    assert temperatures == sorted(temperatures)
    assert temperatures[0] < temperatures[-1]

    with pytest.raises(BadReply, match="attempts"):
        await deltas(SmallModel(said(["{"] * 9)), request(tools, user("hello")))


async def test_a_server_that_ignores_the_schema_is_understood(said: Any, tools: Any) -> None:
    server = said(["Hello there."])

    given = await deltas(SmallModel(server), request(tools, user("hello")))

    assert text_of(given) == "Hello there."


async def test_without_tools_words_are_generated_freely(said: Any) -> None:
    server = said(["A summary."])
    asked = Request("tiny", (user("Summarise."),), "Be short.", max_tokens=50, temperature=0.5)

    given = await deltas(SmallModel(server), asked)

    assert text_of(given) == "A summary."
    assert server.calls[0]["schema"] is None
    assert server.calls[0]["max_tokens"] == 50
    assert server.calls[0]["temperature"] == 0.5
    assert server.calls[0]["messages"][0] == {"role": "system", "content": "Be short."}


async def test_when_tools_are_forbidden_the_results_are_still_told(said: Any, tools: Any) -> None:
    server = said(["Done…"])
    done = step(1, "list", "a.py", path=".")

    given = await deltas(
        SmallModel(server),
        request(tools, user("go"), *done, tool_choice=ToolChoice.NONE),
    )

    assert "a.py" in server.calls[0]["messages"][-1]["content"]
    assert given[-1].stop_reason is StopReason.MAX_TOKENS  # type: ignore[union-attr]


async def test_a_required_call_cannot_be_a_reply(said: Any, tools: Any) -> None:
    server = said([call("list", path=".")])

    await deltas(SmallModel(server), request(tools, user("hi"), tool_choice=ToolChoice.REQUIRED))

    assert "reply" not in choices(server.calls[0]["schema"])


async def test_closing_the_stream_closes_the_generation(said: Any, tools: Any) -> None:
    server = said([reply("a long story, " * 50)])
    stream = SmallModel(server).stream(request(tools, user("a story")))

    async for _ in stream:
        break
    await stream.aclose()

    assert len(server.given) < 30


async def test_a_prompt_that_cannot_fit_is_refused(said: Any, tools: Any) -> None:
    for offered in (tools, ()):
        with pytest.raises(ContextExceeded, match="characters"):
            await deltas(SmallModel(said([])), request(offered, user("x" * 1_000_000)))


async def test_the_prompt_stays_small_however_long_the_system_prompt_is(
    said: Any, tools: Any
) -> None:
    server = said([reply("ok")])
    system = (
        "You are thorough.\n" * 500
        + "- folder: /home/me/project\n\nThe user's standing instructions:\n\nAnswer in French."
    )

    await deltas(SmallModel(server), request(tools, user("hello"), system=system))

    prompt = server.calls[0]["messages"][0]["content"]
    assert len(prompt) < 3500
    assert "/home/me/project" in prompt
    assert "Answer in French." in prompt
    assert "thorough" not in prompt


async def test_the_beginning_of_the_prompt_stays_while_the_turn_grows(
    said: Any, tools: Any
) -> None:
    server = said([reply("ok"), reply("ok")])
    first = (user("what is here?"), *step(1, "list", "a.py", path="."))

    await deltas(SmallModel(server), request(tools, *first))
    await deltas(SmallModel(server), request(tools, *first, *step(2, "read", "1\tx", path="a.py")))

    before, after = (made["messages"] for made in server.calls)
    assert after[: len(before)] == before


async def test_old_turns_are_told_in_words_only(said: Any, tools: Any) -> None:
    server = said([reply("ok")])
    old = (user("first"), *step(1, "read", "SECRET-BODY", path="a.py"), assistant("It is x."))

    await deltas(SmallModel(server), request(tools, *old, user("and now?")))

    sent = server.calls[0]["messages"][1:]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert "SECRET-BODY" not in str(sent)


async def test_a_long_turn_is_shortened_but_for_its_last_result(said: Any, tools: Any) -> None:
    server = said([reply("ok")])
    done = [m for n in range(12) for m in step(n, "read", f"{n}" * 3000, path=f"f{n}.py")]

    await deltas(SmallModel(server), request(tools, user("read all"), *done))

    sent = server.calls[0]["messages"]
    assert sum(len(m["content"]) for m in sent) < 20_000
    assert len(sent[-1]["content"]) > 1600


async def test_closing_it_closes_the_server(said: Any) -> None:
    server = said([])

    await SmallModel(server).aclose()

    assert server.closed
