"""The measurements, in the order of the table."""

from __future__ import annotations

from targets.measurement import Measurement
from targets.rows import (
    all_reduce,
    asynchronous,
    collectives,
    cpp_caller,
    crowded,
    dtypes,
    groups,
    shared_memory,
    small_calls,
)

ALL: tuple[Measurement, ...] = (
    cpp_caller.MEASUREMENT,
    all_reduce.MEASUREMENT,
    small_calls.MEASUREMENT,
    asynchronous.MEASUREMENT,
    *crowded.MEASUREMENTS,
    dtypes.MEASUREMENT,
    *collectives.MEASUREMENTS,
    shared_memory.MEASUREMENT,
    groups.MEASUREMENT,
)
