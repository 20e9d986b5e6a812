"""Tensors of more than 2^31 elements, and so of more than 2 GiB."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist

COUNT = 2**31 + 1021
PERIOD = 251  # does not divide a power of two: an offset cut to 32 bits lands on another value


def pattern(rank: int) -> torch.Tensor:
    tensor = torch.arange(PERIOD, dtype=torch.uint8).repeat(COUNT // PERIOD + 1)[:COUNT]
    return tensor.add_(rank)


def holds(tensor: torch.Tensor, expected: torch.Tensor) -> bool:
    """Whether it repeats `expected`, of one period."""
    whole = tensor[: COUNT // PERIOD * PERIOD].view(-1, PERIOD)
    return bool((whole == expected).all()) and bool((tensor[len(whole) * PERIOD :] == expected[: COUNT % PERIOD]).all())


def is_reduced_sent_and_broadcast(rank: int, size: int) -> None:
    own = torch.arange(PERIOD, dtype=torch.uint8)
    tensor = pattern(rank)
    dist.all_reduce(tensor, dist.ReduceOp.MAX)
    assert holds(tensor, own + size - 1)
    if rank == 0:
        tensor.add_(7)
        dist.send(tensor, 1, tag=5)
    else:
        dist.recv(tensor, 0, tag=5)
    assert holds(tensor, own + size + 6)
    tensor.add_(rank)
    dist.broadcast(tensor, 1)
    assert holds(tensor, own + size + 7)


def test_more_elements_than_an_int_counts(ranks: Any) -> None:
    ranks.run(2, is_reduced_sent_and_broadcast)
