"""`victor sessions ...` and `victor fork`, as a person or a program calls them."""

from __future__ import annotations

import asyncio
import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from victor.cli.session_table import cost, session_table, show_match
from victor.cli.terminal import console
from victor.messages import ToolCall, ToolResult, assistant, user
from victor.protocols import Record, SessionInfo, SessionMatch
from victor.storage.location import sessions_database
from victor.storage.sqlite import SqliteSessionStore

KEY = "sk-ant-api03-" + "a1b2c3d4" * 4
CALL = ToolCall("c1", "read", {"path": "a.txt"})

Command = Callable[..., object]


def records(session_id: str) -> tuple[Record, ...]:
    first, second = f"{session_id}-1", f"{session_id}-2"
    figures = {"input_tokens": 12, "output_tokens": 3, "cost_usd": 0.5, "seconds": 2.0}
    return (
        Record("user", first, user(f"Fix the parser. {KEY}")),
        Record("reply", first, assistant("Let me look.", CALL), calls=(CALL,)),
        Record("result", first, result=ToolResult("c1", "content\nof it")),
        Record("reply", first, assistant("It was off by one.")),
        Record("ended", first, data={"model": "m", **figures}),
        Record("user", second, user("Thanks")),
        Record("cancelled", second),
    )


def keep(folder: Path, session_id: str = "abc1", **more: object) -> None:
    info = SessionInfo(
        session_id, "Fix it", str(folder), "p", "m", created=1e9, updated=2e9, **more
    )

    async def add() -> None:
        store = SqliteSessionStore(sessions_database())
        await store.add(info, records(session_id))
        await store.aclose()

    asyncio.run(add())


def test_a_search_shows_the_place_and_looks_everywhere_if_asked(
    victor: Command, folder: Path
) -> None:
    keep(folder)
    keep(folder.parent, "abc2")
    found = victor("sessions", "search", "OFF", "one")
    assert found.out.splitlines()[0].startswith("abc1")
    assert "It was off by one." in found.out
    assert "abc2" not in found.out
    assert "abc2" in victor("sessions", "search", '"off by"', "--all").out
    assert victor("sessions", "search", '"by off"').out.startswith("No session has these words")
    [match] = json.loads(victor("sessions", "search", "parser", "--json").out)
    assert match["info"]["id"] == "abc1"
    assert match["turn_id"] == "abc1-1"


def test_a_session_is_renamed_and_tagged_by_the_beginning_of_its_id(
    victor: Command, folder: Path
) -> None:
    keep(folder)
    assert victor("sessions", "rename", "ab", "A", "better name").out == "abc1: A better name\n"
    assert victor("sessions", "tag", "last", "two", "one").out == "abc1: #one #two\n"
    assert victor("sessions", "--tag", "one").out.startswith("abc1\t")
    assert victor("sessions", "--tag", "three").out.startswith("No session")
    assert victor("sessions", "untag", "abc1", "one", "two").out == "abc1: no tags\n"
    gone = victor("sessions", "untag", "abc1", "one")
    assert (gone.code, gone.out, gone.err) == (1, "abc1: no tags\n", "It had no tag #one.\n")
    refused = victor("sessions", "tag", "abc1", "a,b")
    assert (refused.code, "cannot be a tag" in refused.err) == (1, True)


def test_a_session_is_shown_turn_by_turn_with_what_it_took(victor: Command, folder: Path) -> None:
    keep(folder)
    shown = victor("sessions", "show").out
    assert "\n  Cost         $0.5000\n" in shown
    assert "\nTurn 1\n> Fix the parser." in shown
    assert "\n    (m · 12 in, 3 out · $0.5000 · 2.0 s)\n" in shown
    assert "\nTurn 2\n> Thanks\n    (Cancelled.)\n" in shown


def test_an_ambiguous_beginning_lists_what_it_may_mean(victor: Command, folder: Path) -> None:
    keep(folder)
    keep(folder, "abc2")
    ended = victor("sessions", "show", "abc")
    assert ended.code == 1
    assert "Several sessions begin with 'abc': abc1, abc2. Give more of the id." in " ".join(
        ended.err.split()
    )


@pytest.mark.parametrize(
    ("name", "begins"), [("a.html", "<!doctype html>"), ("a.md", "# Fix it"), ("a.jsonl", '{"vic')]
)
def test_the_name_of_the_file_says_the_form_and_secrets_are_cut_out(
    victor: Command, folder: Path, name: str, begins: str
) -> None:
    keep(folder)
    assert victor("sessions", "export", "-o", name).err == f"Written to {name}.\n"
    text = (folder / name).read_text()
    assert text.startswith(begins)
    assert KEY not in text
    assert "[secret]" in text.replace("\\", "")
    assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    refused = victor("sessions", "export", "-o", name)
    assert (refused.code, "--force" in refused.err) == (1, True)
    assert victor("sessions", "export", "-o", name, "--force", "--keep-secrets").code == 0
    assert KEY in (folder / name).read_text()


def test_without_a_name_a_page_is_written_here(victor: Command, folder: Path) -> None:
    keep(folder)
    assert victor("sessions", "export").code == 0
    assert (folder / "victor-abc1.html").exists()
    nowhere = victor("sessions", "export", "-o", "no/such/folder.md")
    assert "cannot be written: No such file" in nowhere.err


