"""Scatter: each rank gets its block of the root's array."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from reduce.reference import Array
from spec.buffers import Guarded, argument
from spec.cases import SIZES, Call, algorithms, copying_calls, run_calls

import allred


def of_the_root(inputs: list[Array], root: int) -> Array:
    return inputs[root]


@functools.lru_cache(maxsize=1)
def calls_of(size: int) -> list[Call]:
    return copying_calls(size, of_the_root, blocks=size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("algorithm", algorithms("scatter"))
@pytest.mark.parametrize("in_place", [False, True], ids=["out_of_place", "in_place"])
def test_scatter(size: int, algorithm: str, in_place: bool) -> None:
    def block_of(comm: allred.Communicator, call: Call) -> slice:
        count = call.count // comm.size
        return slice(comm.rank * count, (comm.rank + 1) * count)

    def out_of_place(comm: allred.Communicator, call: Call) -> None:
        own = call.inputs[comm.rank]
        source = Guarded.copy_of(own, call.dtype)
        scattered = Guarded(call.dtype, call.count // comm.size)
        comm.scatter_into(scattered.argument, source.argument, call.root, algorithm=algorithm)
        scattered.check(call.expected[block_of(comm, call)])
        source.check(own, "the input")

    def in_own_block(comm: allred.Communicator, call: Call) -> None:
        """The root's is there already, and all of its array stays as it is."""
        block = block_of(comm, call)
        if comm.rank == call.root:
            source = Guarded.copy_of(call.inputs[comm.rank], call.dtype)
            output = argument(source.array[block], call.dtype)
            comm.scatter_into(output, source.argument, call.root, algorithm=algorithm)
            source.check(call.expected)
        else:
            scattered = Guarded(call.dtype, call.count // comm.size)
            comm.scatter_into(scattered.argument, None, call.root, algorithm=algorithm)
            scattered.check(call.expected[block])

    calls = (call for call in calls_of(size) if call.fits(algorithm))
    run_calls(size, calls, in_own_block if in_place else out_of_place)


@pytest.mark.parametrize("root", [0, 2])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 3)])
def test_the_returned_block_is_a_row_of_the_roots(shape: tuple[int, ...], root: int) -> None:
    def scatter(comm: allred.Communicator) -> None:
        whole = np.arange(comm.size * np.prod(shape, dtype=int), dtype=np.int16).reshape(comm.size, *shape)
        block = comm.scatter(whole if comm.rank == root else None, root)
        assert block.dtype == np.int16
        assert block.shape == shape
        np.testing.assert_array_equal(block, whole[comm.rank])

    allred.run_threads(scatter, 3)


def test_an_array_without_a_row_for_each_rank_is_an_error_on_all() -> None:
    def scatter(comm: allred.Communicator) -> None:
        for wrong in (np.zeros(4), np.zeros((2, 3)), np.float64(1)):
            with pytest.raises(ValueError, match="must be 3, the ranks"):
                comm.scatter(wrong if comm.rank == 1 else None, root=1)
        assert comm.scatter(np.arange(3)) == comm.rank

    allred.run_threads(scatter, 3)
