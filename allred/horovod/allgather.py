"""AllGather: every rank gets the ranks' tensors, end to end."""

from __future__ import annotations

from typing import Any

import torch

from allred.errors import InvalidArgumentError
from allred.horovod.allreduce import allreduce
from allred.horovod.handles import Handle, HandleGroup
from allred.horovod.lane import checked
from allred.horovod.operators import Average, ReduceOp, Sum
from allred.horovod.process_sets import ProcessSet, global_process_set
from allred.horovod.roll_call import ALL_GATHER, entry_for


def allgather(
    tensor: torch.Tensor, name: str | None = None, process_set: ProcessSet = global_process_set
) -> torch.Tensor:
    """The ranks' tensors, one after the other along the first dimension. Differentiable.

    Args:
        tensor: a dense CPU tensor of at least one dimension, in which alone the ranks' may differ.
        name: as for ``allreduce``.
        process_set: the ranks that take part.

    Returns:
        A tensor of shape ``(sum of the ranks' first dimensions, ...)``.

    Raises:
        InvalidArgumentError: an argument is wrong on this rank; the others get a MismatchError with the reason.
        UnsupportedError: the tensor is not in CPU memory or is sparse, or a rank has joined.
        MismatchError: dtypes, or dimensions but the first, differ between ranks.
    """
    gathered: torch.Tensor = _AllGather.apply(tensor, name, process_set)
    return gathered


def allgather_async(
    tensor: torch.Tensor, name: str | None = None, process_set: ProcessSet = global_process_set
) -> Handle:
    """Starts :func:`allgather` once all ranks have called it: until then, it is not known how much there is to come."""
    return _start(tensor, name, process_set)[0]


def grouped_allgather(
    tensors: list[torch.Tensor], name: str | None = None, process_set: ProcessSet = global_process_set
) -> list[torch.Tensor]:
    """:func:`allgather` of several tensors."""
    return [allgather(tensor, name, process_set) for tensor in tensors]


def sparse_allreduce_async(
    tensor: torch.Tensor, name: str | None = None, op: ReduceOp = Average, process_set: ProcessSet = global_process_set
) -> HandleGroup:
    """Starts the sum or average of sparse (COO) tensors, whose values and indices the ranks gather.

    Args:
        tensor: a sparse CPU tensor of the same shape and dtype on all ranks, which may differ in what they store.
        name: as for ``allreduce``.
        op: Average or Sum.
        process_set: the ranks that take part.

    Returns:
        A handle, whose call returns a coalesced sparse tensor.

    Raises:
        InvalidArgumentError: `op` is another, or the tensor is not sparse.
    """
    if op not in (Average, Sum):
        raise InvalidArgumentError(f"op={op}: expected Average or Sum for sparse tensors")
    if tensor.layout != torch.sparse_coo:
        raise InvalidArgumentError(f"tensor has layout {tensor.layout}, expected torch.sparse_coo")
    stored = tensor.detach().coalesce()
    indices = allgather_async(stored.indices().t(), name, process_set)
    values = allgather_async(stored.values(), name, process_set)

    def finish() -> torch.Tensor:
        total = torch.sparse_coo_tensor(indices.wait().t(), values.wait(), tensor.shape).coalesce()
        return total / process_set.size() if op is Average else total

    return HandleGroup([indices, values], finish)


def _start(tensor: torch.Tensor, name: str | None, process_set: ProcessSet) -> tuple[Handle, list[int]]:
    """The call under way, and the first dimension that each rank's tensor has."""
    lane = process_set.calls
    with lane.refusing(1):
        source = checked(tensor, "allgather")
        if source.dim() == 0:
            raise InvalidArgumentError("allgather: tensor has no dimension, expected at least one")
    lengths = lane.announce(entry_for(ALL_GATHER, source, name=name))
    gathered = source.new_empty((sum(lengths), *source.shape[1:]))
    parts = list(gathered.split(lengths))
    if len(set(lengths)) == 1:
        work = lane.communicator.all_gather_into(parts, source, async_op=True)
    else:
        work = lane.communicator.all_to_all_into(parts, [source] * len(parts), async_op=True)
    return Handle([work], lambda: gathered), lengths


class _AllGather(torch.autograd.Function):  # type: ignore[misc]  # torch is not read for its types
    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor, name: str | None, process_set: ProcessSet) -> torch.Tensor:
        ctx.process_set = process_set
        handle, ctx.lengths = _start(tensor, name, process_set)
        gathered: torch.Tensor = handle.wait()
        return gathered

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        summed = allreduce(gradient, op=Sum, process_set=ctx.process_set)
        return summed.split(ctx.lengths)[ctx.process_set.rank()], None, None
