"""Asynchronous AllReduce: the launch, and the overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from targets.effort import Effort
from targets.measurement import Measurement, Raw
from targets.rank_programs import run_program
from targets.verdict import Verdict

LAUNCH_US = 10.0
HIDDEN = 0.5  # of a call's time, at least, to call it an overlap
TARGETS = (
    ("asynchronous `dist.all_reduce`, 64 KiB: launch", f"under {LAUNCH_US:.0f} us beyond torch's own cost"),
    ("asynchronous `dist.all_reduce`, 64 KiB: overlap with computation", f"at least {HIDDEN:.0%} of the call hidden"),
)


def measure(effort: Effort) -> Raw:
    return run_program("asynchronous", size=65536, blocks=2 * effort.blocks + 1, seconds=4 * effort.seconds)


def judge_all(raw: Raw) -> Sequence[Verdict]:
    launch = {name: float(np.median(blocks)) for name, blocks in raw["launch_us"].items()}
    beyond = launch["allred torch"] - launch["fake"]
    times = {name: float(np.median(blocks)) for name, blocks in raw["overlap"]["blocks_us"].items()}
    hidden = (times["call"] + times["computation"] - times["both"]) / times["call"]
    launched = f"{beyond:.1f} us beyond torch's {launch['fake']:.1f} us"
    overlapped = "{:.0%}: call {call:.0f} us, computation {computation:.0f} us, both {both:.0f} us".format(
        hidden, **times
    )
    return Verdict(*TARGETS[0], launched, beyond < LAUNCH_US), Verdict(*TARGETS[1], overlapped, hidden >= HIDDEN)


MEASUREMENT = Measurement("asynchronous", measure, judge_all, TARGETS)
