"""Gives up rights, then becomes the program that was asked for.

Run as `python -I -S launcher.py DESCRIPTOR PROGRAM ARGUMENT...`. The descriptor holds what to give
up: a mapping in the form of `marshal`, which needs no import. This file stands alone: it imports
nothing of Victor, because the program has to be running before a slow import would be over, and
nothing of the folder that it starts in.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import sys
from typing import Any

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_BELOW = 1
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _PR_SET_PDEATHSIG, _PR_CAPBSET_DROP = 38, 22, 1, 24
_CAPABILITIES_3 = 0x20080522
_SECCOMP_FILTER = 2
_SIGKILL = 9
_FAILED = 125
"""The exit code where rights could not be given up."""

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14 | 1 << 15
"""Beside the first three: truncating, and controlling devices."""
READING = EXECUTE | READ_FILE | READ_DIR
WRITING = READING | WRITE_FILE | sum(1 << bit for bit in (4, 5, 7, 8, 9, 10, 12, 13, 14, 15))
"""Making and removing anything but devices, moving between folders, truncating."""
_HANDLED_SINCE = ((1, (1 << 13) - 1), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
"""Which rights each version of Landlock was the first to know."""


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _Below(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def version() -> int:
    """Return the version of Landlock that the kernel has; 0 where there is none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, 0, 1)))


def restrict_files(reading: list[str], writing: list[str]) -> None:
    """Give up every file but those at and below these paths; what is missing is left out.

    Other processes are out of reach as well: tracing them, and where the kernel knows of it,
    signals and abstract sockets. Raises `OSError`.
    """
    known = version()
    handled = sum(rights for since, rights in _HANDLED_SINCE if known >= since)
    ruleset = _Ruleset(handled, 0, 3 if known >= 6 else 0)
    # An older kernel knows a shorter form.
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    descriptor = _checked(_libc.syscall(_CREATE_RULESET, ctypes.byref(ruleset), size, 0))
    for paths, rights in ((reading, READING), (writing, WRITING)):
        for path in paths:
            _allow_below(descriptor, path, rights & handled)
    _checked(_libc.syscall(_RESTRICT_SELF, descriptor, 0))
    os.close(descriptor)


def _allow_below(ruleset: int, path: str, rights: int) -> None:
    try:
        # Not following: what became a link since the paths were looked at leads elsewhere.
        place = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        mode = os.fstat(place).st_mode & 0o170000
        if mode == 0o120000:
            return
        rule = _Below(rights if mode == 0o040000 else rights & _OF_FILES, place)
        _checked(_libc.syscall(_ADD_RULE, ruleset, _BELOW, ctypes.byref(rule), 0))
    finally:
        os.close(place)


def give_up_new_rights() -> None:
    """Let no program that is started from here on gain rights. Raises `OSError`."""
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def give_up_capabilities() -> None:
    """Be root in name only, where one is root: with its powers, much can be gone around."""
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # No more of them, or none to give up.
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0)
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()))


def restrict_calls(program: bytes) -> None:
    """Put a filter of `victor.safety.seccomp` in force. Raises `OSError`."""
    filtering = _Program(len(program) // 8, program)
    _checked(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_FILTER, ctypes.byref(filtering), 0, 0))


def end_with(parent: int) -> None:
    """Be killed when the parent ends; at once, where it is another than `parent` by now."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0))
    if parent and os.getppid() != parent:
        os.kill(os.getpid(), _SIGKILL)


def listen_for(channel: int, port: int) -> None:
    """Listen on a port of this loopback, and hand the socket to who holds the other end."""
    import array
    import socket

    with socket.socket() as listening, socket.socket(fileno=channel) as other_end:
        listening.bind(("127.0.0.1", port))
        listening.listen(64)
        rights = array.array("i", [listening.fileno()])
        other_end.sendmsg([b"."], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result)


def main(arguments: list[str]) -> None:
    """Do what the descriptor says and become the program; if that fails, say so and end."""
    descriptor, *program = arguments
    try:
        with os.fdopen(int(descriptor), "rb") as file:
            surrender: dict[str, Any] = marshal.load(file)  # noqa: S302  # from the parent's memory
        if surrender.get("parent"):
            end_with(surrender["parent"])
        if "channel" in surrender:
            listen_for(surrender["channel"], surrender["port"])
        if "reading" in surrender or "calls" in surrender:
            give_up_new_rights()
        if "reading" in surrender:
            restrict_files(surrender["reading"], surrender["writing"])
            give_up_capabilities()
        if "calls" in surrender:
            restrict_calls(surrender["calls"])
    except (OSError, ValueError, EOFError) as error:
        print(f"victor: the sandbox could not be entered: {error}", file=sys.stderr)  # noqa: T201
        os._exit(_FAILED)
    try:
        environment = surrender.get("environment", os.environ)
        os.execvpe(program[0], program, environment)  # noqa: S606  # as asked, without a shell
    except OSError as error:
        print(f"victor: {program[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201
        os._exit(127 if error.errno == 2 else 126)


if __name__ == "__main__":
    main(sys.argv[1:])
