"""What this host is: the part of it by which measurements and tables are known."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path


@cache
def cpu_model() -> str:
    """The processor's name, or else its architecture."""
    try:
        with Path("/proc/cpuinfo").open() as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    return value.strip()
    except OSError:
        pass
    return platform.machine()


@cache
def num_cores() -> int:
    """How many cores the host has, whether this process may use them or not."""
    return os.cpu_count() or 1
