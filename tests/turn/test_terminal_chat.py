"""`victor chat` on a real pseudo-terminal, against a server on this machine."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from victor.messages import ToolCall
from victor.testing.loopback import LoopbackError, LoopbackReply, OpenAILoopback

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[@-Z\\-_])")
# The terminal must be the program's own, or Ctrl-C would not reach it.
_OWN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execv(sys.executable, [sys.executable, '-m', 'victor', *sys.argv[1:]])"
)


class Terminal:
    """A program on a pseudo-terminal."""

    def __init__(self, *arguments: str, cwd: Path, columns: int = 80, **environment: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", _OWN_TERMINAL, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=cwd,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), **environment},
            start_new_session=True,
        )
        os.close(theirs)
        self.raw = ""
        self._seen = 0

    @property
    def text(self) -> str:
        return _ESCAPES.sub("", self.raw).replace("\r", "")

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def interrupt(self, wanted: str) -> None:
        """Press Ctrl-C until `wanted` is shown, or nothing more: readline, between printing the
        prompt and reading, keeps an interrupt to itself until the next key."""
        for _ in range(20):
            self.type("\x03")
            while self._read(time.monotonic() + 0.5):
                if wanted and wanted in self.text[self._seen :]:
                    self.expect(wanted)
                    return
            if self.process.poll() is not None:
                return

    def expect(self, wanted: str, seconds: float = 30) -> str:
        """Return what was shown up to `wanted`, after what was expected before."""
        deadline = time.monotonic() + seconds
        while wanted not in self.text[self._seen :]:
            assert self._read(deadline), f"{wanted!r} was not shown:\n{self.text[self._seen :]}"
        end = self.text.index(wanted, self._seen) + len(wanted)
        shown = self.text[self._seen : end]
        self._seen = end
        return shown

    def end(self, seconds: float = 30) -> int:
        """Read to the end and return the exit code."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        return self.process.wait(timeout=max(deadline - time.monotonic(), 0.1))

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            return False
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # how Linux says that the other end was closed
            return False
        self.raw += data.decode("utf-8", "replace")
        return bool(data)


Open = Callable[..., Terminal]
Serve = Callable[..., AbstractContextManager[OpenAILoopback]]


@pytest.fixture
def server(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAILoopback]:
    with serve() as running:
        for name in ("NO_COLOR", "VICTOR_DEBUG"):
            monkeypatch.delenv(name, raising=False)
        yield running


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Open]:
    opened: list[Terminal] = []

    def begin(*arguments: str, **more: Any) -> Terminal:
        opened.append(Terminal(*arguments, cwd=tmp_path, **more))
        return opened[-1]

    yield begin
    for terminal in opened:
        terminal.close()


