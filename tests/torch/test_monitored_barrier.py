"""The barrier that says who did not come."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import torch
import torch.distributed as dist

import allred

SOON = timedelta(milliseconds=300)


def passes(rank: int, size: int) -> None:
    for wait_all_ranks in (False, True):
        allred.monitored_barrier()
        time.sleep(0.05 * rank)
        allred.monitored_barrier(dist.group.WORLD, timedelta(seconds=10), wait_all_ranks)
    group = dist.new_group([size - 1, 0])
    if rank in (0, size - 1):
        allred.monitored_barrier(group)
    tensor = torch.ones(2)
    dist.all_reduce(tensor)
    assert tensor.tolist() == [size] * 2


def waits_for_the_last(rank: int, size: int) -> None:
    store = dist.distributed_c10d._get_default_store()
    if rank == size - 1:
        time.sleep(0.3)
        store.set("came", "1")
    allred.monitored_barrier()
    assert store.check(["came"])


def names_one(rank: int, size: int) -> None:
    if rank in (1, 2):
        time.sleep(1)
    elif rank == 0:
        with pytest.raises(RuntimeError, match=r"^Rank 1 failed to pass monitoredBarrier in 300 ms"):
            allred.monitored_barrier(timeout=SOON)
    else:
        with pytest.raises(RuntimeError, match=rf"^Rank {rank} successfully reached monitoredBarrier, but"):
            allred.monitored_barrier()


def names_all(rank: int, size: int) -> None:
    if rank in (1, 3):
        time.sleep(1)
    elif rank == 0:
        with pytest.raises(RuntimeError, match=r"^Ranks 1, 3 failed to pass monitoredBarrier in 300 ms"):
            allred.monitored_barrier(timeout=SOON, wait_all_ranks=True)
    else:
        with pytest.raises(RuntimeError, match=rf"^Rank {rank} successfully reached monitoredBarrier, but"):
            allred.monitored_barrier(wait_all_ranks=True)


@pytest.mark.parametrize("body", [passes, waits_for_the_last, names_one, names_all], ids=lambda body: body.__name__)
def test_monitored_barrier(ranks: Any, body: Callable[..., None]) -> None:
    ranks.run(4, body)


def elsewhere(rank: int, size: int) -> None:
    group = dist.new_group(backend="gloo")
    with pytest.raises(ValueError, match="backend for CPU is gloo, expected allred"):
        allred.monitored_barrier(group)
    dist.barrier(group)


def test_other_backends_are_refused(ranks: Any) -> None:
    ranks.run(2, elsewhere)


def test_there_must_be_a_group() -> None:
    with pytest.raises(ValueError, match="no default group"):
        allred.monitored_barrier()