def test_an_export_is_imported_as_the_same_session(victor: Command, folder: Path) -> None:
    keep(folder, tags=("kept",), parent="old", parent_turn=2)
    before = victor("sessions", "--json").out
    text = victor("sessions", "export", "--format", "jsonl", "-o", "-", "--keep-secrets").out
    twice = victor("sessions", "import", "-", stdin=text)
    assert (twice.code, "--new-id" in twice.err) == (1, True)
    assert victor("sessions", "delete", "abc1", "--yes").out == "Deleted abc1.\n"
    assert "Imported abc1: 1 turn." in victor("sessions", "import", "-", stdin=text).out
    assert victor("sessions", "--json").out == before
    assert victor("sessions", "import", "-", "--new-id", stdin=text).code == 0
    assert len(victor("sessions").out.splitlines()) == 2


def test_an_import_can_be_listed_with_this_folder(victor: Command, folder: Path) -> None:
    keep(folder.parent)
    victor("sessions", "export", "abc1", "-o", "a.jsonl")
    assert victor("sessions", "import", "a.jsonl", "--new-id", "--here").code == 0
    assert len(victor("sessions").out.splitlines()) == 1


@pytest.mark.parametrize("garbled", [b"\xff\xfe", b"", b'{"victor_session": 1}\n', b"<html>"])
def test_a_garbled_import_is_one_error_and_leaves_nothing(
    victor: Command, folder: Path, garbled: bytes
) -> None:
    (folder / "x.jsonl").write_bytes(garbled)
    ended = victor("sessions", "import", "x.jsonl")
    assert ended.code == 1
    assert "no session that Victor has exported" in ended.err
    assert "Traceback" not in ended.err
    assert victor("sessions", "--all").out.startswith("No session found")


def test_a_fork_keeps_the_turns_that_are_asked_for(victor: Command, folder: Path) -> None:
    keep(folder)
    told = json.loads(victor("fork", "ab", "--at", "1", "--json").out)
    assert (told["parent"], told["parent_turn"], told["turns"]) == ("abc1", 1, 1)
    assert told["cost_usd"] == 0.0
    assert f"{told['id']}\t" in victor("sessions").out
    assert "after turn 2. `victor chat --resume" in victor("fork", "abc1").out
    refused = victor("fork", "abc1", "--at", "7")
    assert (refused.code, "it has 2" in refused.err) == (1, True)


def test_recorded_sessions_are_found_where_new_ones_are_not_kept(
    victor: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(folder)
    monkeypatch.setenv("VICTOR_EPHEMERAL", "true")
    assert victor("sessions").out.startswith("abc1\t")
    assert victor("fork", "abc1").code == 0
    assert len(victor("sessions").out.splitlines()) == 2


def test_the_table_fits_and_says_cost_tags_and_parents() -> None:
    info = SessionInfo("a" * 16, "T" * 90, "/w", "p", "m", created=1.0, updated=1.0)
    fork = SessionInfo(
        "b" * 16, "", "/w", "p", "m", 1.0, 1.0, cost_usd=1.5, tags=("x",), parent="a", parent_turn=2
    )
    screen = console(plain=True)
    screen.width = 80
    with screen.capture() as captured:
        screen.print(session_table((info, fork), current="b" * 16))
        show_match(screen, SessionMatch(fork, "t", "the place"))
    lines = captured.get().splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].rstrip().endswith("…")
    assert lines[2].startswith("b" * 16 + " *")
    assert "$1.50" in lines[2]
    assert lines[2].rstrip().endswith("↳ #x (no title)")
    assert lines[-1] == "    the place"


@pytest.mark.parametrize(
    ("dollars", "unpriced", "said"),
    [(0.0, 0, "-"), (0.0, 2, "?"), (0.004, 0, "<1¢"), (0.5, 1, "$0.50?"), (12.345, 0, "$12.35")],
)
def test_a_cost_is_said_in_few_characters(dollars: float, unpriced: int, said: str) -> None:
    info = SessionInfo("a", "", "/", "p", "m", 1.0, 1.0, cost_usd=dollars, unpriced_turns=unpriced)
    assert cost(info) == said


def test_a_replay_says_where_it_departs_and_what_may_be_let_be(
    victor: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(folder)
    same = victor("replay")
    assert (same.code, same.out.splitlines()[-1]) == (0, "All is as it was recorded.")
    assert "abc1: 2 turns, 2 model calls, 1 tool call, had again" in same.out
    (folder / "a.txt").write_text("other\n")
    apart = victor("replay", "ab", "--look-again")
    assert apart.code == 1
    assert "It first departs in turn 1, model call 1, a tool's result:\n  at read (c1)" in apart.out
    told = json.loads(victor("replay", "--look-again", "--json").out)
    assert told["session"] == "abc1"
    assert told["divergences"][0]["part"] == "result"
    assert victor("replay", "--look-again", "--ignore", "result").code == 0


def test_md_is_another_word_for_markdown(victor: Command, folder: Path) -> None:
    keep(folder)
    assert victor("sessions", "export", "--format", "md").err == "Written to victor-abc1.md.\n"
    assert (folder / "victor-abc1.md").read_text().startswith("# Fix it")


def test_a_turn_that_was_killed_is_said_beside_those_that_ended(
    victor: Command, folder: Path
) -> None:
    keep(folder)
    assert "cut off" not in victor("sessions", "show").out

    async def begin_a_turn() -> None:
        store = SqliteSessionStore(sessions_database())
        await store.append("abc1", Record("user", "abc1-3", message=user("And now?")))
        await store.aclose()

    asyncio.run(begin_a_turn())
    shown = victor("sessions", "show").out
    assert re.search(r"\n  Turns +\d+, and 1 cut off or still running\n", shown)
    assert "The record breaks off here." in shown
