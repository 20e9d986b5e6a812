"""Groups whose ranks know each other from an earlier one, and so make it without the store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import torch
import torch.distributed as dist
from transport import process_state

import allred
from allred.communicator import communicators

CPU = torch.device("cpu")
A_GROUP = 256 << 10  # bytes a rank, at most, while messages are small


def backend_of(group: Any) -> Any:
    return group._get_backend(CPU)


def store() -> dist.Store:
    return dist.distributed_c10d._get_default_store()


def summed(group: Any, value: float = 1.0) -> float:
    tensor = torch.full((5,), value)
    dist.all_reduce(tensor, group=group)
    return tensor[-1].item()


def new_keys(make: Callable[[], object]) -> int:
    """How many keys all ranks together add to the store."""
    dist.barrier()
    before = store().num_keys()
    dist.barrier()
    make()
    dist.barrier()
    added = store().num_keys() - before
    dist.barrier()
    return added


def asks_no_store(rank: int, size: int) -> None:
    assert new_keys(lambda: dist.new_group(use_local_synchronization=True)) > 0
    for members in ([0, 1, 2], [0, 2], [1, 2], [2], [0, 1, 2]):
        assert new_keys(lambda members=members: dist.new_group(members)) == 0


def beside_gloo(rank: int, size: int) -> None:
    """Only those meet at the store who have not met."""

    def make(members: list[int]) -> None:
        group = dist.new_group(members, backend="allred")
        assert rank not in members or summed(group, rank + 1.0) == sum(members) + len(members)

    assert new_keys(lambda: make([0, 1])) > 0
    assert new_keys(lambda: make([1, 0])) == 0
    assert new_keys(lambda: make([0, 1, 2])) > 0
    assert new_keys(lambda: make([1, 2])) == 0


def overlapping(rank: int, size: int) -> None:
    members = [[0, 1], [1, 2], [0, 2], [2, 3], [0, 1, 2, 3], [1, 3], [3]]
    groups = [dist.new_group(each) for each in members]
    for each, group in zip(members, groups, strict=True):
        if rank in each:
            assert summed(group, rank + 1.0) == sum(each) + len(each)


def disjoint_sets_in_orders_of_their_own(rank: int, size: int) -> None:
    """Groups that the ranks number together and groups that their members make alone, in turns."""
    halves = [[0, 1], [2, 3]]
    mine = halves[rank // 2]
    for turn in range(2):
        if turn == rank // 2:
            assert summed(dist.new_group(mine, use_local_synchronization=True)) == 2
        both = [dist.new_group(each) for each in halves]
        assert summed(both[rank // 2], float(rank)) == sum(mine)


def while_a_call_is_under_way(rank: int, size: int) -> None:
    """The groups' ranks are the default group's, which some wait in."""
    tensor = torch.ones(3)
    work = dist.all_reduce(tensor, async_op=True) if rank == 0 else None
    group = dist.new_group()
    assert summed(group) == size
    work = work or dist.all_reduce(tensor, async_op=True)
    work.wait()
    assert tensor.tolist() == [size] * 3


def after_the_default_group_has_failed(rank: int, size: int) -> None:
    if rank == 1:
        backend_of(dist.group.WORLD).abort()
    with pytest.raises(dist.DistBackendError, match="abort"):
        summed(dist.group.WORLD)
    assert summed(dist.new_group()) == size


def some_come_late(rank: int, size: int) -> None:
    for late in range(size):
        if rank == late:
            time.sleep(0.3)
        group = dist.new_group()
        assert summed(group) == size


def by_ranks_that_run_elsewhere_now(rank: int, size: int) -> None:
    """What a rank may use is asked anew for each group."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        dist.new_group()
        assert communicators()[-1].num_cores == 1
    finally:
        os.sched_setaffinity(0, allowed)


def many(rank: int, size: int) -> None:
    """What they hold ends with them."""

    def make(groups: int) -> list[Any]:
        made = [dist.new_group() for _ in range(groups)]
        assert [summed(group) for group in made] == [size] * groups
        return made

    def end(groups: list[Any]) -> None:
        for group in groups:
            dist.destroy_process_group(group)
        groups.clear()

    end(make(1))
    files, reserved = process_state.open_files(), process_state.reserved_bytes()
    groups = make(100)
    assert len(process_state.open_files()) - len(files) == 100, "the memory's, and none for a peer"
    dist.barrier()
    assert process_state.reserved_bytes() - reserved <= 100 * size * A_GROUP
    dist.barrier()
    end(groups)
    assert process_state.open_files() == files


def a_rank_does_not_come(rank: int, size: int, missing: int) -> None:
    if rank == missing:
        return
    what = f"waited for rank {missing}" if missing == 0 else f"waiting for rank {missing}"
    with pytest.raises(allred.TimeoutError, match=what):
        dist.new_group(timeout=timedelta(seconds=0.5))


def a_rank_has_died(rank: int, size: int, dead: int) -> None:
    if rank == dead:
        os._exit(0)
    with pytest.raises(dist.DistBackendError, match=f"rank {dead}"):  # so that it is dead by now
        dist.barrier()
    with pytest.raises(allred.PeerLostError, match=f"rank {dead}"):  # and does not time out
        dist.new_group()


THREE = [
    asks_no_store,
    while_a_call_is_under_way,
    after_the_default_group_has_failed,
    some_come_late,
    by_ranks_that_run_elsewhere_now,
    many,
]


@pytest.mark.parametrize("body", THREE, ids=lambda body: body.__name__)
def test_reunions(ranks: Any, body: Callable[..., None]) -> None:
    ranks.run(3, body)


@pytest.mark.parametrize("body", [overlapping, disjoint_sets_in_orders_of_their_own], ids=lambda body: body.__name__)
def test_groups_of_some(ranks: Any, body: Callable[..., None]) -> None:
    ranks.run(4, body)


def test_beside_gloo(ranks: Any) -> None:
    ranks.run(3, beside_gloo, backend="gloo")


@pytest.mark.parametrize("missing", [0, 2])
def test_a_rank_that_does_not_come_is_named(ranks: Any, missing: int) -> None:
    ranks.run(3, a_rank_does_not_come, missing)


@pytest.mark.parametrize("dead", [0, 1, 2])
def test_a_rank_that_has_died_is_named(ranks: Any, dead: int) -> None:
    ranks.run(3, a_rank_has_died, dead, dying={dead})
