"""ReduceScatter: every rank gets its part of the ranks' tensors, combined."""

from __future__ import annotations

from typing import Any

import torch

from allred import _core
from allred.errors import InvalidArgumentError
from allred.horovod.allgather import allgather
from allred.horovod.allreduce import Reduction
from allred.horovod.compression import Compression, Compressor
from allred.horovod.handles import Handle
from allred.horovod.lane import checked
from allred.horovod.operators import Adasum, Average, ReduceOp, Sum
from allred.horovod.process_sets import ProcessSet, global_process_set
from allred.horovod.roll_call import REDUCE_SCATTER, entry_for


def reducescatter(
    tensor: torch.Tensor,
    name: str | None = None,
    compression: type[Compressor] = Compression.none,
    op: ReduceOp = Average,
    process_set: ProcessSet = global_process_set,
    prescale_factor: float = 1.0,
    postscale_factor: float = 1.0,
) -> torch.Tensor:
    """This rank's rows of the ranks' tensors, combined. Differentiable for Sum and Average.

    Args:
        tensor: a dense CPU tensor of at least one dimension, of the same shape and dtype on all ranks.
        name: as for ``allreduce``.
        compression: what travels in the place of the tensor.
        op: Average (by default), Sum, Min, Max or Product.
        process_set: the ranks that take part.
        prescale_factor: for Sum and Average of floating tensors, applied before the sum.
        postscale_factor: likewise, applied after the sum.

    Returns:
        Of n rows on p ranks, n // p; the first n % p ranks get one row more.

    Raises:
        InvalidArgumentError: an argument is wrong on this rank; the others get a MismatchError with the reason.
        UnsupportedError: the tensor is not in CPU memory or is sparse, or a rank has joined.
        MismatchError: the ranks differ in shape, dtype or op.
    """
    compressed, ctx = compression.compress(tensor)
    how = Reduction(op, prescale_factor * postscale_factor, name, process_set)
    return compression.decompress(_ReduceScatter.apply(compressed, how), ctx)


def reducescatter_async(
    tensor: torch.Tensor,
    name: str | None = None,
    op: ReduceOp = Average,
    process_set: ProcessSet = global_process_set,
    prescale_factor: float = 1.0,
    postscale_factor: float = 1.0,
) -> Handle:
    """Starts :func:`reducescatter` once all ranks have called it."""
    return _start(tensor, Reduction(op, prescale_factor * postscale_factor, name, process_set))


def grouped_reducescatter(
    tensors: list[torch.Tensor],
    name: str | None = None,
    compression: type[Compressor] = Compression.none,
    op: ReduceOp = Average,
    process_set: ProcessSet = global_process_set,
) -> list[torch.Tensor]:
    """:func:`reducescatter` of several tensors."""
    return [reducescatter(tensor, name, compression, op, process_set) for tensor in tensors]


def _start(tensor: torch.Tensor, how: Reduction) -> Handle:
    lane = how.process_set.calls
    size = how.process_set.size()
    with lane.refusing(1):
        source = checked(tensor, "reducescatter")
        if source.dim() == 0:
            raise InvalidArgumentError("reducescatter: tensor has no dimension, expected at least one")
        if how.op is Adasum:
            raise InvalidArgumentError("reducescatter: op=ADASUM, expected another")
        how.check(source.dtype)
    op, scale = how.native(size)
    lane.announce(entry_for(REDUCE_SCATTER, source, op, how.name))
    lengths = [_core.chunk_of(source.shape[0], size, rank)[1] for rank in range(size)]
    block = source.new_empty((lengths[0], *source.shape[1:]))
    work = lane.communicator.reduce_scatter_into(block, _even(source, lengths), op, scale=scale, async_op=True)
    return Handle([work], lambda: block[: lengths[how.process_set.rank()]])


def _even(source: torch.Tensor, lengths: list[int]) -> torch.Tensor:
    """The blocks of so many rows, each as long as the first: shorter ones end in a row of zeros."""
    if len(set(lengths)) == 1:
        return source
    blocks = source.new_zeros((len(lengths), lengths[0], *source.shape[1:]))
    for block, rows in zip(blocks, source.split(lengths), strict=True):
        block[: len(rows)] = rows
    return blocks


class _ReduceScatter(torch.autograd.Function):  # type: ignore[misc]  # torch is not read for its types
    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor, how: Reduction) -> torch.Tensor:
        ctx.how = how
        block: torch.Tensor = _start(tensor, how).wait()
        return block

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        how = ctx.how
        if how.op not in (Sum, Average):
            raise InvalidArgumentError(f"op={how.op.name}: a reducescatter has a gradient for Sum and Average alone")
        factor = how.factor / (how.process_set.size() if how.op is Average else 1)
        return allgather(gradient, process_set=how.process_set) * factor, None
