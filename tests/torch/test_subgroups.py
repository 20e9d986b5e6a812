"""Groups of some of the ranks, several groups at once, and groups beside those of other backends."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh


def reduced(value: float, group: dist.ProcessGroup | None = None) -> float:
    tensor = torch.full((5,), value)
    dist.all_reduce(tensor, group=group)
    assert torch.all(tensor == tensor[0])
    return tensor[0].item()


def some_of_the_ranks(rank: int, size: int) -> None:
    first = dist.new_group([0, 1])
    last = dist.new_group([1, 2])
    alone = [dist.new_group([each]) for each in range(size)]
    if rank in (0, 1):
        assert reduced(rank + 1.0, first) == 3.0
    if rank in (1, 2):
        assert reduced(rank + 1.0, last) == 5.0
        tensor = torch.full((2,), float(rank))
        dist.broadcast(tensor, src=2, group=last)  # a rank of the default group
        assert tensor.tolist() == [2.0, 2.0]
    assert reduced(7.0, alone[rank]) == 7.0
    assert reduced(1.0) == size
    assert dist.get_backend(first if rank < 2 else last) == "allred"


def interleaved(rank: int, size: int) -> None:
    groups = [dist.new_group(list(range(size))) for _ in range(3)]
    tensors = [torch.full((1000,), float(idx + rank)) for idx in range(30)]
    works = [dist.all_reduce(each, group=groups[idx % 3], async_op=True) for idx, each in enumerate(tensors)]
    assert reduced(1.0) == size
    for work in works:
        work.wait()
    for idx, tensor in enumerate(tensors):
        assert torch.all(tensor == sum(idx + peer for peer in range(size)))


def with_gloo(rank: int, size: int) -> None:
    gloo = dist.new_group(backend="gloo")
    mixed = dist.new_group(backend="cpu:allred")
    assert reduced(1.0, gloo) == size
    assert reduced(2.0, mixed) == 2 * size
    assert reduced(3.0) == 3 * size


def on_a_mesh(rank: int, size: int) -> None:
    mesh = init_device_mesh("cpu", (1, size), mesh_dim_names=("data", "model"))
    assert reduced(1.0, mesh.get_group("data")) == 1.0
    assert reduced(1.0, mesh.get_group("model")) == size


def made_and_destroyed(rank: int, size: int) -> None:
    for _ in range(20):
        group = dist.new_group(list(range(size)))
        work = dist.all_reduce(torch.ones(3), group=group, async_op=True)
        work.wait()
        dist.destroy_process_group(group)
    assert reduced(1.0) == size


def leaves_early(rank: int, size: int) -> None:
    group = dist.new_group(list(range(size)))
    if rank == 0:
        dist.destroy_process_group(group)
    else:
        with pytest.raises(dist.DistBackendError, match=r"rank 0 .* closed its communicator"):
            dist.all_reduce(torch.ones(3), group=group)
    assert reduced(1.0) == size


def destroyed_with_a_call_under_way(rank: int, size: int) -> None:
    group = dist.new_group(list(range(size)))
    if rank == 0:
        work = dist.all_reduce(torch.ones(3), group=group, async_op=True)
        heard = work.get_future().then(lambda future: "callback ran")
        time.sleep(0.2)
        dist.destroy_process_group(group)
        with pytest.raises(dist.DistBackendError, match="was closed"):
            work.wait()
        assert heard.wait() == "callback ran"
    assert reduced(1.0) == size


@pytest.mark.parametrize(
    ("body", "size"),
    [
        (some_of_the_ranks, 3),
        (interleaved, 2),
        (with_gloo, 2),
        (on_a_mesh, 2),
        (made_and_destroyed, 2),
        (leaves_early, 2),
        (destroyed_with_a_call_under_way, 2),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_groups(ranks: Any, body: Any, size: int) -> None:
    ranks.run(size, body)
