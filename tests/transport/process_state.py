"""What this process holds, as the kernel sees it."""

from __future__ import annotations

import os
import time
from pathlib import Path

MEMFD = "/memfd:allred"


def threads(at_most: int | None = None) -> int:
    """How many there are; if there should be fewer, after a moment, as the kernel takes one to forget the joined."""
    deadline = time.monotonic() + 2
    while True:
        found = len(list(Path("/proc/self/task").iterdir()))
        if at_most is None or found <= at_most or time.monotonic() > deadline:
            return found
        time.sleep(0.001)


def open_files() -> list[str]:
    """What each descriptor refers to, without the one that lists them."""
    targets = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            targets.append(str(entry.readlink()))
        except FileNotFoundError:
            continue
    return sorted(target for target in targets if not target.startswith("/proc/"))


def memory_files() -> list[int]:
    """The descriptors of allred's shared memory."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            if str(entry.readlink()).startswith(MEMFD):
                found.append(int(entry.name))
        except FileNotFoundError:
            continue
    return found


def reserved_bytes() -> int:
    """Shared memory that is backed by pages. A file may have several descriptors."""
    files = {(state.st_dev, state.st_ino): state.st_blocks for state in map(os.fstat, memory_files())}
    return 512 * sum(files.values())


def mappings() -> list[str]:
    """Mappings of allred's shared memory."""
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if MEMFD in line]
