"""The commands that need no model, each run as a person would."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from victor.cli.app import victor as victor_group
from victor.messages import ToolCall, ToolResult, assistant, tool_results, user
from victor.protocols import Record, SessionInfo
from victor.storage.location import sessions_database
from victor.storage.sqlite import SqliteSessionStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.cli.conftest import Command


def recorded(folder: Path, session_id: str = "abc", title: str = "Fix it") -> None:
    """Put a session on record."""

    async def record() -> None:
        store = SqliteSessionStore(sessions_database())
        now = time.time()
        await store.create(SessionInfo(session_id, title, str(folder), "p", "m", now, now))
        call = ToolCall("1", "read", {"path": "a.txt"})
        result = ToolResult("1", "content\nmore")
        for entry in (
            Record("user", "t", message=user("Fix it")),
            Record("reply", "t", message=assistant("Let me look.", call), calls=(call,)),
            Record("result", "t", message=tool_results(result), result=result),
            Record("cancelled", "t"),
        ):
            await store.append(session_id, entry)
        await store.aclose()

    asyncio.run(record())


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(victor_group)
    for name in victor_group.list_commands(context):
        command = victor_group.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from command.commands.items()


def test_every_command_and_option_says_what_it_is_for() -> None:
    for name, command in commands():
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.opts}"


def test_help_lists_the_commands_and_the_exit_codes(victor: Command) -> None:
    ended = victor("--help")
    assert ended.code == 0
    for word in (
        "chat",
        "doctor",
        "config",
        "sessions",
        "models",
        "tools",
        "run",
        "eval",
        "undo",
        "redo",
    ):
        assert f"  {word} " in ended.out
    assert "75 worth a retry" in ended.out


@pytest.mark.parametrize(
    "arguments",
    [(), ("nonsense",), ("--nonsense",), ("chat", "--mode", "x", "Hello"), ("run", "missing.yaml")],
)
def test_wrong_usage_ends_with_2(victor: Command, arguments: tuple[str, ...]) -> None:
    ended = victor(*arguments)
    assert ended.code == 2
    assert "Usage:" in ended.err
    assert "Traceback" not in ended.err


def test_a_workspace_that_does_not_exist_is_named(victor: Command) -> None:
    ended = victor("chat", "--workspace", "nowhere", "Hello")
    assert ended.code == 2
    assert "nowhere" in ended.err


def test_an_empty_pipe_is_no_prompt(victor: Command) -> None:
    ended = victor("chat")
    assert ended.code == 2
    assert "The prompt is empty" in ended.err


def test_a_conversation_needs_a_terminal_on_both_ends(victor: Command) -> None:
    ended = victor("chat", terminal=True)
    assert ended.code == 2
    assert "needs a terminal" in ended.err


def test_an_unknown_setting_is_refused_with_the_nearest_name(
    victor: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VICTOR_MDOEL", "x")
    ended = victor("chat", "Hello")
    assert ended.code == 2
    assert "VICTOR_MODEL" in ended.err


def test_a_broken_configuration_is_told_as_json_where_json_was_asked_for(
    victor: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VICTOR_MAX_TOOLS", "many")
    ended = victor("chat", "--json", "Hello")
    assert ended.code == 2
    line = json.loads(ended.out)
    assert (line["event"], line["error_type"]) == ("error", "ConfigError")


def test_the_doctor_finds_a_working_set_up(
    victor: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-very-secret")
    ended = victor("doctor")
    assert ended.code == 0
    assert "key from ANTHROPIC_API_KEY" in ended.out
    assert "very-secret" not in ended.out
    assert "BROKEN" not in ended.out


def test_the_doctor_finds_what_is_broken(
    victor: Command, folder: Path, home_of_its_own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home_of_its_own / "config.toml").write_text("model = [")
    (home_of_its_own / "sessions.db").write_text("this is no database at all" * 100)
    (folder / ".victor").mkdir()
    (folder / ".victor" / "config.toml").write_text("max_tools = 3\n")
    monkeypatch.setenv("VICTOR_LOCAL_MODEL", "/nowhere/model.gguf")
    ended = victor("doctor", "--json")
    assert ended.code == 1
    told = json.loads(ended.out)
    assert told["ok"] is False
    states = {finding["name"]: finding["state"] for finding in told["findings"]}
    assert states["configuration"] == "broken"
    assert states["sessions"] == "broken"
    assert states["trust"] == "note"
    assert states["python"] == "ok"


def test_skills_that_are_not_trusted_are_told_of(victor: Command, folder: Path) -> None:
    (folder / ".victor/skills/notes").mkdir(parents=True)
    (folder / ".victor/skills/notes/SKILL.md").write_text("---\nname: notes\n---\nWrite.\n")
    told = json.loads(victor("doctor", "--json").out)
    found = {finding["name"]: finding for finding in told["findings"]}
    assert found["trust"]["state"] == "note"
    assert ".victor is not trusted, so it is ignored" in str(found["trust"])
    assert victor("trust", "--yes").code == 0
    assert "ok      trust: .victor is trusted" in victor("doctor").out


def test_the_doctor_says_plainly_that_there_is_no_sandbox(
    victor: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sandbox() -> tuple[str, str]:
        findings = json.loads(victor("doctor", "--json").out)["findings"]
        (found,) = [finding for finding in findings if finding["name"] == "sandbox"]
        return found["state"], found["detail"]

    monkeypatch.setenv("VICTOR_SANDBOX", "none")
    assert sandbox() == (
        "note",
        "none, as the setting sandbox says: a command can do whatever you can do",
    )
    monkeypatch.setenv("VICTOR_SANDBOX", "seatbelt")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    state, detail = sandbox()
    assert state == "note"
    assert "no sandbox works here (seatbelt: it is for macOS only)" in detail


def test_the_doctor_checks_the_integrity_of_a_database(
    victor: Command, folder: Path, home_of_its_own: Path
) -> None:
    sqlite3.connect(home_of_its_own / "sessions.db").close()
    recorded(folder)
    assert "intact" in victor("doctor").out


def test_the_doctor_finds_a_folder_that_is_not_there(victor: Command) -> None:
    ended = victor("doctor", "--workspace", "nowhere")
    assert ended.code == 1
    assert "BROKEN  workspace" in ended.out


def test_config_explain_says_where_a_value_comes_from_and_what_it_overrode(
    victor: Command, home_of_its_own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Every setting has its default" in victor("config", "explain").out
    (home_of_its_own / "config.toml").write_text('mode = "plan"\napi_key = "sk-secret-key"\n')
    monkeypatch.setenv("VICTOR_MODE", "explore")
    ended = victor("config", "explain", "mode")
    lines = ended.out.splitlines()
    assert lines[4].startswith("    What the agent may do")
    assert lines[:4] == [
        'mode = "explore"',
        "    from VICTOR_MODE in the environment",
        f'    over {home_of_its_own / "config.toml"}: "plan"',
        '    over default: "build"',
    ]
    told = json.loads(victor("config", "explain", "--json").out)
    assert {one["key"] for one in told} == {"mode", "api_key"}
    assert "sk-secret-key" not in json.dumps(told)
    assert json.loads(victor("config", "explain", "mode", "--json").out)["value"] == "explore"
    assert "max_tools = 128" in victor("config", "explain", "--all").out


def test_config_explain_of_an_unknown_key_names_the_nearest(victor: Command) -> None:
    ended = victor("config", "explain", "mdoel")
    assert ended.code == 2
    assert "'model'" in ended.err


def test_config_explain_of_nothing_like_a_setting_lists_no_wall_of_names(victor: Command) -> None:
    ended = victor("config", "explain", "qqqq")
    assert ended.code == 2
    assert ended.err.splitlines() == [
        "Error: There is no setting 'qqqq'.",
        "`victor config explain --all` lists every setting.",
    ]
    near = victor("config", "explain", "budget_usd").err
    assert "budget_turn_usd" in near
    assert "analytics_file" not in near


def test_a_vendor_whose_library_is_missing_is_told_before_anything_is_asked(
    victor: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "x")
    monkeypatch.setitem(sys.modules, "google", None)
    ended = victor("chat", "Hello")
    assert ended.code == 1
    assert "GEMINI_API_KEY is set, but the package google-genai" in ended.err
    assert "-m pip install google-genai`" in ended.err


def test_config_path_shows_where_everything_is(victor: Command, home_of_its_own: Path) -> None:
    assert str(home_of_its_own / "config.toml") in victor("config", "path").out
    told = json.loads(victor("config", "path", "--json").out)
    assert told["sessions"] == str(home_of_its_own / "sessions.db")


def test_trust_shows_the_file_and_counts_until_it_changes(victor: Command, folder: Path) -> None:
    assert "nothing to trust" in victor("trust").err
    file = folder / ".victor" / "config.toml"
    file.parent.mkdir()
    file.write_text('mode = "plan" # \u202e\n', encoding="utf-8")
    denied = victor("trust")
    assert denied.code == 1
    assert 'mode = "plan" # <U+202E>' in denied.out
    assert '"build"' in victor("config", "explain", "mode").out
    assert "is ignored" in victor("config", "explain", "mode").err
    assert victor("trust", stdin="y\n", terminal=True).code == 0
    assert '"plan"' in victor("config", "explain", "mode").out
    assert "trusted" in victor("doctor").out
    file.write_text('mode = "explore"\n')
    assert '"build"' in victor("config", "explain", "mode").out
    assert victor("trust", "--yes").code == 0
    assert '"explore"' in victor("config", "explain", "mode").out
    assert victor("trust", "--forget").code == 0
    assert '"build"' in victor("config", "explain", "mode").out


def test_sessions_are_listed_shown_searched_and_deleted(victor: Command, folder: Path) -> None:
    assert "No session found" in victor("sessions").out
    recorded(folder)
    recorded(folder.parent, "elsewhere")
    assert victor("sessions").out.split("\t")[0] == "abc"
    assert len(victor("sessions", "--all").out.splitlines()) == 2
    assert victor("sessions", "search", "nothing like it").out.startswith("No session")
    [told] = json.loads(victor("sessions", "--json").out)
    assert (told["id"], told["title"]) == ("abc", "Fix it")
    shown = victor("sessions", "show", "abc").out
    assert "> Fix it" in shown
    assert "* read a.txt" in shown
    assert "content (+1 line)" in shown
    assert "(Cancelled.)" in shown
    assert json.loads(victor("sessions", "show", "abc", "--json").out)[0]["kind"] == "user"
    refused = victor("sessions", "delete", "abc")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert victor("sessions", "delete", "abc", stdin="n\n", terminal=True).code == 1
    assert victor("sessions", "delete", "abc", "--yes").code == 0
    assert "No session found" in victor("sessions").out


def test_an_unknown_session_is_an_error_with_a_remedy(victor: Command) -> None:
    ended = victor("sessions", "show", "nope")
    assert ended.code == 1
    assert "There is no session 'nope'." in ended.err
    assert "victor sessions" in ended.err


def test_models_say_which_can_serve(victor: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
    rows = json.loads(victor("models", "--json").out)
    by_provider = {row["provider"]: row for row in rows}
    assert by_provider["anthropic"]["ready"] is True
    assert by_provider["openai"]["ready"] is False
    assert "set OPENAI_API_KEY" in by_provider["openai"]["detail"]
    assert "GB to download" in by_provider["local"]["detail"]
    assert "* anthropic" in victor("models").out


def test_tools_are_listed_with_their_effects(victor: Command) -> None:
    assert "read_only" in victor("tools").out
    assert "| `offset` | integer |" in victor("tools", "read").out
    assert json.loads(victor("tools", "read", "--json").out)["spec"]["name"] == "read"
    assert "There is no tool 'reed'. Did you mean 'read'?" in victor("tools", "reed").err
    specs = {spec["name"]: spec for spec in json.loads(victor("tools", "--json").out)}
    assert specs["read"]["effect"] == "read_only"
    assert specs["shell"]["effect"] == "effectful"
    assert specs["edit"]["parameters"]["type"] == "object"


def test_undo_without_a_session_says_so(victor: Command) -> None:
    ended = victor("undo")
    assert ended.code == 1
    assert "session" in ended.err


def test_undo_with_nothing_changed_has_nothing_to_do(victor: Command, folder: Path) -> None:
    recorded(folder)
    ended = victor("undo")
    assert (ended.code, ended.out) == (0, "There is nothing to undo.\n")


@pytest.mark.parametrize("given", ["nothing", "=x", ":=1"])
def test_an_input_that_is_not_name_equals_text_is_refused(
    victor: Command, folder: Path, given: str
) -> None:
    (folder / "w.yaml").write_text("name: x\nsteps: [{id: a, prompt: hi}]\n")
    from victor.cli.run_command import parsed

    with pytest.raises(click.UsageError):
        parsed((given,))


def test_inputs_are_text_unless_json_is_asked_for() -> None:
    from victor.cli.run_command import parsed

    assert parsed(("a=1.10", "b:=[1, 2]", "c=x=y")) == {"a": "1.10", "b": [1, 2], "c": "x=y"}
    with pytest.raises(click.UsageError, match="no JSON"):
        parsed(("a:={",))


def test_an_unexpected_error_is_no_traceback(
    victor: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(workspace: Path | None) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("victor.cli.findings.findings", broken)
    ended = victor("doctor")
    assert ended.code == 1
    assert "ZeroDivisionError: oops" in ended.err
    assert "Traceback" not in ended.err


def test_the_sandbox_can_be_left_out_for_one_command() -> None:
    from victor.cli.start import Options

    assert Options(no_sandbox=True).given() == {"sandbox": "none"}
    assert "sandbox" not in Options().given()
