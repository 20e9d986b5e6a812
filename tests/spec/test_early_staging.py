"""AllReduces stage their first pieces before ranks have agreed on the call: whatever came before, nobody notices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import allred

COUNT = 100_000  # float32: more than a mailbox, several rounds
STREAMS: dict[str, Any] = {"tuning": {"one_copy_bytes": 1 << 30, "one_copy_bytes_shared": 1 << 30}}


def reduce_all(comm: allred.Communicator, turn: int, make: Any = np.empty) -> None:
    array = make(COUNT, np.float32)
    array[:] = np.arange(COUNT) % 100 + comm.rank + turn
    comm.all_reduce(array)
    ranks = comm.size * (comm.size - 1) // 2
    np.testing.assert_array_equal(array, (np.arange(COUNT) % 100 + turn) * comm.size + ranks)


@pytest.mark.parametrize("size", [2, 5])
def test_peers_may_still_read_what_an_earlier_call_staged(size: int) -> None:
    """The root of a broadcast is done with it first, and goes on to the AllReduce."""

    def run(comm: allred.Communicator) -> None:
        sent = np.empty(COUNT, np.float32)
        for turn in range(60):
            sent[:] = np.arange(COUNT) + turn if comm.rank == turn % size else -1
            comm.broadcast(sent, root=turn % size)
            reduce_all(comm, turn)
            np.testing.assert_array_equal(sent, (np.arange(COUNT) + turn).astype(np.float32))

    allred.run_threads(run, size, **STREAMS)


def test_ranks_that_disagree() -> None:
    """What was staged for a call that is not made must not be taken for that of the next one."""

    def run(comm: allred.Communicator) -> None:
        for turn in range(20):
            array = np.full(COUNT, -7, np.float32)
            with pytest.raises(allred.MismatchError):
                comm.all_reduce(array, "sum" if comm.rank else "max")
            assert (array == -7).all()
            reduce_all(comm, turn)

    allred.run_threads(run, 3)


@pytest.mark.parametrize("private", [0, 1])
def test_one_rank_has_symmetric_memory(private: int) -> None:
    """It might not have to stage, and so waits until all have said where their buffers lie."""

    def run(comm: allred.Communicator) -> None:
        for turn in range(20):
            reduce_all(comm, turn, np.empty if comm.rank == private else comm.empty)

    allred.run_threads(run, 2)
