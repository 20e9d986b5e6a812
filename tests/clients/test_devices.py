"""Groups with a backend for each kind of device."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed as dist
from rank_pool.pool import BACKEND

OTHER = "gloo" if BACKEND == "allred" else "allred"


def assert_works(rank: int, size: int, group: dist.ProcessGroup) -> None:
    total = torch.tensor(rank + 1.0)
    dist.all_reduce(total, group=group)
    assert total == size * (size + 1) / 2
    objects: list[Any] = [None] * size
    dist.all_gather_object(objects, rank, group=group)
    assert objects == list(range(size))
    dist.barrier(group=group)


def has_two_backends(rank: int, size: int, devices: str) -> None:
    assert dist.get_backend_config() == devices
    for group in (dist.group.WORLD, dist.new_group()):
        for part in devices.split(","):
            device, name = part.split(":")
            assert group._get_backend(torch.device(device)).name() == name
        assert_works(rank, size, group)


@pytest.mark.parametrize("devices", [f"cpu:{BACKEND},cuda:{OTHER}", f"cuda:{OTHER},cpu:{BACKEND}"])
def test_tensors_go_to_the_backend_of_their_device(ranks: Any, devices: str) -> None:
    ranks.run(2, has_two_backends, devices, backend=devices)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="NCCL wants a GPU for each rank")
def test_beside_nccl(ranks: Any) -> None:
    ranks.run(2, has_two_backends, f"cpu:{BACKEND},cuda:nccl", backend=f"cpu:{BACKEND},cuda:nccl")
