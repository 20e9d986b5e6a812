"""A C++ caller, beside Intel's own benchmark of Intel MPI. The two programs take turns."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from allred.cli.bench.peers import Missing
from allred.cli.bench.peers.imb import imb_allreduce
from allred.cli.errors import CommandFailed
from allred.cli.sizes import format_size
from targets.effort import Effort
from targets.measurement import Measurement, NotMeasurable, Raw
from targets.verdict import Ratio, Verdict, judge

ROOT = Path(__file__).parents[3]
SIZES = (4, 16, 64, 256, 1024)
SECONDS = 0.02  # of a block
TARGETS = (("C++ caller, 2 ranks, 4 B to 1 KiB", "no slower than Intel MPI's `IMB-MPI1 Allreduce`"),)


def measure(effort: Effort) -> Raw:
    subprocess.run(["make", "-C", str(ROOT / "bench" / "cpp")], check=True, stdout=subprocess.DEVNULL)
    turns = []
    for _ in range(effort.turns):
        try:
            own, imb = run_own(effort.blocks), imb_allreduce(SIZES, 2)
        except Missing as missing:
            raise NotMeasurable("Intel MPI is not installed") from missing
        except (CommandFailed, subprocess.CalledProcessError) as error:
            raise NotMeasurable(str(error)) from error
        turns.append({"own": own, "imb_us": {str(size): time for size, time in imb.items()}})
    return {"turns": turns}


def run_own(blocks: int) -> Raw:
    program = ROOT / "build" / "bench" / "all_reduce"
    words = [str(program), "2", ",".join(map(str, SIZES)), str(blocks), str(SECONDS)]
    raw: Raw = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    return raw


def ratios(raw: Raw) -> Iterator[Ratio]:
    for idx, size in enumerate(SIZES):
        own = [turn["own"]["results"][idx] for turn in raw["turns"]]
        imb = [turn["imb_us"][str(size)] for turn in raw["turns"]]
        time = float(np.median([record["time_us"] for record in own]))
        barriers = [record["barrier_us"][when] for record in own for when in ("before", "after")]
        yield Ratio(
            f"{format_size(size)}, {time:.2f} us", float(np.median(imb)) / time, 1, (min(barriers), max(barriers))
        )


def judge_all(raw: Raw) -> Sequence[Verdict]:
    return [judge(*TARGETS[0], ratios(raw))]


MEASUREMENT = Measurement("cpp_caller", measure, judge_all, TARGETS)
