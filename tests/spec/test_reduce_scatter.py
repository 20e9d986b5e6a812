"""Reduce-scatter: each rank gets its block of the reduction of all arrays."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from spec.buffers import Guarded, argument
from spec.cases import SIZES, Call, algorithms, reducing_calls, run_calls

import allred


@functools.lru_cache(maxsize=1)
def calls_of(size: int) -> list[Call]:
    return reducing_calls(size, blocks=size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("algorithm", algorithms("reduce_scatter"))
@pytest.mark.parametrize("in_place", [False, True], ids=["out_of_place", "in_place"])
def test_reduce_scatter(size: int, algorithm: str, in_place: bool) -> None:
    def block_of(comm: allred.Communicator, call: Call) -> slice:
        count = call.count // comm.size
        return slice(comm.rank * count, (comm.rank + 1) * count)

    def out_of_place(comm: allred.Communicator, call: Call) -> None:
        own, block = call.inputs[comm.rank], block_of(comm, call)
        source = Guarded.copy_of(own, call.dtype)
        scattered = Guarded(call.dtype, call.count // comm.size)
        options = call.op_options(comm.rank)
        comm.reduce_scatter_into(scattered.argument, source.argument, algorithm=algorithm, **options)
        scattered.check(call.expected[block])
        source.check(own, "the input")

    def in_own_block(comm: allred.Communicator, call: Call) -> None:
        """The other blocks are read, and stay as they are."""
        own, block = call.inputs[comm.rank], block_of(comm, call)
        source = Guarded.copy_of(own, call.dtype)
        output = argument(source.array[block], call.dtype)
        options = call.op_options(comm.rank)
        comm.reduce_scatter_into(output, source.argument, algorithm=algorithm, **options)
        source.check(np.concatenate([own[: block.start], call.expected[block], own[block.stop :]]))

    calls = (call for call in calls_of(size) if call.fits(algorithm))
    run_calls(size, calls, in_own_block if in_place else out_of_place)


@pytest.mark.parametrize("shape", [(0,), (6,), (3, 2), (3, 0)])
def test_the_returned_block_has_the_shape_of_a_block(shape: tuple[int, ...]) -> None:
    def reduce_scatter(comm: allred.Communicator) -> None:
        array = np.arange(np.prod(shape, dtype=int), dtype=np.int64).reshape(shape)
        block = comm.reduce_scatter(array + comm.rank, op="max")
        rows = shape[0] // comm.size
        np.testing.assert_array_equal(block, array[comm.rank * rows :][:rows] + comm.size - 1)

    allred.run_threads(reduce_scatter, 3)


def test_an_array_that_does_not_divide_is_an_error() -> None:
    def reduce_scatter(comm: allred.Communicator) -> None:
        for wrong in (np.zeros(4), np.zeros((2, 3)), np.float64(1)):
            with pytest.raises(ValueError, match="divide by 3 ranks"):
                comm.reduce_scatter(wrong)
        assert comm.reduce_scatter(np.ones(3)).tolist() == [3]

    allred.run_threads(reduce_scatter, 3)
