"""What a training program does around its model: divides the data, hands out the parameters, collects its figures."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed as dist
from clients.training import assert_same_on_all_ranks, model
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

SAMPLES = 23


def samples(rank: int, size: int, epoch: int, workers: int) -> list[int]:
    dataset = TensorDataset(torch.arange(SAMPLES))
    sampler = DistributedSampler(dataset, seed=5)  # rank and size are the default group's
    sampler.set_epoch(epoch)
    loader = DataLoader(dataset, batch_size=4, sampler=sampler, num_workers=workers)
    return [int(sample) for (batch,) in loader for sample in batch]


def divides(rank: int, size: int, workers: int) -> list[list[int]]:
    mine = [samples(rank, size, epoch, workers) for epoch in range(2)]
    dist.barrier()  # the loader's processes, which were forked from this one, left the group alone
    return mine


@pytest.mark.parametrize("workers", [0, 1], ids=["here", "forked"])
def test_each_sample_goes_to_one_rank(ranks: Any, workers: int) -> None:
    size = 3
    first, second = zip(*ranks.run(size, divides, workers), strict=True)
    assert first != second, "each epoch is shuffled anew"
    for epoch in first, second:
        seen = [sample for mine in epoch for sample in mine]
        padded = -SAMPLES % size
        assert len(seen) == SAMPLES + padded
        assert set(seen) == set(range(SAMPLES))


def hands_out(rank: int, size: int) -> None:
    torch.manual_seed(rank)
    module = model()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    root = size - 1
    works = [dist.broadcast(value, src=root, async_op=True) for value in module.state_dict().values()]
    for work in works:
        work.wait()
    assert_same_on_all_ranks(module, size)
    torch.manual_seed(root)
    expected = [torch.empty_like(parameter).uniform_() for parameter in model().parameters()]
    for (name, actual), wanted in zip(module.named_parameters(), expected, strict=True):
        assert torch.equal(actual, wanted)
        assert torch.equal(before[name], wanted) == (rank == root)


@pytest.mark.parametrize("size", [2, 3])
def test_parameters_are_handed_out(ranks: Any, size: int) -> None:
    ranks.run(size, hands_out)
