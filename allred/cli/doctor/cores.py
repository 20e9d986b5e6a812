"""Cores: those that this process may use, and how much of their time."""

from __future__ import annotations

import os
from collections.abc import Set

from allred import _core
from allred.cli.doctor.check import OK, PROBLEM, WARNING, Check, Sources


def affinity(sources: Sources, allowed: Set[int] | None = None) -> Check:
    """The cores that the process may run on, of those that are switched on."""
    cores = os.sched_getaffinity(0) if allowed is None else allowed
    online = count_of(sources.text("/sys/devices/system/cpu/online") or "")
    found = f"{len(cores)} of {max(online, len(cores))} cores: {list_of(cores)}"
    if len(cores) >= online:
        return Check("cores by affinity", OK, found)
    advice = "the launcher or taskset binds the process; with mpirun, --bind-to none gives each rank all cores"
    return Check("cores by affinity", OK if len(cores) > 1 else WARNING, found, advice)


def quota(sources: Sources) -> Check:
    """The processor time that the control group allows."""
    cores = _core.cpu_quota(str(sources.root))
    if cores is None:
        return Check("cores by cgroup quota", OK, "no limit")
    advice = "give the container whole cores: docker run --cpus N, in Kubernetes resources.limits.cpu"
    if cores < 1:
        return Check("cores by cgroup quota", PROBLEM, f"{cores:g} cores: less than one rank needs", advice)
    whole = cores == int(cores)
    return Check("cores by cgroup quota", OK if whole else WARNING, f"{cores:g} cores", "" if whole else advice)


def cores_a_rank(sources: Sources, allowed: Set[int] | None = None) -> Check:
    """How many ranks of one host can poll for their peers, instead of sleeping."""
    cores = os.sched_getaffinity(0) if allowed is None else allowed
    limit = _core.cpu_quota(str(sources.root)) or 0.0
    number = _core.count_cores([(",".join(map(str, cores)), limit, "")])
    found = f"{number} rank{'s' if number > 1 else ''} would have a core each"
    if number > 1:
        return Check(
            "core a rank", OK, found, f"with more than {number}, ranks share cores and small calls take longer"
        )
    return Check("core a rank", WARNING, found, "more cores: ranks that share one take turns, at some 10 us a turn")


def list_of(cores: Set[int]) -> str:
    """The form of the kernel: 0-3,8."""
    runs: list[list[int]] = []
    for core in sorted(cores):
        if runs and core == runs[-1][1] + 1:
            runs[-1][1] = core
        else:
            runs.append([core, core])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def count_of(text: str) -> int:
    """How many numbers a list in the kernel's form holds."""
    parts = [part.split("-") for part in text.split(",") if part]
    return sum(int(part[-1]) - int(part[0]) + 1 for part in parts)
