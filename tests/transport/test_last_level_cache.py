"""The largest cache, on recorded trees of /sys."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from allred import _core

L1D = ("1", "32K", "0-1")
L1I = ("1", "32K", "0-1")
L2 = ("2", "1024K", "0-1")


def record(root: Path, *caches: tuple[str, str, str]) -> str:
    """Writes level, size and cores of each cache of the first core that this process may run on."""
    for idx, texts in enumerate(caches):
        folder = root / f"sys/devices/system/cpu/cpu{min(os.sched_getaffinity(0))}/cache/index{idx}"
        folder.mkdir(parents=True)
        for name, text in zip(("level", "size", "shared_cpu_list"), texts, strict=True):
            (folder / name).write_text(text + "\n")
    return str(root)


@pytest.mark.parametrize(
    ("caches", "expected"),
    [
        ((L1D, L1I, L2, ("3", "32768K", "0-7,64-71")), (32 << 20, 16)),
        ((L1D, L1I, L2, ("3", "105M", "0-27")), (105 << 20, 28)),
        ((L1D, L1I, L2), (1 << 20, 2)),
        ((L1D, L1I, ("2", "2048K", "3")), (2 << 20, 1)),
        ((L1D, ("2", "strange", "0-1"), ("3", "", "")), (32 << 10, 2)),
        ((), None),
    ],
)
def test_the_largest_is_found(
    tmp_path: Path, caches: tuple[tuple[str, str, str], ...], expected: tuple[int, int] | None
) -> None:
    assert _core.last_level_cache(record(tmp_path, *caches)) == expected
