"""All-gather: every rank's block, in rank order, on every rank."""

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
@pytest.mark.parametrize("algorithm", algorithms("all_gather"))
@pytest.mark.parametrize("in_place", [False, True], ids=["out_of_place", "in_place"])
def test_all_gather(size: int, algorithm: str, in_place: bool) -> None:
    def out_of_place(comm: allred.Communicator, call: Call) -> None:
        source = Guarded.copy_of(call.inputs[comm.rank], call.dtype)
        gathered = Guarded(call.dtype, call.count * comm.size)
        comm.all_gather_into(gathered.argument, source.argument, algorithm=algorithm)
        gathered.check(call.expected)
        source.check(call.inputs[comm.rank], "the input")

    def in_own_block(comm: allred.Communicator, call: Call) -> None:
        gathered = Guarded(call.dtype, call.count * comm.size)
        block = gathered.array[comm.rank * call.count :][: call.count]
        block[:] = call.inputs[comm.rank]
        comm.all_gather_into(gathered.argument, argument(block, call.dtype), algorithm=algorithm)
        gathered.check(call.expected)

    calls = (call for call in calls_of(size, one_after_another) if call.fits(algorithm))
    run_calls(size, calls, in_own_block if in_place else out_of_place)


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 3)])
def test_the_returned_array_stacks_the_ranks(shape: tuple[int, ...]) -> None:
    def all_gather(comm: allred.Communicator) -> None:
        gathered = comm.all_gather(np.full(shape, comm.rank, np.int16))
        assert gathered.dtype == np.int16
        assert gathered.shape == (comm.size, *shape)
        for rank in range(comm.size):
            assert (gathered[rank] == rank).all()

    allred.run_threads(all_gather, 3)
