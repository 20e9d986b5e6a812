"""init_device_mesh and subgroups: each dimension's groups are the right ranks, and may all be at work at once."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from rank_pool.pool import BACKEND
from torch.distributed.device_mesh import init_device_mesh

NAMES = ("data", "tensor")
CALLS = 20


def all_reduced(rank: int, group: dist.ProcessGroup) -> list[int]:
    """The ranks of the group, as its all_reduce tells them: each sets a bit."""
    bits = torch.tensor(1 << rank)
    dist.all_reduce(bits, group=group)
    return [peer for peer in range(dist.get_world_size()) if int(bits) >> peer & 1]


def meshes(rank: int, size: int) -> None:
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=NAMES)
    row, column = divmod(rank, 2)
    assert list(mesh.get_coordinate()) == [row, column]
    expected = {"data": [column, 2 + column], "tensor": [2 * row, 2 * row + 1]}
    for name, ranks in expected.items():
        group = mesh[name].get_group()
        assert dist.get_backend(group) == BACKEND
        assert dist.get_process_group_ranks(group) == ranks
        assert all_reduced(rank, group) == ranks
    assert all_reduced(rank, mesh._flatten("all").get_group()) == [0, 1, 2, 3]


def test_a_mesh_of_two_dimensions(ranks: Any) -> None:
    ranks.run(4, meshes)


def overlaps(rank: int, size: int) -> None:
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=NAMES)
    groups = [mesh.get_group("data"), mesh.get_group("tensor"), dist.group.WORLD]
    tensors = [torch.full((1000,), 10.0 * call + rank) for call in range(CALLS) for _ in groups]
    works = [dist.all_reduce(tensor, group=groups[number % 3], async_op=True) for number, tensor in enumerate(tensors)]
    for work in reversed(works):
        work.wait()
    members = [dist.get_process_group_ranks(group) for group in groups]
    for number, tensor in enumerate(tensors):
        ranks = members[number % 3]
        torch.testing.assert_close(tensor, torch.full((1000,), float(sum(10 * (number // 3) + peer for peer in ranks))))


def test_groups_that_overlap_work_at_once(ranks: Any) -> None:
    ranks.run(4, overlaps)


def divides(rank: int, size: int) -> None:
    mine, everyones = dist.new_subgroups(2)
    assert all_reduced(rank, mine) == [rank // 2 * 2, rank // 2 * 2 + 1]
    assert len(everyones) == 2
    even_odd, _ = dist.new_subgroups_by_enumeration([[0, 2], [1, 3]])
    assert all_reduced(rank, even_odd) == [rank % 2, rank % 2 + 2]
    alone, _ = dist.new_subgroups(1)
    assert all_reduced(rank, alone) == [rank]
    some = dist.new_group([3, 1])
    if rank in (1, 3):
        assert all_reduced(rank, some) == [1, 3]
    else:
        assert some == dist.GroupMember.NON_GROUP_MEMBER


def test_new_subgroups(ranks: Any) -> None:
    ranks.run(4, divides)


def takes_members_only(rank: int, size: int) -> None:
    """A group made by its members alone, while the others do something else."""
    if rank != 1:
        group = dist.new_group([0, 2], use_local_synchronization=True)
        assert all_reduced(rank, group) == [0, 2]
    dist.barrier()


def test_members_make_a_group_by_themselves(ranks: Any) -> None:
    ranks.run(3, takes_members_only)
