"""Shared memory a rank."""

from __future__ import annotations

from collections.abc import Sequence

from targets.effort import Effort
from targets.measurement import Measurement, Raw
from targets.rank_programs import run_program
from targets.verdict import Verdict

KIB, MIB = 1 << 10, 1 << 20
TARGETS = (
    ("shared memory a rank, busy communicator", "at most 8 MiB"),
    ("shared memory a rank, small messages only", "at most 256 KiB"),
)


def measure(effort: Effort) -> Raw:
    return run_program("shared_memory")


def judge_all(raw: Raw) -> Sequence[Verdict]:
    busy, small = raw["busy"], raw["small"]
    return (
        Verdict(*TARGETS[0], f"{busy / MIB:.1f} MiB", busy <= 8 * MIB),
        Verdict(*TARGETS[1], f"{small / KIB:.0f} KiB", small <= 256 * KIB),
    )


MEASUREMENT = Measurement("shared_memory", measure, judge_all, TARGETS)
