"""Reduce: the root's array becomes the reduction of all, and the others stay as they are."""

from __future__ import annotations

import functools

import pytest
from reduce.reference import AS_BITS
from spec.buffers import Guarded
from spec.cases import SIZES, Call, algorithms, reducing_calls, run_calls

import allred

calls_of = functools.lru_cache(maxsize=1)(reducing_calls)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("algorithm", algorithms("reduce"))
def test_reduce(size: int, algorithm: str) -> None:
    def reduce(comm: allred.Communicator, call: Call) -> None:
        own = call.inputs[comm.rank]
        buffer = Guarded.copy_of(own, call.dtype)
        buffer.array.flags.writeable = call.dtype in AS_BITS or comm.rank == call.root  # the others' are only read
        comm.reduce(buffer.argument, call.root, algorithm=algorithm, **call.op_options(comm.rank))
        buffer.check(call.expected if comm.rank == call.root else own)

    run_calls(size, (call for call in calls_of(size) if call.fits(algorithm)), reduce)
