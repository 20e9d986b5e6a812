"""How groups are made of others, what their options are, and what they say of themselves."""

from __future__ import annotations

import copy
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import torch
import torch.distributed as dist

import allred

CPU = torch.device("cpu")


def backend_of(group: Any) -> Any:
    return group._get_backend(CPU)


def summed(group: Any, value: float = 1.0) -> float:
    tensor = torch.full((5,), value)
    group.allreduce([tensor]).wait()
    return tensor[-1].item()


def options_of_a_group(rank: int, size: int) -> None:
    given = allred.Options(wait="sleep", staging_bytes=8192, all_reduce_algorithm="ring", tuning="off")
    group = dist.new_group(pg_options=given, timeout=timedelta(seconds=7))
    options = backend_of(group).options
    assert options is backend_of(group).options
    assert (options.wait, options.staging_bytes, options.all_reduce_algorithm) == ("sleep", 8192, "ring")
    assert options.tuning == "off"
    assert options.backend == "allred"
    assert options._timeout == timedelta(seconds=7)
    assert options.group_name == group.group_name
    assert options.global_ranks_in_group == list(range(size))
    assert summed(group) == size
    with pytest.raises(dist.DistBackendError, match="algorithm=ring"):  # as errors say what was called
        dist.all_reduce(torch.ones(3 + rank), group=group)
    reordered = dist.new_group([2, 1], pg_options=allred.Options())
    if rank in (1, 2):
        assert backend_of(reordered).options.global_ranks_in_group == [1, 2]


def wrong_options(rank: int, size: int) -> None:
    for name, value in [
        ("wait", "sometimes"),
        ("staging_bytes", 64),
        ("all_reduce_algorithm", "fast"),
        ("tuning", "/no/table"),
    ]:
        with pytest.raises(ValueError, match=f"{name}.*{value}|{value}"):
            dist.new_group(pg_options=allred.Options(**{name: value}))
    with pytest.raises(TypeError, match=r"pg_options must be allred\.Options"):
        dist.new_group(pg_options=object())
    assert summed(dist.group.WORLD) == size


def test_options_are_copied_with_all_that_they_say() -> None:
    options = allred.Options(timeout=timedelta(seconds=3), wait="spin", staging_bytes=4096)
    options.group_name = "name"
    options.global_ranks_in_group = [4, 2]
    for copied in (copy.copy(options), copy.deepcopy(options)):
        assert isinstance(copied, allred.Options)
        assert (copied.wait, copied.staging_bytes, copied.all_reduce_algorithm) == ("spin", 4096, None)
        assert (copied._timeout, copied.group_name) == (timedelta(seconds=3), "name")
        assert copied.global_ranks_in_group == [4, 2]
        copied.wait = "sleep"
        assert options.wait == "spin"


def split(rank: int, size: int) -> None:
    world = dist.group.WORLD
    ranks = [0, 2]
    part = world.split_group([2, 0], timeout=timedelta(seconds=9), group_name="part", group_desc="two of them")
    assert (part is None) == (rank not in ranks)
    if part is not None:
        assert (part.rank(), part.size()) == (ranks.index(rank), 2)
        assert summed(part, rank + 1.0) == 4.0
        assert backend_of(part).options._timeout == timedelta(seconds=9)
    assert summed(world) == size


def merged(rank: int, size: int) -> None:
    """Two groups become one at a store, which nobody else uses."""
    halves = [dist.new_group([0]), dist.new_group(list(range(1, size)))]
    store = dist.PrefixStore("merged", dist.distributed_c10d._get_default_store())
    mine = halves[min(rank, 1)]
    whole = mine.merge_remote_group(store, size, timeout=timedelta(seconds=9), group_name="whole")
    assert whole.size() == size
    assert summed(whole, float(rank)) == sum(range(size))


