"""Making process groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from targets.effort import Effort
from targets.measurement import Measurement, Raw
from targets.rank_programs import run_program
from targets.verdict import Verdict

TARGETS = (("creating a group, 2 ranks, 100 groups", "at most half of Gloo's time"),)


def measure(effort: Effort) -> Raw:
    return run_program("groups", groups=effort.groups)


def judge_all(raw: Raw) -> Sequence[Verdict]:
    times = {name: float(np.median(blocks)) for name, blocks in raw["blocks_ms"].items()}
    part = times["allred"] / times["gloo"]
    measured = "{:.2f} of it: {allred:.2f} ms and {gloo:.2f} ms a group".format(part, **times)
    return [Verdict(*TARGETS[0], measured, part <= 0.5)]


MEASUREMENT = Measurement("groups", measure, judge_all, TARGETS)
