"""Counts the instructions and the system calls of programs that mark regions; see bench/cpp/count_steps.cpp."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "build" / "bench"
NOT_PERMITTED = 77  # count_steps's exit status where it may not trace

# A copy is to take as many instructions whichever memcpy this processor would get: that of the oldest ones.
ENVIRONMENT = {
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-Prefer_FSRM"
    ":glibc.cpu.x86_rep_movsb_threshold=1073741824",
    "PYTHONHASHSEED": "0",
}


@dataclass(frozen=True)
class Count:
    """What a region ran, beyond what an empty one does."""

    instructions: int
    system_calls: int

    def least(self, other: Count) -> Count:
        """Of each the smaller number: what is beyond it was waiting."""
        return Count(min(self.instructions, other.instructions), min(self.system_calls, other.system_calls))


Counts = dict[str, Count]


def build() -> None:
    """Makes the C++ programs, where they are not up to date."""
    made = subprocess.run(["make", "-C", str(ROOT / "bench" / "cpp")], capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr


def count_regions(words: Sequence[str], folder: Path) -> Counts:
    """The least counts of each region of a program."""
    output = folder / "counts"
    ended = subprocess.run(
        [str(PROGRAMS / "count_steps"), str(output), *words],
        stdout=subprocess.PIPE,
        text=True,
        timeout=100,
        env={**os.environ, **ENVIRONMENT},
    )
    if ended.returncode == NOT_PERMITTED:
        pytest.skip("this system does not let a process trace its child (ptrace), by which instructions are counted")
    assert ended.returncode == 0
    return _least(ended.stdout.splitlines(), [json.loads(line) for line in output.read_text().splitlines()])


def _least(names: Sequence[str], regions: Sequence[Mapping[str, int]]) -> Counts:
    assert len(names) == len(regions)
    counts: Counts = {}
    for name, region in zip(names, regions, strict=True):
        count = Count(region["instructions"], region["system_calls"])
        counts[name] = counts.get(name, count).least(count)
    nothing = counts.pop("nothing")
    return {
        name: Count(count.instructions - nothing.instructions, count.system_calls - nothing.system_calls)
        for name, count in counts.items()
    }
