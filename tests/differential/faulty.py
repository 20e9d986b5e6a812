"""Backends that are wrong on purpose, to see that the comparison notices. Each stands in for torch.distributed."""

from __future__ import annotations

import time
from typing import Any

import torch
import torch.distributed as dist


class Distributed:
    """As it is."""

    def __getattr__(self, name: str) -> Any:
        return getattr(dist, name)


class OffByOne(Distributed):
    """The last element of an AllReduce, on the last rank of a group."""

    def all_reduce(self, tensor: torch.Tensor, op: Any, group: Any, async_op: bool) -> None:
        dist.all_reduce(tensor, op, group)
        if tensor.numel() and not tensor.is_sparse and dist.get_rank(group) == dist.get_world_size(group) - 1:
            last = tensor.view(-1)[-1]
            last.copy_(last + 1)


class LowPrecision(Distributed):
    """AllReduce of float32 with the precision of bfloat16."""

    def all_reduce(self, tensor: torch.Tensor, op: Any, group: Any, async_op: bool) -> None:
        dist.all_reduce(tensor, op, group)
        if tensor.dtype is torch.float32 and not tensor.is_sparse:
            tensor.copy_(tensor.bfloat16())


class EarlyDone(Distributed):
    """An asynchronous broadcast that is said to be done before the data is there."""

    def broadcast(self, tensor: torch.Tensor, src: int, group: Any, async_op: bool) -> Any:
        arrived = tensor.clone()
        dist.broadcast(arrived, src, group)
        if not async_op:
            tensor.copy_(arrived)


class OneRankRaises(Distributed):
    """A barrier that the world's rank 1 cannot enter."""

    def barrier(self, group: Any, async_op: bool) -> Any:
        if dist.get_rank() == 1:
            raise RuntimeError("cannot enter")
        return dist.barrier(group, async_op)


class OneRankHangs(Distributed):
    """A barrier in which the world's rank 1 is stuck for good."""

    def barrier(self, group: Any, async_op: bool) -> Any:
        while dist.get_rank() == 1:
            time.sleep(1)
        return dist.barrier(group, async_op)


FAULTS = {each.__name__: each for each in Distributed.__subclasses__()}


def api(fault: str) -> Any:
    return FAULTS[fault]() if fault else dist
