"""All-to-all: block j of rank i's array becomes block i of rank j's."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from reduce.reference import Array
from spec.buffers import Guarded
from spec.cases import SIZES, Call, algorithms, copying_calls, run_calls

import allred


def transposed(inputs: list[Array], root: int) -> Array:
    """The results of all ranks, one after the other."""
    size = len(inputs)
    blocks = [np.split(each, size) for each in inputs]
    return np.concatenate([blocks[source][rank] for rank in range(size) for source in range(size)])


@functools.lru_cache(maxsize=1)
def calls_of(size: int) -> list[Call]:
    return copying_calls(size, transposed, blocks=size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("algorithm", algorithms("all_to_all"))
def test_all_to_all(size: int, algorithm: str) -> None:
    def exchange(comm: allred.Communicator, call: Call) -> None:
        own = call.inputs[comm.rank]
        source = Guarded.copy_of(own, call.dtype)
        exchanged = Guarded(call.dtype, call.count)
        comm.all_to_all_into(exchanged.argument, source.argument, algorithm=algorithm)
        exchanged.check(call.expected[comm.rank * call.count :][: call.count])
        source.check(own, "the input")

    run_calls(size, (call for call in calls_of(size) if call.fits(algorithm)), exchange)


@pytest.mark.parametrize("shape", [(0,), (6,), (3, 2), (3, 0)])
def test_the_returned_array_has_the_shape_of_the_array(shape: tuple[int, ...]) -> None:
    def exchange(comm: allred.Communicator) -> None:
        array = np.arange(np.prod(shape, dtype=int), dtype=np.int64).reshape(shape)
        exchanged = comm.all_to_all(array + 100 * comm.rank)
        assert exchanged.shape == shape
        own = np.split(array, comm.size)[comm.rank]
        np.testing.assert_array_equal(exchanged, np.concatenate([own + 100 * rank for rank in range(comm.size)]))

    allred.run_threads(exchange, 3)


def test_an_array_that_does_not_divide_is_an_error() -> None:
    def exchange(comm: allred.Communicator) -> None:
        for wrong in (np.zeros(4), np.zeros((2, 3)), np.float64(1)):
            with pytest.raises(ValueError, match="divide by 3 ranks"):
                comm.all_to_all(wrong)
        assert comm.all_to_all(np.full(3, comm.rank)).tolist() == [0, 1, 2]

    allred.run_threads(exchange, 3)
