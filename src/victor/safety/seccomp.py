"""A filter of system calls, as a BPF program for Linux.

It forbids what a build or a test never needs and an escape does: other namespaces and mounts,
looking into other processes, kernel modules and keys, `io_uring` (which would get around the
filter), typing into a terminal, and sockets of the families that are not listed. See seccomp(2).
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Mapping
from dataclasses import dataclass

_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000

_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

UNIX, INET, INET6, NETLINK = 1, 2, 10, 16
"""Families of sockets; the numbers are Linux's own."""

_NAMESPACES = 0x7E020000
"""The flags of clone(2) that make new namespaces."""
_TYPING = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX, which put words into a terminal's mouth."""
_X32 = 0x40000000
_CLONE3 = 435

_FORBIDDEN: Mapping[str, tuple[int, int]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, -1),
    "iopl": (172, -1),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
"""Calls with their numbers on x86_64 and aarch64; -1 where there is none."""


@dataclass(frozen=True, slots=True)
class _Machine:
    architecture: int
    column: int
    """Of `_FORBIDDEN`."""
    socket: int
    clone: int
    ioctl: int


_MACHINES: Mapping[str, _Machine] = {
    "x86_64": _Machine(0xC000003E, 0, socket=41, clone=56, ioctl=16),
    "aarch64": _Machine(0xC00000B7, 1, socket=198, clone=220, ioctl=29),
}


def supported(machine: str | None = None) -> bool:
    """Return whether there is a filter for this machine."""
    return (machine or platform.machine()) in _MACHINES


def program(families: tuple[int, ...], machine: str | None = None) -> bytes:
    """Return the filter that lets sockets of these families be made, in the kernel's own form.

    What is forbidden fails with `EPERM`; so does everything of a foreign architecture. Raises
    `KeyError` for a machine that is not `supported`.
    """
    found = _MACHINES[machine or platform.machine()]
    refuse = _REFUSE | errno.EPERM
    steps: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, found.architecture),
        (_RETURN, 0, 0, refuse),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if found.column == 0:
        # The same machine speaks a second dialect there, with numbers of its own.
        steps += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, refuse)]
    # The C library goes back to clone(2), whose flags can be looked at.
    steps += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _REFUSE | errno.ENOSYS)]
    for numbers in _FORBIDDEN.values():
        if numbers[found.column] >= 0:
            steps += [(_EQUAL, 0, 1, numbers[found.column]), (_RETURN, 0, 0, refuse)]
    steps += _looked_at(found.clone, 0, [(_ANY_BIT, 0, 1, _NAMESPACES), (_RETURN, 0, 0, refuse)])
    for request in _TYPING:
        steps += _looked_at(found.ioctl, 1, [(_EQUAL, 0, 1, request), (_RETURN, 0, 0, refuse)])
    steps += _looked_at(found.socket, 0, _only(families, refuse))
    steps.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


def _looked_at(
    number: int, argument: int, steps: list[tuple[int, int, int, int]]
) -> list[tuple[int, int, int, int]]:
    """Do `steps` with the lower half of an argument of the call `number`, then load that again."""
    body = [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument), *steps, (_LOAD, 0, 0, _NUMBER)]
    return [(_EQUAL, 0, len(body), number), *body]


def _only(families: tuple[int, ...], refuse: int) -> list[tuple[int, int, int, int]]:
    compared = [(_EQUAL, len(families) - place, 0, family) for place, family in enumerate(families)]
    return [*compared, (_RETURN, 0, 0, refuse)]
