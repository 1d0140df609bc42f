from __future__ import annotations

import pytest

from victor.cli.exits import ExitCode, code_for, report, text_for
from victor.errors import (
    AuthenticationError,
    ConfigError,
    RateLimitError,
    UnknownNameError,
    VictorError,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (VictorError("x"), 1),
        (AuthenticationError("x"), 1),
        (ConfigError("x"), 2),
        (UnknownNameError("mode", "x", ("build",)), 2),
        (RateLimitError("x"), 75),
        (KeyboardInterrupt(), 130),
        (ValueError("x"), 1),
    ],
)
def test_each_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert code_for(error) == code


def test_a_victor_error_is_a_message_and_a_hint_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VICTOR_DEBUG", raising=False)
    assert report(VictorError("It broke.", hint="Mend it.")) is ExitCode.FAILED
    assert capsys.readouterr().err == "Error: It broke.\nMend it.\n"


def test_an_unexpected_error_says_how_to_report_it() -> None:
    text = text_for(ZeroDivisionError("division by zero"))
    assert "ZeroDivisionError: division by zero" in text
    assert "VICTOR_DEBUG=1" in text
    assert "/issues" in text


def test_debugging_shows_the_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VICTOR_DEBUG", "1")
    with pytest.raises(VictorError) as raised:
        raise VictorError("It broke.")
    assert report(raised.value) is ExitCode.FAILED
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "test_exits.py" in told


def test_a_cancelled_command_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(KeyboardInterrupt()) is ExitCode.CANCELLED
    assert capsys.readouterr().err == ""


def test_an_operating_system_error_is_told_as_it_is() -> None:
    assert text_for(OSError(28, "No space left on device")) == "[Errno 28] No space left on device."
