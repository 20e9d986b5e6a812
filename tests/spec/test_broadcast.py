"""Broadcast: every rank's array becomes the root's."""

from __future__ import annotations

import functools

import pytest
from reduce.reference import AS_BITS, Array
from spec.buffers import Guarded
from spec.cases import SIZES, Call, algorithms, copying_calls, run_calls

import allred


def of_the_root(inputs: list[Array], root: int) -> Array:
    return inputs[root]


calls_of = functools.lru_cache(maxsize=1)(copying_calls)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("algorithm", algorithms("broadcast"))
def test_broadcast(size: int, algorithm: str) -> None:
    def broadcast(comm: allred.Communicator, call: Call) -> None:
        buffer = Guarded.copy_of(call.inputs[comm.rank], call.dtype)
        buffer.array.flags.writeable = call.dtype in AS_BITS or comm.rank != call.root  # the root's is only read
        comm.broadcast(buffer.argument, call.root, algorithm=algorithm)
        buffer.check(call.expected)

    run_calls(size, (call for call in calls_of(size, of_the_root) if call.fits(algorithm)), broadcast)
