"""All collectives behind one signature, for what is specified of all of them alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from reduce.reference import Array, storage
from spec.buffers import argument
from spec.cases import algorithms

import allred

COLLECTIVES = ("all_reduce", "broadcast", "reduce", "all_gather", "reduce_scatter")
REDUCING = ("all_reduce", "reduce", "reduce_scatter")
EVERY = [(collective, algorithm) for collective in COLLECTIVES for algorithm in algorithms(collective)]


def start(collective: str, comm: allred.Communicator, array: Array, dtype: str, **options: Any) -> tuple[Array, Any]:
    """Makes the call on a copy of the array, and returns where the result is, or will be, and what was returned."""
    own = array.copy()
    passed = argument(own, dtype)
    if collective == "all_gather":
        gathered = np.empty(own.size * comm.size, storage(dtype))
        return gathered, comm.all_gather_into(argument(gathered, dtype), passed, **options)
    if collective == "reduce_scatter":
        scattered = np.empty(own.size // comm.size, storage(dtype))
        return scattered, comm.reduce_scatter_into(argument(scattered, dtype), passed, **options)
    return own, getattr(comm, collective)(passed, **options)


def expected(collective: str, inputs: list[Array], reduction: Array, rank: int, root: int = 0) -> Array:
    """The result on `rank`, from the ranks' arrays and what they reduce to."""
    if collective == "all_gather":
        return np.concatenate(inputs)
    if collective == "broadcast":
        return inputs[root]
    if collective == "reduce_scatter":
        count = reduction.size // len(inputs)
        return reduction[rank * count : (rank + 1) * count]
    return inputs[rank] if collective == "reduce" and rank != root else reduction
