"""What has become of the processes that a command started."""

from __future__ import annotations

from pathlib import Path


def is_running(pid: str) -> bool:
    """False also for an orphan that has ended and that nobody has waited for yet."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
