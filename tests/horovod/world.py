"""A Horovod job of the pool's ranks, which no launcher started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import _get_default_store

import allred.horovod as hvd
from allred import Communicator, Config
from allred.bootstrap import StoreBootstrap

SECONDS = 15


@contextmanager
def world(rank: int, size: int, seconds: float = SECONDS) -> Iterator[None]:
    """Joins the job, and leaves it when all ranks are done."""
    store = dist.PrefixStore("horovod", _get_default_store())
    hvd.init(Communicator(StoreBootstrap(store, rank, size, seconds), Config(timeout=seconds)))
    try:
        yield
        hvd.barrier()
    finally:
        hvd.shutdown()


def values(rank: int, *shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Numbers that depend on the rank and on their place: small integers, so that sums are exact."""
    count = torch.Size(shape).numel()
    return ((torch.arange(count) * 7 + 3 * rank + 1) % 11 + 1).to(dtype).reshape(shape)
