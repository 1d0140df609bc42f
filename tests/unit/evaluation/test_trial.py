"""One try of one task, with real folders and real commands."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from victor.errors import ProviderError
from victor.evaluation.suite import (
    Check,
    CommandCheck,
    FileCheck,
    FunctionCheck,
    Outcome,
    RegexCheck,
    Task,
)
from victor.evaluation.trial import TrialRunner
from victor.messages import Response, Usage
from victor.protocols.evaluation import NewChat, Trial
from victor.protocols.workflow import RunTurn

pytestmark = pytest.mark.anyio


def chat(
    act: Callable[[Path, str], Any] = lambda folder, text: None, *, answer: Any = "It is done."
) -> NewChat:
    """A conversation in which `act` does the work; what it raises ends the turn."""

    @asynccontextmanager
    async def open_chat(folder: Path) -> AsyncIterator[RunTurn]:
        async def turn(text: str) -> Response:
            done = act(folder, text)
            if asyncio.iscoroutine(done):
                await done
            return Response(answer, usage=Usage(7, 3)) if isinstance(answer, str) else answer

        yield turn

    return open_chat


async def attempt(new_chat: NewChat, *checks: Check, **options: Any) -> Trial:
    task = Task("t", "Do it.", checks or (RegexCheck("done"),), **options)
    return await TrialRunner().run(task, 1, new_chat)


async def test_a_try_whose_checks_all_pass_has_passed() -> None:
    def act(folder: Path, text: str) -> None:
        (folder / "made.txt").write_text(text)

    trial = await attempt(chat(act), RegexCheck("^It is"), FileCheck("made.txt", equals="Do it."))
    assert trial.passed
    assert (trial.reason, trial.usage, trial.answer) == ("", Usage(7, 3), "It is done.")


async def test_each_try_works_on_a_copy_that_is_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("original")
    (tmp_path / "link").symlink_to("sub/a.txt")
    seen: list[Path] = []

    def act(folder: Path, text: str) -> None:
        seen.append(folder)
        assert (folder / "link").read_text() == "original"
        assert (folder / "deep" / "new.txt").read_text() == "set up"
        (folder / "sub" / "a.txt").write_text("changed")

    for _ in range(2):
        trial = await attempt(
            chat(act),
            FileCheck("link", contains="changed"),
            folder=tmp_path,
            files={"deep/new.txt": "set up"},
        )
        assert trial.passed, trial.reason
    assert (tmp_path / "sub" / "a.txt").read_text() == "original"
    assert seen[0] != seen[1]
    assert not any(folder.exists() for folder in seen)


async def test_a_link_that_leads_out_of_the_task_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "link").symlink_to(tmp_path / "out")
    trial = await attempt(chat(), folder=tmp_path / "task")
    assert not trial.passed
    assert "link is a link to outside" in trial.reason


async def test_a_set_up_file_that_leads_out_is_refused() -> None:
    trial = await attempt(chat(), files={"../escaped": "x"})
    assert "leads outside" in trial.reason


async def test_a_folder_that_is_gone_is_a_failed_try(tmp_path: Path) -> None:
    trial = await attempt(chat(), folder=tmp_path / "absent")
    assert "cannot be made" in trial.reason


async def test_a_turn_that_raises_is_a_failed_try_with_the_reason() -> None:
    def act(folder: Path, text: str) -> None:
        raise ProviderError("The vendor is down.", provider="p")

    trial = await attempt(chat(act))
    assert not trial.passed
    assert trial.reason == "ProviderError: The vendor is down. (p)"


async def test_a_turn_that_cancels_itself_is_a_failed_try() -> None:
    def act(folder: Path, text: str) -> None:
        raise asyncio.CancelledError

    assert (await attempt(chat(act))).reason == "it cancelled itself"


async def test_an_answer_that_is_no_response_is_a_failed_try() -> None:
    trial = await attempt(chat(answer=5))
    assert trial.reason == "the chat gave int, not a Response"


async def test_a_conversation_that_cannot_be_opened_or_closed_is_a_failed_try() -> None:
    @asynccontextmanager
    async def closed(folder: Path) -> AsyncIterator[RunTurn]:
        raise OSError("no more files")
        yield

    assert (await attempt(closed)).reason == "OSError: no more files"


async def test_a_turn_that_takes_too_long_is_cancelled_and_has_failed() -> None:
    cancelled: list[bool] = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    trial = await attempt(chat(lambda folder, text: hang()), timeout=0.01)
    assert trial.reason == "not done within 0.01 s"
    assert cancelled == [True]


async def test_a_cancelled_try_leaves_no_folder_and_no_turn_behind() -> None:
    begun = asyncio.Event()
    seen: list[Path] = []

    async def hang(folder: Path) -> None:
        seen.append(folder)
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(attempt(chat(lambda folder, text: hang(folder))))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not seen[0].exists()


async def test_a_thing_that_is_no_task_is_a_failed_try() -> None:
    class Other:
        id = "other"

    trial = await TrialRunner().run(Other(), 1, chat())
    assert (trial.passed, trial.task) == (False, "other")


async def test_every_failing_check_says_why() -> None:
    trial = await attempt(
        chat(),
        RegexCheck("absent words"),
        RegexCheck("done", absent=True),
        FileCheck("no.txt"),
        CommandCheck("mkfifo pipe; echo broken; exit 3"),
        FileCheck("pipe"),
    )
    assert trial.reason.splitlines() == [
        "the answer does not contain `absent words`",
        "the answer contains `done`",
        "no.txt cannot be read: No such file or directory",
        "`mkfifo pipe; echo broken; exit 3` exited with 3: broken",
        "pipe cannot be read: it is a pipe",
    ]


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        (FileCheck("a.txt"), ""),
        (FileCheck("a.txt", contains="two"), ""),
        (FileCheck("a.txt", contains="three"), "does not contain 'three'"),
        (FileCheck("a.txt", regex="^two$"), ""),
        (FileCheck("a.txt", regex="^tw$"), "does not match `^tw$`"),
        (FileCheck("a.txt", equals="one\ntwo\n"), ""),
        (FileCheck("a.txt", equals="one"), "is not as expected"),
        (FileCheck("b.txt", absent=True), ""),
        (FileCheck("a.txt", absent=True), "a.txt is there"),
        (FileCheck("bytes", contains="x"), "is not text"),
        (FileCheck("../../etc/hosts"), "leads out of the folder"),
    ],
)
async def test_what_a_file_must_hold(check: FileCheck, reason: str) -> None:
    def act(folder: Path, text: str) -> None:
        (folder / "a.txt").write_text("one\ntwo\n")
        (folder / "bytes").write_bytes(b"\xff\xfe\xff")

    trial = await attempt(chat(act), check)
    assert trial.passed is (reason == "")
    assert reason in trial.reason


async def test_a_command_runs_in_the_folder_and_without_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-1")
    monkeypatch.setenv("HARMLESS", "yes")
    test = 'test -f here.txt && test "$HARMLESS" = yes && test -z "$SOME_API_KEY"'
    trial = await attempt(chat(), CommandCheck(test), files={"here.txt": ""})
    assert trial.passed, trial.reason


async def test_a_command_in_words_is_not_read_by_a_shell() -> None:
    trial = await attempt(chat(), CommandCheck(("test", "$HOME", "=", "$HOME")))
    assert trial.passed
    silent = await attempt(chat(), CommandCheck(("false",)))
    assert silent.reason == "`false` exited with 1"
    missing = await attempt(chat(), CommandCheck(("no-such-command-here",)))
    assert missing.reason == "`no-such-command-here` cannot start: No such file or directory"


async def test_a_command_that_takes_too_long_ends_with_all_that_it_began() -> None:
    alive: list[int] = []

    def note(outcome: Outcome) -> bool:
        child = int((outcome.workspace / "pid").read_text())
        alive.append(child)
        state = Path(f"/proc/{child}/stat")
        return not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z"

    command = "sleep 60 & echo $! > pid; echo said so far; wait"
    trial = await attempt(chat(), CommandCheck(command, timeout=0.2), FunctionCheck(note))
    assert trial.reason == f"`{command}` took over 0.2 s: said so far"
    assert alive[0] > 0


async def test_what_a_command_leaves_in_the_background_does_not_hold_up_the_check() -> None:
    trial = await attempt(chat(), CommandCheck("sleep 60 & exit 0", timeout=20))
    assert trial.passed


async def test_of_much_output_the_end_is_kept() -> None:
    code = "print('x' * 5_000_000); print('the end'); raise SystemExit(1)"
    trial = await attempt(chat(), CommandCheck((sys.executable, "-S", "-c", code)))
    assert "exited with 1: the end\nxxx" in trial.reason
    assert len(trial.reason) < 1000


def says_no(outcome: Outcome) -> bool:
    return False


async def later(outcome: Outcome) -> str:
    await asyncio.sleep(0)
    return f"{outcome.answer} But how?"


async def forever(outcome: Outcome) -> bool:
    await asyncio.Event().wait()
    return True


def breaks(outcome: Outcome) -> bool:
    raise ZeroDivisionError("oh")


def leaves(outcome: Outcome) -> bool:
    raise SystemExit(3)


def times_out(outcome: Outcome) -> bool:
    raise TimeoutError("mine")


@pytest.mark.parametrize(
    ("judge", "reason"),
    [
        (lambda outcome: True, ""),
        (lambda outcome: None, ""),
        (lambda outcome: "", ""),
        (says_no, "says_no said no"),
        (later, "later: It is done. But how?"),
        (lambda outcome: 5, "gave 5, neither a bool nor a text"),
        (breaks, "ZeroDivisionError: oh"),
        (leaves, "asked to exit with 3"),
        (times_out, "TimeoutError: mine"),
    ],
)
async def test_a_function_judges(judge: Any, reason: str) -> None:
    trial = await attempt(chat(), FunctionCheck(judge))
    assert trial.passed is (reason == "")
    assert reason in trial.reason


async def test_a_function_that_takes_too_long_has_failed() -> None:
    trial = await attempt(chat(), FunctionCheck(forever, timeout=0.01))
    assert trial.reason == "forever took over 0.01 s"


async def test_a_function_is_found_beside_the_suite_or_among_the_modules(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def check(outcome):\n    return 'seen ' + outcome.answer\n")
    beside = await attempt(chat(), FunctionCheck("mine:check", folder=tmp_path))
    assert beside.reason == "mine:check: seen It is done."
    installed = await attempt(chat(), FunctionCheck("operator:truth", folder=tmp_path))
    assert installed.passed
    unknown = await attempt(chat(), FunctionCheck("no_such_module:check", folder=tmp_path))
    assert "no module 'no_such_module'" in unknown.reason
    missing = await attempt(chat(), FunctionCheck("mine:other", folder=tmp_path))
    assert "no function 'other'" in missing.reason
    assert "mine" not in sys.modules


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs a list of descriptors")
async def test_no_descriptor_is_left_behind() -> None:
    async def count() -> int:
        await attempt(chat(), CommandCheck("true"), CommandCheck(("no-such-command-here",)))
        await asyncio.sleep(0)
        return len(list(Path("/proc/self/fd").iterdir()))

    before = await count()
    assert [await count() for _ in range(3)] == [before] * 3
