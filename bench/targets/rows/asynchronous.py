"""Asynchronous AllReduce: the launch, and the overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from targets.effort import Effort
from targets.measurement import Measurement, Raw
from targets.rank_programs import run_program
from targets.verdict import Verdict

SIZE = 64 << 10
OVERLAP_SIZES = (SIZE, 16 << 20)  # one that a thread is not worth waking for, and one that it is
LAUNCH_US = 10.0
HIDDEN = 0.5  # of a call's time, at least, to call it an overlap
CALL = "asynchronous `dist.all_reduce`, "
TARGETS = (
    (CALL + "64 KiB: launch", f"under {LAUNCH_US:.0f} us beyond torch's own cost"),
    *(
        (f"{CALL}{size}: overlap with computation", f"at least {HIDDEN:.0%} of the call hidden")
        for size in ("64 KiB", "16 MiB")
    ),
)


def measure(effort: Effort) -> Raw:
    return run_program(
        "asynchronous",
        size=SIZE,
        overlap_sizes=OVERLAP_SIZES,
        blocks=2 * effort.blocks + 1,
        seconds=4 * effort.seconds,
    )


def judge_all(raw: Raw) -> Sequence[Verdict]:
    launch = {name: float(np.median(blocks)) for name, blocks in raw["launch_us"].items()}
    beyond = launch["allred torch"] - launch["fake"]
    launched = f"{beyond:.1f} us beyond torch's {launch['fake']:.1f} us"
    overlaps = zip(TARGETS[1:], raw["overlaps"].values(), strict=True)
    return Verdict(*TARGETS[0], launched, beyond < LAUNCH_US), *(judge_overlap(*each) for each in overlaps)


def judge_overlap(target: tuple[str, str], overlap: Raw) -> Verdict:
    times = {name: float(np.median(blocks)) for name, blocks in overlap["blocks_us"].items()}
    hidden = (times["call"] + times["computation"] - times["both"]) / times["call"]
    parts = "call {call:.0f} us, computation {computation:.0f} us, both {both:.0f} us".format(**times)
    return Verdict(*target, f"{hidden:.0%}: {parts}", hidden >= HIDDEN)


MEASUREMENT = Measurement("asynchronous", measure, judge_all, TARGETS)
