"""Broadcast: every rank gets the root's tensor."""

from __future__ import annotations

from typing import Any

import torch

from allred.horovod.allreduce import allreduce
from allred.horovod.handles import Handle
from allred.horovod.lane import checked
from allred.horovod.operators import Sum
from allred.horovod.process_sets import ProcessSet, global_process_set
from allred.horovod.roll_call import BROADCAST, entry_for


def broadcast(
    tensor: torch.Tensor, root_rank: int, name: str | None = None, process_set: ProcessSet = global_process_set
) -> torch.Tensor:
    """The root's tensor. Differentiable: the root gets the sum of the ranks' gradients.

    Args:
        tensor: a dense CPU tensor of the same shape and dtype on all ranks; it is not changed.
        root_rank: the rank of the job whose tensor it is.
        name: as for ``allreduce``.
        process_set: the ranks that take part, of which the root is one.

    Raises:
        InvalidArgumentError: an argument is wrong on this rank; the others get a MismatchError with the reason.
        UnsupportedError: the tensor is not in CPU memory or is sparse, or a rank has joined.
        MismatchError: the ranks differ in shape, dtype or root.
    """
    sent: torch.Tensor = _Broadcast.apply(tensor, root_rank, name, process_set)
    return sent


def broadcast_async(
    tensor: torch.Tensor, root_rank: int, name: str | None = None, process_set: ProcessSet = global_process_set
) -> Handle:
    """Starts :func:`broadcast` once all ranks have called it."""
    return _start(tensor, root_rank, name, process_set, in_place=False)


def broadcast_(
    tensor: torch.Tensor, root_rank: int, name: str | None = None, process_set: ProcessSet = global_process_set
) -> torch.Tensor:
    """:func:`broadcast` in place, of a contiguous tensor, which it returns."""
    sent: torch.Tensor = broadcast_async_(tensor, root_rank, name, process_set).wait()
    return sent


def broadcast_async_(
    tensor: torch.Tensor, root_rank: int, name: str | None = None, process_set: ProcessSet = global_process_set
) -> Handle:
    """Starts :func:`broadcast_` once all ranks have called it. The tensor must not be touched until it is over."""
    return _start(tensor, root_rank, name, process_set, in_place=True)


def _start(tensor: torch.Tensor, root_rank: int, name: str | None, process_set: ProcessSet, in_place: bool) -> Handle:
    lane = process_set.calls
    with lane.refusing(1):
        source = checked(tensor, "broadcast", in_place=in_place)
        root = process_set.place_of(root_rank)
    lane.announce(entry_for(BROADCAST, source, name=name))
    output = source if in_place else source.clone()
    work = lane.communicator.broadcast(output, root, async_op=True)
    return Handle([work], lambda: tensor if in_place else output)


class _Broadcast(torch.autograd.Function):  # type: ignore[misc]  # torch is not read for its types
    @staticmethod
    def forward(
        ctx: Any, tensor: torch.Tensor, root_rank: int, name: str | None, process_set: ProcessSet
    ) -> torch.Tensor:
        sent: torch.Tensor = broadcast_async(tensor, root_rank, name, process_set).wait()
        ctx.root, ctx.process_set = process_set.place_of(root_rank), process_set
        return sent

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        summed = allreduce(gradient, op=Sum, process_set=ctx.process_set)
        mine = ctx.process_set.rank() == ctx.root
        return (summed if mine else torch.zeros_like(summed)), None, None, None
