"""What the kernel lets the library do: read other processes' memory, watch them, order their memory accesses."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import numpy as np

from allred import _core
from allred.cli.doctor.check import OK, WARNING, Check, Sources


def remote_reads(sources: Sources, attempt: Callable[[], int] | None = None) -> Check:
    """Whether one process may copy from another's memory (process_vm_readv, CMA), as two ranks would."""
    error = (attempt or read_between_processes)()
    if error == 0:
        return Check("reading other processes (CMA)", OK, "process_vm_readv between two processes works")
    found = f"process_vm_readv: {os.strerror(error)}"
    scope = sources.text("/proc/sys/kernel/yama/ptrace_scope")
    filtered = sources.field("/proc/self/status", "Seccomp") not in (None, "0")
    if scope not in (None, "0"):
        found += f"; kernel.yama.ptrace_scope is {scope}"
        advice = "sysctl kernel.yama.ptrace_scope=0"
    elif error == errno.ENOSYS or filtered:
        found += "; a seccomp filter is active" if filtered else ""
        advice = "docker run --cap-add SYS_PTRACE, or a seccomp profile that allows process_vm_readv"
    else:
        advice = "run all ranks as one user"
    return Check(
        "reading other processes (CMA)", WARNING, found, f"{advice}; until then large messages are copied twice"
    )


def pidfd(_: Sources, attempt: Callable[[], None] | None = None) -> Check:
    """Whether ranks can watch each other's processes."""
    try:
        (attempt or _open_own)()
    except OSError as error:
        advice = "Linux 5.3 or newer, and a seccomp profile that allows it; without it a rank's death is noticed late"
        return Check("pidfd", WARNING, f"pidfd_open: {error.strerror}", advice)
    return Check("pidfd", OK, "the death of a rank is noticed at once")


def membarrier(_: Sources, present: bool | None = None) -> Check:
    """Whether a rank that sleeps can leave the cost of its wake-up to itself."""
    if _core.has_membarrier() if present is None else present:
        return Check("membarrier", OK, "works")
    advice = "Linux 4.16 or newer, and a seccomp profile that allows it; until then a sleeping rank may wake 5 ms late"
    return Check("membarrier", WARNING, "not available", advice)


def read_between_processes() -> int:
    """Has a child read this process's memory. A child is to its parent as one rank to another: it may not trace it.

    Returns:
        0, or the error number.
    """
    target = np.zeros(1)
    owner = os.getpid()
    child = os.fork()
    if child == 0:
        os._exit(_core.try_reading(owner, target.ctypes.data))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _open_own() -> None:
    os.close(os.pidfd_open(os.getpid()))
