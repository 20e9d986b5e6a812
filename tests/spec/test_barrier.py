"""Barrier: nobody leaves before all have come."""

from __future__ import annotations

import threading
import time

import pytest
from spec.cases import SIZES, algorithms

import allred


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("algorithm", algorithms("barrier"))
def test_nobody_leaves_before_all_have_come(size: int, algorithm: str) -> None:
    arrived = [0] * size

    def meet(comm: allred.Communicator) -> None:
        for meeting in range(1, 30):
            arrived[comm.rank] = meeting
            comm.barrier(algorithm=algorithm)
            assert min(arrived) >= meeting
            assert max(arrived) <= meeting + 1

    allred.run_threads(meet, size)


@pytest.mark.parametrize("algorithm", algorithms("barrier"))
def test_a_late_rank_is_waited_for(algorithm: str) -> None:
    last_has_come = threading.Event()

    def meet(comm: allred.Communicator) -> None:
        if comm.rank == comm.size - 1:
            time.sleep(0.1)
            last_has_come.set()
        comm.barrier(algorithm=algorithm)
        assert last_has_come.is_set()

    allred.run_threads(meet, 3)
