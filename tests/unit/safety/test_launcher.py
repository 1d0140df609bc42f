"""What the launcher asks of the kernel, told by a C library that only writes down."""

from __future__ import annotations

import ctypes
import marshal
import os
from pathlib import Path
from typing import Any

import pytest

from victor.safety import launcher


class Library:
    """Answers every call with success, and keeps what was asked."""

    def __init__(self, version: int = 7) -> None:
        self.version = version
        self.asked: list[tuple[Any, ...]] = []
        self.refused = ""

    def _answer(self, name: str, *arguments: Any) -> int:
        self.asked.append((name, *arguments))
        if name == self.refused:
            ctypes.set_errno(1)
            return -1
        return 0

    def syscall(self, number: int, *arguments: Any) -> int:
        if number == 444 and arguments[0] is None:
            return self.version
        if number == 444:
            ruleset = arguments[0]._obj
            kept = (ruleset.handled_access_fs, ruleset.scoped, arguments[1])
            self._answer("ruleset", *kept)
            return os.open("/dev/null", os.O_RDONLY)
        if number == 445:
            rule = arguments[2]._obj
            path = Path(f"/proc/self/fd/{rule.parent_fd}").readlink()
            return self._answer("rule", str(path), rule.allowed_access)
        return self._answer("restrict")

    def prctl(self, option: int, *arguments: Any) -> int:
        if option == 24 and arguments[0] > 40:
            return -1
        return self._answer("prctl", option)

    def capset(self, header: Any, data: Any) -> int:
        return self._answer("capset", *data)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    library = Library()
    monkeypatch.setattr(launcher, "_libc", library)
    return library


@pytest.mark.parametrize(
    ("version", "rights", "scoped", "size"),
    [
        (1, (1 << 13) - 1, 0, 8),
        (3, (1 << 15) - 1, 0, 8),
        (4, (1 << 15) - 1, 0, 16),
        (5, (1 << 16) - 1, 0, 16),
        (6, (1 << 16) - 1, 3, 24),
        (7, (1 << 16) - 1, 3, 24),
    ],
)
def test_each_kernel_is_asked_for_what_it_knows(
    library: Library, tmp_path: Path, version: int, rights: int, scoped: int, size: int
) -> None:
    library.version = version
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("file")
    named = [str(tmp_path), str(tmp_path / "file"), str(tmp_path / "link"), "/nowhere/at/all"]
    launcher.restrict_files(["/etc"], named)
    ruleset, *rules, restrict = library.asked
    assert ruleset == ("ruleset", rights, scoped, size)
    assert restrict == ("restrict",)
    assert [path for _, path, _ in rules] == ["/etc", str(tmp_path), str(tmp_path / "file")]
    reading, folder, file = (allowed for _, _, allowed in rules)
    assert reading == launcher.READING == 0b1101
    assert folder == launcher.WRITING & rights
    # Of a file nothing that is about what is in a folder: the kernel would refuse the rule.
    assert file & ~(launcher.EXECUTE | launcher.WRITE_FILE | launcher.READ_FILE | 0b11 << 14) == 0
    # Devices are never made: bits 6 and 11.
    assert not folder & (1 << 6 | 1 << 11)


def _told(surrender: dict[str, Any]) -> int:
    descriptor = os.memfd_create("test")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        marshal.dump(surrender, file)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def test_rights_are_given_up_in_order_and_then_the_program_starts(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(os, "execvpe", lambda *given: started.append(given))
    surrender = {
        "parent": os.getppid(),
        "reading": [],
        "writing": [],
        "calls": b"\0" * 16,
        "environment": {"A": "1"},
    }
    launcher.main([str(_told(surrender)), "make", "test"])
    names = [asked[:2] if asked[0] == "prctl" else asked[:1] for asked in library.asked]
    without_capabilities = [name for name in names if name != ("prctl", 24)]
    assert without_capabilities == [
        ("prctl", 1),
        ("prctl", 38),
        ("ruleset",),
        ("restrict",),
        ("capset",),
        ("prctl", 22),
    ]
    assert started == [("make", ["make", "test"], {"A": "1"})]


@pytest.mark.parametrize("refused", ["prctl", "ruleset", "restrict", "capset"])
def test_nothing_starts_where_rights_cannot_be_given_up(
    library: Library,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    refused: str,
) -> None:
    class Ended(Exception):
        pass

    def end(code: int) -> None:
        raise Ended(code)

    def never(*_: Any) -> None:
        raise AssertionError("it was started")

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(os, "execvpe", never)
    library.refused = refused
    if refused == "ruleset":
        monkeypatch.setattr(library, "syscall", lambda *_: -1)
    with pytest.raises(Ended, match="125"):
        launcher.main([str(_told({"reading": [], "writing": [], "calls": b""})), "make"])
    assert "the sandbox could not be entered" in capsys.readouterr().err


@pytest.mark.parametrize(("program", "code"), [("nowhere-at-all", "127"), ("/etc", "126")])
def test_a_program_that_cannot_start_says_so(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    program: str,
    code: str,
) -> None:
    class Ended(Exception):
        pass

    def end(number: int) -> None:
        raise Ended(number)

    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(Ended, match=code):
        launcher.main([str(_told({"environment": {"PATH": "/bin"}})), program])
    assert program in capsys.readouterr().err


def test_who_has_lost_its_parent_ends(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append(number))
    launcher.end_with(os.getppid())
    assert killed == []
    launcher.end_with(os.getppid() + 1)
    assert killed == [9]


def test_a_socket_that_listens_is_handed_out() -> None:
    import socket

    ours, theirs = socket.socketpair()
    with ours, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        launcher.listen_for(theirs.detach(), port)
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    with socket.socket(fileno=descriptors[0]) as listening:
        assert listening.getsockname() == ("127.0.0.1", port)
        with socket.create_connection(("127.0.0.1", port)):
            listening.accept()[0].close()
