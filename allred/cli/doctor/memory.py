"""Memory: how much there is, and whether it can be shared."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

from allred import _core
from allred.cli.doctor.check import OK, PROBLEM, WARNING, Check, Sources, format_bytes

_LEAST_BYTES = 256 << 20  # available, below which little but the library itself has room
_TRIED_BYTES = 1 << 20
_LEAST_FILES = 256
_USUAL_FILES = 1024


def memory(sources: Sources) -> Check:
    """The machine's memory, and how much of it is free to use."""
    total, available = (_kibibytes(sources.field("/proc/meminfo", key)) for key in ("MemTotal", "MemAvailable"))
    if total is None or available is None:
        return Check("memory", WARNING, "/proc/meminfo cannot be read", "mount /proc in the container")
    found = f"{format_bytes(total)}, {format_bytes(available)} available"
    if available < _LEAST_BYTES:
        return Check("memory", WARNING, found, "end what uses it, or take a larger machine")
    return Check("memory", OK, found)


def cgroup_memory(sources: Sources) -> Check:
    """The memory that the control groups allow; shared memory counts."""
    folders = [Path(folder) for folder in _core.cgroup_folders("memory", str(sources.root))]
    limits = [limit for folder in folders for limit in (_limit_of(folder),) if limit is not None]
    total = _kibibytes(sources.field("/proc/meminfo", "MemTotal"))
    limit = min(limits, default=None)
    if limit is None or (total is not None and limit >= total):
        return Check("memory by cgroup", OK, "no limit")
    if limit < _LEAST_BYTES:
        advice = "raise it: docker run --memory, in Kubernetes resources.limits.memory"
        return Check("memory by cgroup", WARNING, f"at most {format_bytes(limit)}", advice)
    return Check("memory by cgroup", OK, f"at most {format_bytes(limit)}")


def shared_memory(_: Sources, reserve: Callable[[int], None] | None = None) -> Check:
    """Whether memory can be made that processes share, and be backed with pages ahead of use."""
    try:
        (reserve or _reserve)(_TRIED_BYTES)
    except OSError as error:
        advice = "allow memfd_create and fallocate in the container's seccomp profile, and check its memory limit"
        return Check("shared memory", PROBLEM, f"memfd_create and fallocate: {error.strerror}", advice)
    return Check("shared memory", OK, "memfd_create and fallocate work; /dev/shm is not used")


def open_files(_: Sources, limit: int | None = None) -> Check:
    """How many descriptors the process may have: a communicator takes some for each of its ranks."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if limit is None else limit
    found = "no limit" if soft == resource.RLIM_INFINITY else str(soft)
    if soft == resource.RLIM_INFINITY or soft >= _USUAL_FILES:
        return Check("open files", OK, found)
    return Check("open files", PROBLEM if soft < _LEAST_FILES else WARNING, found, "raise the limit: ulimit -n 65536")


def locked_memory(_: Sources, limit: int | None = None) -> Check:
    """How much memory may be locked. Shared memory on one host needs none; RDMA networks would."""
    soft = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] if limit is None else limit
    found = "no limit" if soft == resource.RLIM_INFINITY else format_bytes(soft)
    return Check("locked memory", OK, f"{found}; allred locks none")


def _reserve(count: int) -> None:
    descriptor = os.memfd_create("allred-doctor", os.MFD_CLOEXEC)
    try:
        os.posix_fallocate(descriptor, 0, count)
    finally:
        os.close(descriptor)


def _kibibytes(text: str | None) -> int | None:
    """The bytes in a line of /proc/meminfo: 1024 kB."""
    return int(text.split()[0]) << 10 if text else None


def _limit_of(folder: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        try:
            text = (folder / name).read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdecimal() else None
    return None
