"""All collectives behind one signature, for what is specified of all of them alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from reduce.reference import Array, storage
from spec.buffers import argument
from spec.cases import algorithms

import allred

COLLECTIVES = (
    "all_reduce",
    "broadcast",
    "reduce",
    "all_gather",
    "reduce_scatter",
    "gather",
    "scatter",
    "all_to_all",
)
REDUCING = ("all_reduce", "reduce", "reduce_scatter")
DIVIDING = ("reduce_scatter", "scatter", "all_to_all")  # whose arrays hold a block for each rank
EVERY = [(collective, algorithm) for collective in COLLECTIVES for algorithm in algorithms(collective)]


def start(collective: str, comm: allred.Communicator, array: Array, dtype: str, **options: Any) -> tuple[Array, Any]:
    """Makes the call on a copy of the array, and returns where the result is, or will be, and what was returned."""
    own = array.copy()
    passed = argument(own, dtype)
    if collective == "all_gather":
        gathered = np.empty(own.size * comm.size, storage(dtype))
        return gathered, comm.all_gather_into(argument(gathered, dtype), passed, **options)
    if collective in ("reduce_scatter", "scatter"):
        scattered = np.empty(own.size // comm.size, storage(dtype))
        call = getattr(comm, f"{collective}_into")
        return scattered, call(argument(scattered, dtype), passed, **options)
    if collective == "gather":
        stacked = np.empty(own.size * comm.size if comm.rank == 0 else 0, storage(dtype))
        return stacked, comm.gather_into(argument(stacked, dtype), passed, **options)
    if collective == "all_to_all":
        exchanged = np.empty_like(own)
        return exchanged, comm.all_to_all_into(argument(exchanged, dtype), passed, **options)
    return own, getattr(comm, collective)(passed, **options)


def expected(collective: str, inputs: list[Array], reduction: Array, rank: int, root: int = 0) -> Array:
    """The result on `rank`, from the ranks' arrays and what they reduce to."""
    own_block = slice(rank * reduction.size // len(inputs), (rank + 1) * reduction.size // len(inputs))
    if collective == "gather" and rank != root:
        return reduction[:0]
    if collective in ("all_gather", "gather"):
        return np.concatenate(inputs)
    if collective in ("broadcast", "scatter"):
        return inputs[root] if collective == "broadcast" else inputs[root][own_block]
    if collective == "all_to_all":
        return np.concatenate([each[own_block] for each in inputs])
    if collective == "reduce_scatter":
        return reduction[own_block]
    return inputs[rank] if collective == "reduce" and rank != root else reduction
