"""Takes system calls from this process, as a container's seccomp profile or another user's namespace may."""

from __future__ import annotations

import ctypes
import errno
import os
import platform

PROCESS_VM_READV, PROCESS_VM_WRITEV = {"x86_64": (310, 311), "aarch64": (270, 271)}[platform.machine()]

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _KILL_PROCESS, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000

_libc = ctypes.CDLL(None, use_errno=True)


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("if_true", ctypes.c_ubyte),
        ("if_false", ctypes.c_ubyte),
        ("k", ctypes.c_uint),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction)))


def _filter(number: int, action: int) -> None:
    """For this thread and those that it starts. The call's number is the first word of what a filter sees."""
    instructions = (_Instruction * 4)(
        (_LOAD_WORD, 0, 0, 0), (_JUMP_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, action), (_RETURN, 0, 0, _ALLOW)
    )
    program = _Program(len(instructions), instructions)
    for call in (
        lambda: _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        lambda: _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0),
    ):
        if call() != 0:
            raise OSError(ctypes.get_errno(), "prctl")


def kill_at(number: int) -> None:
    """The process is killed (SIGSYS) when it makes the call."""
    _filter(number, _KILL_PROCESS)


def refuse(number: int) -> None:
    """The call fails for want of permission."""
    _filter(number, _FAIL | errno.EPERM)
    assert _libc.syscall(number, os.getpid(), None, 0, None, 0, 0) == -1
    assert ctypes.get_errno() == errno.EPERM