def victor(*arguments: str, cwd: Path, stdin: str | bytes = "") -> subprocess.CompletedProcess[str]:
    """Run the command with pipes instead of a terminal."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [sys.executable, "-m", "victor", *arguments], input=given, capture_output=True, cwd=cwd
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(f"call_{name}", name, arguments)


def test_a_conversation_streams_markdown_and_ends_with_ctrl_d(
    server: OpenAILoopback, open_terminal: Open
) -> None:
    server.add(LoopbackReply("# Title\n\nSome **bold** words.\n\n- one\n- two\n", pieces=12))
    terminal = open_terminal("chat")
    terminal.expect("build>")
    assert "openai · " in terminal.text
    assert "(OPENAI_API_KEY is set)" in terminal.text
    terminal.type("Hello\n")
    shown = terminal.expect("build>")
    assert "Some bold words." in shown
    assert " • two" in shown
    assert "**" not in shown
    terminal.type("\x04")
    assert terminal.end() == 0


def test_ctrl_c_cancels_the_turn_and_the_conversation_goes_on(
    server: OpenAILoopback, open_terminal: Open
) -> None:
    server.add(LoopbackReply("Once upon a time", stall=True, events=3), "Second answer.")
    terminal = open_terminal("chat")
    terminal.expect("build>")
    terminal.type("Tell a story\n")
    terminal.expect("Once upon")
    terminal.type("\x03")
    terminal.expect("Cancelled.")
    terminal.expect("build>")
    terminal.type("And now?\n")
    terminal.expect("Second answer.")
    terminal.expect("build>")
    terminal.type("/exit\n")
    assert terminal.end() == 0


def test_ctrl_c_twice_leaves_with_130(server: OpenAILoopback, open_terminal: Open) -> None:
    server.add(LoopbackReply("Once upon a time", stall=True, events=3))
    terminal = open_terminal("chat")
    terminal.expect("build>")
    terminal.type("Tell a story\n")
    terminal.expect("Once upon")
    terminal.type("\x03")
    terminal.expect("Cancelled.")
    terminal.type("\x03")
    assert terminal.end() == 130
    assert "Traceback" not in terminal.text


def test_ctrl_c_twice_at_the_prompt_leaves_with_130(
    server: OpenAILoopback, open_terminal: Open
) -> None:
    terminal = open_terminal("chat")
    terminal.expect("build>")
    terminal.interrupt("again to leave")
    terminal.expect("build>")
    terminal.interrupt("")
    assert terminal.end() == 130


def test_a_terminated_turn_leaves_with_130(server: OpenAILoopback, open_terminal: Open) -> None:
    server.add(LoopbackReply("Once upon a time", stall=True, events=3))
    terminal = open_terminal("chat", "Tell a story")
    terminal.expect("Once upon")
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() == 130


@pytest.mark.parametrize(("answer", "made"), [("y", True), ("n", False)])
def test_a_person_decides_on_a_command_and_sees_all_of_it(
    server: OpenAILoopback, open_terminal: Open, tmp_path: Path, answer: str, made: bool
) -> None:
    server.add(LoopbackReply(calls=(call("shell", command="touch made # \x1b[8mhidden"),)), "Fine.")
    terminal = open_terminal("chat", "Make it")
    question = terminal.expect("Allow?")
    assert "touch made # " in question
    assert "hidden" in question
    assert "\x1b[8m" not in terminal.raw
    terminal.expect("] ")
    terminal.type(f"{answer}\n")
    terminal.expect("Fine.")
    assert terminal.end() == 0
    assert (tmp_path / "made").exists() is made


def test_what_is_pasted_is_one_message_however_many_lines_it_has(
    server: OpenAILoopback, open_terminal: Open
) -> None:
    server.add("Read.")
    terminal = open_terminal("chat")
    terminal.expect("build>")
    terminal.type("\x1b[200~first line\nsecond line\nthird\x1b[201~")
    terminal.expect("third")
    terminal.type("\n")
    terminal.expect("Read.")
    [request] = server.requests
    assert request["messages"][-1]["content"] == "first line\nsecond line\nthird"


def test_slash_commands_change_the_mode_show_the_context_and_undo(
    server: OpenAILoopback, open_terminal: Open, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("hello\n")
    calls = (call("read", path="a.txt"), call("write", path="a.txt", content="bye\n"))
    server.add(LoopbackReply(calls=calls), "Written.")
    terminal = open_terminal("chat", "--yes")
    terminal.expect("build>")
    terminal.type("Write it\n")
    shown = terminal.expect("Written.")
    assert "-hello" in shown
    assert "+bye" in shown
    for keys, wanted in [
        ("/context\n", "tokens"),
        ("/contxt\n", "Did you mean /context?"),
        ("/mode plan\n", "plan>"),
        ("/mode nonsense\n", "There is no mode 'nonsense'"),
        ("/sessions\n", "Write it"),
        ("/undo\n", "Undo this?"),
        ("y\n", "Restored 1"),
    ]:
        terminal.type(keys)
        terminal.expect(wanted)
    assert (tmp_path / "a.txt").read_text() == "hello\n"
    terminal.expect("plan>")
    terminal.type("/exit\n")
    assert terminal.end() == 0


def test_a_resumed_session_knows_what_was_said(
    server: OpenAILoopback, open_terminal: Open, tmp_path: Path
) -> None:
    seen: list[Any] = []

    def answer(request: dict[str, Any]) -> str:
        seen.append(request["messages"])
        return "Ah."

    server.add("First answer.", answer)
    assert victor("chat", "My name is Ada", cwd=tmp_path).returncode == 0
    terminal = open_terminal("chat", "--resume", "--", "Who am I?")
    terminal.expect("Ah.")
    assert terminal.end() == 0
    assert "My name is Ada" in json.dumps(seen[0])


def test_a_narrow_terminal_is_never_overrun(server: OpenAILoopback, open_terminal: Open) -> None:
    words = "Supercalifragilistic words that go on and on " * 4
    text = f"# {words}\n\n{words}\n\n```python\n{'x = 1  ' * 12}\n```\n"
    server.add(
        LoopbackReply(
            calls=(call("read", path="a/very/long/path/that/does/not/exist/at/all.txt"),)
        ),
        LoopbackReply(text, pieces=20),
    )
    terminal = open_terminal("chat", "Hello", columns=40)
    assert terminal.end() == 0
    drawn = [_ESCAPES.sub("", line).rstrip() for line in re.split(r"[\r\n]+", terminal.raw)]
    assert max(map(len, drawn)) <= 40
    assert terminal.text.count("Supercali") >= 8


def test_no_color_means_no_escape_codes(server: OpenAILoopback, open_terminal: Open) -> None:
    server.add("Some **bold** words.", "Some **bold** words.", "Some **bold** words.")
    for more in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        terminal = open_terminal("chat", "Hello", **more)
        assert terminal.end() == 0
        assert "Some bold words." in terminal.raw
        assert "\x1b" not in terminal.raw
    terminal = open_terminal("chat", "--no-color", "Hello")
    terminal.end()
    assert "\x1b" not in terminal.raw


def test_a_pipe_gets_the_answer_and_nothing_else(server: OpenAILoopback, tmp_path: Path) -> None:
    server.add("Some **bold** words.")
    done = victor("chat", stdin="Hello", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "Some **bold** words.\n")
    assert "openai" in done.stderr


def test_without_a_terminal_what_would_be_asked_is_denied_unless_yes(
    server: OpenAILoopback, tmp_path: Path
) -> None:
    make = LoopbackReply(calls=(call("shell", command="touch made"),))
    server.add(make, "Denied.", make, "Done.")
    assert victor("chat", "Make it", cwd=tmp_path).stdout == "Denied.\n"
    assert not (tmp_path / "made").exists()
    assert victor("chat", "--yes", "Make it", cwd=tmp_path).stdout == "Done.\n"
    assert (tmp_path / "made").exists()


def test_every_line_of_json_is_an_event_without_a_secret(
    server: OpenAILoopback, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("the key is sk-loopback-secret\n")
    server.add(LoopbackReply(calls=(call("read", path="a.txt"),)), "It is **secret**.")
    done = victor("chat", "--json", "What is the key?", cwd=tmp_path)
    assert done.returncode == 0
    assert "sk-loopback-secret" not in done.stdout + done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    names = [event["event"] for event in events]
    assert names[0] == "model_chosen"
    assert names[-1] == "turn_ended"
    assert {"turn_started", "text_delta", "tool_call_ended"} <= set(names)
    text = "".join(event["content"] for event in events if event["event"] == "text_delta")
    assert text == "It is **secret**."
    assert events[-1]["response"]["content"] == text


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(401, 1, "AuthenticationError"), (429, 75, "RateLimitError")],
)
def test_a_failing_model_is_told_in_words_and_by_the_exit_code(
    server: OpenAILoopback, tmp_path: Path, status: int, code: int, kind: str
) -> None:
    server.add(*[LoopbackError(status)] * 8)
    done = victor("chat", "--json", "Hello", cwd=tmp_path)
    last = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, last["event"], last["exit_code"]) == (code, "error", code)
    assert last["error_type"] == kind


def test_a_prompt_of_10_mb_is_refused_with_the_limit(
    server: OpenAILoopback, tmp_path: Path
) -> None:
    done = victor("chat", stdin="x" * 10_000_000, cwd=tmp_path)
    assert done.returncode == 2
    assert "1,000,000 bytes" in done.stderr


def test_a_reader_that_leaves_ends_the_command_quietly(
    server: OpenAILoopback, tmp_path: Path
) -> None:
    server.add(LoopbackReply("word " * 50_000, pieces=500))
    command = f"{sys.executable} -m victor chat Hello | head -c 10; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == "word word "
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
