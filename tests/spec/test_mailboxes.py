"""Mailboxes lie where each call puts them, by its size and by who writes to them: no call sees those of another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import allred

COUNTS = (4, 200, 2_000, 5_000, 16_000)  # float32: in the post, and from a page up to what a mailbox holds
ONE_SHOT: dict[str, Any] = {"tuning": {"one_shot_bytes": 1024, "one_shot_bytes_shared": 1024}}


def expected_of(count: int, turn: int, rank: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return (np.arange(count) % 50 + 3 * turn + rank).astype(np.float32)


@pytest.mark.parametrize("size", [2, 3])
def test_calls_of_all_kinds_follow_each_other(size: int) -> None:
    """Long enough to go round the ring of mailboxes."""

    def run(comm: allred.Communicator) -> None:
        for turn in range(400):
            count = COUNTS[turn * 7 % len(COUNTS)]
            own = expected_of(count, turn, comm.rank)
            of_all = [expected_of(count, turn, rank) for rank in range(size)]
            match turn % 3:
                case 0:
                    np.testing.assert_array_equal(comm.all_gather(own), np.stack(of_all))
                case 1:
                    comm.all_reduce(own)
                    np.testing.assert_array_equal(own, np.sum(of_all, axis=0, dtype=np.float32))
                case _:
                    comm.broadcast(own, root=turn % size)
                    np.testing.assert_array_equal(own, of_all[turn % size])

    allred.run_threads(run, size, **ONE_SHOT)
