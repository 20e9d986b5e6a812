"""Gather: every rank's block, in rank order, on the root."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from reduce.reference import Array
from spec.buffers import Guarded, argument
from spec.cases import SIZES, Call, algorithms, copying_calls, run_calls

import allred


def one_after_another(inputs: list[Array], root: int) -> Array:
    return np.concatenate(inputs)


calls_of = functools.lru_cache(maxsize=1)(copying_calls)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("algorithm", algorithms("gather"))
@pytest.mark.parametrize("in_place", [False, True], ids=["out_of_place", "in_place"])
def test_gather(size: int, algorithm: str, in_place: bool) -> None:
    def out_of_place(comm: allred.Communicator, call: Call) -> None:
        source = Guarded.copy_of(call.inputs[comm.rank], call.dtype)
        gathered = Guarded(call.dtype, call.count * comm.size)
        untouched = gathered.array.copy()
        comm.gather_into(gathered.argument, source.argument, call.root, algorithm=algorithm)
        gathered.check(call.expected if comm.rank == call.root else untouched)
        source.check(call.inputs[comm.rank], "the input")

    def in_own_block(comm: allred.Communicator, call: Call) -> None:
        if comm.rank != call.root:
            source = argument(call.inputs[comm.rank], call.dtype)
            comm.gather_into(None, source, call.root, algorithm=algorithm)
            return
        gathered = Guarded(call.dtype, call.count * comm.size)
        block = gathered.array[comm.rank * call.count :][: call.count]
        block[:] = call.inputs[comm.rank]
        comm.gather_into(gathered.argument, argument(block, call.dtype), call.root, algorithm=algorithm)
        gathered.check(call.expected)

    calls = (call for call in calls_of(size, one_after_another) if call.fits(algorithm))
    run_calls(size, calls, in_own_block if in_place else out_of_place)


@pytest.mark.parametrize("root", [0, 2])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 3)])
def test_the_root_gets_the_ranks_stacked(shape: tuple[int, ...], root: int) -> None:
    def gather(comm: allred.Communicator) -> None:
        gathered = comm.gather(np.full(shape, comm.rank, np.int16), root)
        if comm.rank != root:
            assert gathered is None
            return
        assert gathered is not None
        assert gathered.dtype == np.int16
        assert gathered.shape == (comm.size, *shape)
        for rank in range(comm.size):
            assert (gathered[rank] == rank).all()

    allred.run_threads(gather, 3)
