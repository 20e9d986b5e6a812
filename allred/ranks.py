"""Ranks that train together, and what they do with many tensors at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
import torch.distributed as dist

from allred._core import Communicator
from allred.flat import FlatBuffer, partition

Group: TypeAlias = dist.ProcessGroup | Communicator | None

_MAX_BYTES = 25 << 20  # of extra memory, and of one collective


class Ranks:
    """Those of a process group of torch, or of a communicator. Does not own it."""

    def __init__(self, group: Group, caller: str) -> None:
        """Takes the ranks of `group`, by default of torch's default group.

        Raises:
            ValueError: there is no default group. The message begins with `caller`.
        """
        if group is None and not dist.is_initialized():
            raise ValueError(
                f"{caller}: group=None, and there is no default group: call init_process_group first, or pass a "
                "process group or a communicator, such as of allred.init()"
            )
        self._group = group

    def average(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replaces each tensor by its mean over the ranks, with the same bits on all of them."""
        self._in_buckets(tensors, self._average)

    def broadcast(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replaces each tensor by that of rank 0."""
        self._in_buckets(tensors, self._broadcast)

    def _in_buckets(self, tensors: Sequence[torch.Tensor], call: Callable[[torch.Tensor], None]) -> None:
        for bucket in partition(tensors, _MAX_BYTES):
            chosen = [tensors[idx].detach() for idx in bucket]
            flat = FlatBuffer(chosen)
            flat.pack(chosen)
            call(flat.data)
            flat.unpack(chosen)

    def _average(self, flat: torch.Tensor) -> None:
        if isinstance(self._group, Communicator):
            self._group.all_reduce(flat, "avg")
        else:
            dist.all_reduce(flat, dist.ReduceOp.AVG, self._group)

    def _broadcast(self, flat: torch.Tensor) -> None:
        if isinstance(self._group, Communicator):
            self._group.broadcast(flat)
        else:
            dist.broadcast(flat, group=self._group, group_src=0)
