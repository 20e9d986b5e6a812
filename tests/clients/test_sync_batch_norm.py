"""Batch normalisation over all ranks: torch's module is for GPUs, so the same by collectives that have a gradient."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed as dist
from clients.training import SAMPLES, batch
from torch.distributed.nn.functional import all_reduce
from torch.nn.parallel import DistributedDataParallel


def refuses_cpu(rank: int, size: int) -> None:
    layers = torch.nn.SyncBatchNorm.convert_sync_batchnorm(torch.nn.Sequential(torch.nn.BatchNorm1d(8))).double()
    with pytest.raises(ValueError, match="SyncBatchNorm expected input tensor to be on GPU"):
        layers(batch(rank, 0)[0])
    with pytest.raises(ValueError, match="SyncBatchNorm layers only work with GPU modules"):
        DistributedDataParallel(layers)


def test_torch_refuses_its_module_on_cpu(ranks: Any) -> None:
    ranks.run(2, refuses_cpu)


def normalised(inputs: torch.Tensor, size: int) -> torch.Tensor:
    sums = all_reduce(torch.stack([inputs.sum(0), inputs.square().sum(0)]), group=dist.group.WORLD)
    mean, mean_square = (sums / (size * SAMPLES)).unbind()
    return (inputs - mean) / (mean_square - mean.square() + 1e-5).sqrt()


def normalises(rank: int, size: int) -> None:
    everyones = [batch(peer, 0)[0] for peer in range(size)]
    mine = everyones[rank].clone().requires_grad_()
    whole = torch.cat(everyones).requires_grad_()
    rows = slice(rank * SAMPLES, (rank + 1) * SAMPLES)

    actual = normalised(mine, size)
    expected = torch.nn.BatchNorm1d(whole.shape[1], affine=False).double()(whole)
    torch.testing.assert_close(actual, expected[rows])

    # a loss in which samples weigh differently, since the gradient of the plain sum is zero
    (actual.square() * mine.detach()).sum().backward()
    (expected.square() * whole.detach()).sum().backward()
    torch.testing.assert_close(mine.grad, whole.grad[rows])


@pytest.mark.parametrize("size", [2, 3])
def test_by_all_reduce_with_a_gradient(ranks: Any, size: int) -> None:
    ranks.run(size, normalises)
