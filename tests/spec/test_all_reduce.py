"""AllReduce: every rank's array becomes the reduction of all of them, in place."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from spec.buffers import Guarded
from spec.cases import MAILBOX_BYTES, SIZES, Call, algorithms, reducing_calls, run_calls

import allred

ALGORITHMS = algorithms("all_reduce")

calls_of = functools.lru_cache(maxsize=1)(reducing_calls)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_all_reduce(size: int, algorithm: str) -> None:
    def all_reduce(comm: allred.Communicator, call: Call) -> None:
        buffer = Guarded.copy_of(call.inputs[comm.rank], call.dtype)
        comm.all_reduce(buffer.argument, algorithm=algorithm, **call.op_options(comm.rank))
        buffer.check(call.expected)

    run_calls(size, (call for call in calls_of(size) if call.fits(algorithm)), all_reduce)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_setting_picks_the_algorithm(algorithm: str) -> None:
    def all_reduce(comm: allred.Communicator) -> None:
        assert comm.chosen_algorithm("all_reduce", 64) == algorithm
        array = np.full(64, comm.rank, np.int32)
        comm.all_reduce(array)
        assert (array == 3).all()
        if algorithm == "one_shot":
            with pytest.raises(allred.InvalidArgumentError, match=str(MAILBOX_BYTES)):
                comm.all_reduce(np.zeros(MAILBOX_BYTES + 1, np.int8))

    allred.run_threads(all_reduce, 3, all_reduce_algorithm=algorithm)
