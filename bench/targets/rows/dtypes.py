"""Narrow types: elements a second, beside float32."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from allred.cli.sizes import format_size
from targets.effort import Effort
from targets.measurement import Measurement, Raw
from targets.rank_programs import run_program
from targets.verdict import Ratio, Verdict, judge

MIB = 1 << 20
SIZES = (MIB, 4 * MIB, 16 * MIB, 64 * MIB)  # of float32
TARGETS = (
    ("bfloat16 and float16, 1 MiB and more", "1.6 times the float32 element rate"),
    ("int8 sum, 1 MiB and more", "3 times the float32 element rate"),
)


def measure(effort: Effort) -> Raw:
    # As many elements as float32 has in `size` bytes; the smallest size holds 1 MiB of int8.
    sizes = [4 * size for size in SIZES]
    return run_program("dtypes", sizes=sizes, blocks=effort.blocks, seconds=4 * effort.seconds)


def rates(raw: Raw, dtypes: Sequence[str], target: float) -> Iterator[Ratio]:
    for record in raw["results"]:
        times = {name: float(np.median(blocks)) for name, blocks in record["blocks_us"].items()}
        barrier = record["barrier_us"]["before"], record["barrier_us"]["after"]
        for dtype in dtypes:
            where = f"{dtype}, {format_size(record['size'] // 4)} elements"
            yield Ratio(where, times["float32"] / times[dtype], target, barrier)


def judge_all(raw: Raw) -> Sequence[Verdict]:
    half, int8 = TARGETS
    return judge(*half, rates(raw, ("bfloat16", "float16"), 1.6)), judge(*int8, rates(raw, ("int8",), 3))


MEASUREMENT = Measurement("dtypes", measure, judge_all, TARGETS)