def shrunk(rank: int, size: int, flags: int) -> None:
    if rank == 1:
        return
    group = dist.shrink_group([1], shrink_flags=flags)
    assert (group.size(), dist.get_world_size()) == (size - 1, size - 1)
    assert summed(group, rank + 1.0) == sum(range(1, size + 1)) - 2
    tensor = torch.ones(2)
    dist.all_reduce(tensor)
    assert tensor.tolist() == [size - 1] * 2


def shrunk_after_a_failure(rank: int, size: int) -> None:
    """Rank 1 dies; the others notice, leave it out, and go on."""
    if rank == 1:
        os._exit(0)
    with pytest.raises(dist.DistBackendError, match="rank 1"):
        dist.all_reduce(torch.ones(3))
    group = dist.shrink_group([1], shrink_flags=dist.distributed_c10d.SHRINK_ABORT)
    assert summed(group) == size - 1


def groups_in_threads(rank: int, size: int) -> None:
    """They overlap, and each is used by a thread of its own."""
    members = [[0, 1], [1, 2], [0, 2], [0, 1, 2], [1], [2, 0, 1]]
    groups = [dist.new_group(each) for each in members]

    def use(idx: int) -> None:
        generator = random.Random(rank * 100 + idx)
        for turn in range(40):
            if generator.random() < 0.2:
                time.sleep(generator.random() * 0.002)
            value = summed(groups[idx], rank + turn + 0.5)
            assert value == sum(peer + turn + 0.5 for peer in members[idx])

    mine = [idx for idx, each in enumerate(members) if rank in each]
    with ThreadPoolExecutor(len(mine)) as threads:
        list(threads.map(use, mine))


def many_made_and_destroyed(rank: int, size: int) -> None:
    for turn in range(30):
        ranks = [turn % size] if turn % 3 == 0 else [turn % size, (turn + 1) % size]
        group = dist.new_group(ranks, use_local_synchronization=False)
        assert (group == dist.GroupMember.NON_GROUP_MEMBER) == (rank not in ranks)
        if rank in ranks:
            assert summed(group, 2.0) == 2.0 * len(ranks)
            dist.destroy_process_group(group)
    assert summed(dist.group.WORLD) == size


def counts_its_calls(rank: int, size: int) -> None:
    backend = backend_of(dist.new_group())
    before = backend._get_sequence_number_for_group()
    backend.allreduce([torch.ones(2)]).wait()
    backend.barrier().wait()
    assert backend._get_sequence_number_for_group() == before + 2


def its_timeout_can_be_set(rank: int, size: int) -> None:
    group = dist.new_group()
    group.set_timeout(timedelta(milliseconds=150))
    assert backend_of(group).options._timeout == timedelta(milliseconds=150)
    if rank == 0:
        with pytest.raises(dist.DistBackendError, match="timed out after 150 ms"):
            dist.barrier(group)
    dist.barrier()


def says_what_it_can(rank: int, size: int) -> None:
    backend = backend_of(dist.group.WORLD)
    assert backend.name() == "allred"
    assert (backend.rank(), backend.size()) == (rank, size)
    assert backend.supports_coalescing
    assert backend.supports_splitting
    assert backend.supports_shrinking
    group = dist.new_group()
    if rank == 0:
        backend_of(group).abort()
    with pytest.raises(dist.DistBackendError, match="abort"):
        summed(group)
    assert summed(dist.group.WORLD) == size


BODIES = [
    options_of_a_group,
    wrong_options,
    split,
    merged,
    groups_in_threads,
    many_made_and_destroyed,
    counts_its_calls,
    its_timeout_can_be_set,
    says_what_it_can,
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_membership(ranks: Any, body: Callable[..., None]) -> None:
    ranks.run(3, body)


@pytest.mark.parametrize("flags", [0, 1], ids=["default", "abort"])
def test_a_group_shrinks(ranks: Any, flags: int) -> None:
    ranks.run(3, shrunk, flags)


def test_a_group_shrinks_after_a_failure(ranks: Any) -> None:
    ranks.run(3, shrunk_after_a_failure, dying={1})
