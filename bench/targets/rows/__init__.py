"""The measurements, in the order of the table."""

from __future__ import annotations

from targets.measurement import Measurement
from targets.rows import (
    all_reduce,
    all_reduce_floors,
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
    all_reduce_floors.MEASUREMENT,
    small_calls.MEASUREMENT,
    asynchronous.MEASUREMENT,
    *crowded.MEASUREMENTS,
    dtypes.MEASUREMENT,
    *collectives.MEASUREMENTS,
    shared_memory.MEASUREMENT,
    groups.MEASUREMENT,
)
