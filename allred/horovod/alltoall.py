"""AllToAll: every rank sends each rank a part of its tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch

from allred import Work
from allred.errors import InvalidArgumentError
from allred.horovod.handles import Handle
from allred.horovod.lane import Lane, checked
from allred.horovod.process_sets import ProcessSet, global_process_set
from allred.horovod.roll_call import ALL_TO_ALL, entry_for

Splits: TypeAlias = torch.Tensor | Sequence[int] | None


def alltoall(
    tensor: torch.Tensor,
    splits: Splits = None,
    name: str | None = None,
    process_set: ProcessSet = global_process_set,
) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
    """The parts that the ranks have for this one, in rank order. Differentiable.

    Args:
        tensor: a dense CPU tensor of at least one dimension, in which alone the ranks' may differ.
        splits: how many of its first dimension go to each rank; by default as many to each.
        name: as for ``allreduce``.
        process_set: the ranks that take part.

    Returns:
        A tensor of shape ``(sum of what the ranks sent here, ...)``; if `splits` is given, with it an int32 tensor of
        how many came from each rank.

    Raises:
        InvalidArgumentError: an argument is wrong on this rank; the others get a MismatchError with the reason.
        UnsupportedError: the tensor is not in CPU memory or is sparse, or a rank has joined.
        MismatchError: dtypes, or dimensions but the first, differ between ranks.
    """
    output, received = _AllToAll.apply(tensor, splits, name, process_set)
    return output if splits is None else (output, received)


def alltoall_async(
    tensor: torch.Tensor,
    splits: Splits = None,
    name: str | None = None,
    process_set: ProcessSet = global_process_set,
) -> Handle:
    """Starts :func:`alltoall` once all ranks have called it: until then, it is not known how much there is to come."""
    work, output, received = _start(tensor, splits, name, process_set)
    return Handle([work], lambda: output if splits is None else (output, received))


def _start(
    tensor: torch.Tensor, splits: Splits, name: str | None, process_set: ProcessSet
) -> tuple[Work, torch.Tensor, torch.Tensor]:
    lane = process_set.calls
    with lane.refusing(1):
        source = checked(tensor, "alltoall")
        sent = _checked_splits(source, splits, process_set.size())
    lane.announce(entry_for(ALL_TO_ALL, source, name=name))
    received = _exchanged(lane, sent)
    output = source.new_empty((sum(received), *source.shape[1:]))
    outputs, inputs = list(output.split(received)), list(source.split(sent))
    work = lane.communicator.all_to_all_into(outputs, inputs, async_op=True)
    return work, output, torch.tensor(received, dtype=torch.int32)


def _checked_splits(source: torch.Tensor, splits: Splits, size: int) -> list[int]:
    if source.dim() == 0:
        raise InvalidArgumentError("alltoall: tensor has no dimension, expected at least one")
    length = source.shape[0]
    if splits is None:
        if length % size:
            raise InvalidArgumentError(
                f"alltoall: tensor has {length} rows, expected a multiple of {size}, the ranks, or splits"
            )
        return [length // size] * size
    counts = [int(count) for count in splits]
    if len(counts) != size or min(counts) < 0 or sum(counts) != length:
        raise InvalidArgumentError(
            f"alltoall: splits={counts}, expected {size} numbers of rows, one a rank, which add up to {length}"
        )
    return counts


def _exchanged(lane: Lane, sent: list[int]) -> list[int]:
    received = torch.empty(len(sent), dtype=torch.int64)
    lane.communicator.all_to_all_into(received, torch.tensor(sent))
    return [int(count) for count in received]


class _AllToAll(torch.autograd.Function):  # type: ignore[misc]  # torch is not read for its types
    @staticmethod
    def forward(
        ctx: Any, tensor: torch.Tensor, splits: Splits, name: str | None, process_set: ProcessSet
    ) -> tuple[torch.Tensor, torch.Tensor]:
        work, output, received = _start(tensor, splits, name, process_set)
        work.wait()
        ctx.process_set, ctx.received = process_set, received
        ctx.mark_non_differentiable(received)
        return output, received

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor, _: Any) -> Any:
        returned, _ = _AllToAll.apply(gradient, ctx.received, None, ctx.process_set)
        return returned, None, None, None
