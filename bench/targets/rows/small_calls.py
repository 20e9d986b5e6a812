"""What the backend adds to torch's own cost of a call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from allred.cli.sizes import format_size
from targets.effort import Effort
from targets.measurement import Measurement, Raw
from targets.rank_programs import run_program
from targets.verdict import Ratio, Verdict, judge

SIZES = (4, 64, 256, 1024)
TARGETS = (("`dist.all_reduce`, up to 1 KiB", "at most 1.2 times a call on torch's `fake` backend"),)


def measure(effort: Effort) -> Raw:
    return run_program("small_calls", sizes=SIZES, blocks=2 * effort.blocks + 1, seconds=4 * effort.seconds)


def parts(raw: Raw) -> Iterator[Ratio]:
    for record in raw["results"]:
        times = {name: float(np.median(blocks)) for name, blocks in record["blocks_us"].items()}
        barrier = record["barrier_us"]["before"], record["barrier_us"]["after"]
        where = f"{format_size(record['size'])}, {times['allred torch']:.2f} us"
        yield Ratio(where, times["allred torch"] / times["fake"], 1.2, barrier, at_most=True)


def judge_all(raw: Raw) -> Sequence[Verdict]:
    return [judge(*TARGETS[0], parts(raw))]


MEASUREMENT = Measurement("small_calls", measure, judge_all, TARGETS)
