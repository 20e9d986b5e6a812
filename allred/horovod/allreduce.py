"""AllReduce: every rank gets the ranks' tensors, combined."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from allred.errors import InvalidArgumentError
from allred.flat import FlatBuffer, partition
from allred.horovod import adasum
from allred.horovod.compression import Compression, Compressor
from allred.horovod.handles import Handle, HandleGroup
from allred.horovod.lane import Lane, checked
from allred.horovod.operators import Adasum, Average, ReduceOp, Sum, chosen_op
from allred.horovod.process_sets import ProcessSet, global_process_set
from allred.horovod.roll_call import ADASUM, entry_for

Tensors = Sequence[torch.Tensor]
_EXCHANGES = 2  # of an asynchronous call: the roll call, and the AllReduce


class Reduction(NamedTuple):
    """How tensors are reduced.

    Attributes:
        op: the operator.
        factor: what the result is multiplied by.
        name: the call's, or None.
        process_set: whose ranks take part.
    """

    op: ReduceOp
    factor: float = 1.0
    name: str | None = None
    process_set: ProcessSet = global_process_set

    def check(self, dtype: torch.dtype) -> None:
        """Raises InvalidArgumentError or UnsupportedError unless tensors of the dtype can be reduced so."""
        fractional = dtype.is_floating_point or dtype.is_complex
        if self.factor != 1.0 and not (fractional and self.op in (Sum, Average)):
            raise InvalidArgumentError(
                f"prescale_factor * postscale_factor={self.factor} with op={self.op.name} and {dtype}: expected 1, or "
                "Sum or Average of floating or complex tensors"
            )
        if self.op is Adasum:
            adasum.check_size(self.process_set.size())
            if not dtype.is_floating_point:
                raise InvalidArgumentError(f"op=ADASUM with {dtype}: expected a floating tensor")

    def native(self, size: int) -> tuple[str, float]:
        """The operator and the scale that the communicator knows for this."""
        if self.factor == 1.0:
            return self.op.value, 1.0
        return "premul_sum", self.factor / (size if self.op is Average else 1)


def start(tensor: torch.Tensor, how: Reduction, *, in_place: bool = False, async_op: bool = True) -> Handle:
    """Starts the reduction of a tensor, into a new one unless it is in place, which is what the handle returns."""
    lane = how.process_set.calls
    with lane.refusing(_EXCHANGES if async_op else 1):
        source = checked(tensor, "allreduce", in_place=in_place)
        how.check(source.dtype)
    output = source if in_place else torch.empty_like(source)
    return start_on(lane, output, source, how, async_op=async_op, result=tensor if in_place else output)


def start_on(
    lane: Lane,
    output: torch.Tensor,
    source: torch.Tensor,
    how: Reduction,
    *,
    counts: Sequence[int] = (),
    async_op: bool = True,
    result: Any = None,
) -> Handle:
    """Starts a reduction of checked tensors, which may be one, on a lane. Adasum is over when this returns.

    Args:
        lane: whose ranks take part.
        output: where the result goes.
        source: what this rank contributes.
        how: the rest.
        counts: how many elements each of the tensors has that lie end to end in `source`; by default it is one.
        async_op: whether to return at once.
        result: what the handle returns.
    """
    if how.op is not Adasum:
        op, scale = how.native(lane.communicator.size)
        roll, work = lane.all_reduce(output, source, op, scale, how.name, async_op)
        return Handle([roll.work, work], lambda: result, roll)
    lane.announce(entry_for(ADASUM, source, name=how.name))
    wide = source.flatten().to(torch.float64 if source.dtype == torch.float64 else torch.float32, copy=True)
    adasum.combine(lane.communicator, wide, counts or [wide.numel()])
    output.copy_(wide.view_as(output))
    return Handle([], lambda: result)


def start_group(tensors: Tensors, outputs: Tensors, how: Reduction) -> HandleGroup:
    """Starts the reduction of tensors, end to end in one buffer a dtype, into others of their shapes."""
    lane = how.process_set.calls
    with lane.refusing(_EXCHANGES):
        if not tensors:
            raise InvalidArgumentError("tensors=[]: expected at least one tensor")
        sources = [checked(tensor, "grouped_allreduce") for tensor in tensors]
        for source in sources:
            how.check(source.dtype)
    flats, handles = [], []
    for bucket in partition(sources, sys.maxsize):
        flat = FlatBuffer([sources[idx] for idx in bucket])
        flat.pack([sources[idx] for idx in bucket])
        counts = [view.numel() for view in flat.views]
        flats.append((flat, [outputs[idx] for idx in bucket]))
        handles.append(start_on(lane, flat.data, flat.data, how, counts=counts))

    def finish() -> list[torch.Tensor]:
        for flat, targets in flats:
            flat.unpack(targets)
        return list(outputs)

    return HandleGroup(handles, finish)


def allreduce(
    tensor: torch.Tensor,
    average: bool | None = None,
    name: str | None = None,
    compression: type[Compressor] = Compression.none,
    op: ReduceOp | None = None,
    prescale_factor: float = 1.0,
    postscale_factor: float = 1.0,
    process_set: ProcessSet = global_process_set,
) -> torch.Tensor:
    """The ranks' tensors, combined. Differentiable: a gradient is reduced in the same way.

    Args:
        tensor: a dense CPU tensor of the same shape and dtype on all ranks; it is not changed.
        average: what Horovod had before `op`: False stands for Sum.
        name: ranks that give different names to a call get a MismatchError; without one, calls match by their order.
        compression: what travels in the place of the tensor.
        op: Average (by default), Sum, Min, Max, Product or Adasum.
        prescale_factor: for Sum and Average of floating tensors, applied before the sum.
        postscale_factor: likewise, applied after the sum.
        process_set: the ranks that take part.

    Returns:
        A tensor of the same shape and dtype, with the same bits on all ranks.

    Raises:
        InvalidArgumentError: an argument is wrong on this rank; the others get a MismatchError with the reason.
        UnsupportedError: the tensor is not in CPU memory, is sparse, or op is Adasum and the number of ranks is no
            power of two.
        MismatchError: the ranks called different things.
        TimeoutError: a peer did not come in time.
        PeerLostError: a peer is gone.
    """
    how = Reduction(chosen_op(op, average), prescale_factor * postscale_factor, name, process_set)
    compressed, ctx = compression.compress(tensor)
    return compression.decompress(_AllReduce.apply(compressed, how), ctx)


def allreduce_async(
    tensor: torch.Tensor,
    average: bool | None = None,
    name: str | None = None,
    op: ReduceOp | None = None,
    prescale_factor: float = 1.0,
    postscale_factor: float = 1.0,
    process_set: ProcessSet = global_process_set,
) -> Handle:
    """Starts :func:`allreduce`. The tensor must not change until the call is over. Adasum is over on return."""
    how = Reduction(chosen_op(op, average), prescale_factor * postscale_factor, name, process_set)
    return start(tensor, how)


def allreduce_(
    tensor: torch.Tensor,
    average: bool | None = None,
    name: str | None = None,
    op: ReduceOp | None = None,
    prescale_factor: float = 1.0,
    postscale_factor: float = 1.0,
    process_set: ProcessSet = global_process_set,
) -> torch.Tensor:
    """:func:`allreduce` in place, of a contiguous tensor, which it returns."""
    how = Reduction(chosen_op(op, average), prescale_factor * postscale_factor, name, process_set)
    reduced: torch.Tensor = start(tensor, how, in_place=True, async_op=False).wait()
    return reduced


def allreduce_async_(
    tensor: torch.Tensor,
    average: bool | None = None,
    name: str | None = None,
    op: ReduceOp | None = None,
    prescale_factor: float = 1.0,
    postscale_factor: float = 1.0,
    process_set: ProcessSet = global_process_set,
) -> Handle:
    """Starts :func:`allreduce_`. The tensor must not be touched until the call is over. Adasum is over on return."""
    how = Reduction(chosen_op(op, average), prescale_factor * postscale_factor, name, process_set)
    return start(tensor, how, in_place=True)


def grouped_allreduce(
    tensors: Tensors,
    average: bool | None = None,
    name: str | None = None,
    compression: type[Compressor] = Compression.none,
    op: ReduceOp | None = None,
    prescale_factor: float = 1.0,
    postscale_factor: float = 1.0,
    process_set: ProcessSet = global_process_set,
) -> list[torch.Tensor]:
    """:func:`allreduce` of several tensors, which travel end to end. Not differentiable. Adasum keeps them apart."""
    compressed, contexts = zip(*map(compression.compress, tensors), strict=True)
    handle = grouped_allreduce_async(compressed, average, name, op, prescale_factor, postscale_factor, process_set)
    return [compression.decompress(tensor, ctx) for tensor, ctx in zip(handle.wait(), contexts, strict=True)]


def grouped_allreduce_async(
    tensors: Tensors,
    average: bool | None = None,
    name: str | None = None,
    op: ReduceOp | None = None,
    prescale_factor: float = 1.0,
    postscale_factor: float = 1.0,
    process_set: ProcessSet = global_process_set,
) -> HandleGroup:
    """Starts :func:`grouped_allreduce`, without compression."""
    outputs = [torch.empty_like(tensor, requires_grad=False) for tensor in tensors]
    how = Reduction(chosen_op(op, average), prescale_factor * postscale_factor, name, process_set)
    return start_group(tensors, outputs, how)


def grouped_allreduce_(
    tensors: Tensors,
    average: bool | None = None,
    name: str | None = None,
    op: ReduceOp | None = None,
    prescale_factor: float = 1.0,
    postscale_factor: float = 1.0,
    process_set: ProcessSet = global_process_set,
) -> list[torch.Tensor]:
    """:func:`grouped_allreduce` in place; returns the tensors."""
    handle = grouped_allreduce_async_(tensors, average, name, op, prescale_factor, postscale_factor, process_set)
    reduced: list[torch.Tensor] = handle.wait()
    return reduced


def grouped_allreduce_async_(
    tensors: Tensors,
    average: bool | None = None,
    name: str | None = None,
    op: ReduceOp | None = None,
    prescale_factor: float = 1.0,
    postscale_factor: float = 1.0,
    process_set: ProcessSet = global_process_set,
) -> HandleGroup:
    """Starts :func:`grouped_allreduce_`. The tensors must not be touched until the call is over."""
    how = Reduction(chosen_op(op, average), prescale_factor * postscale_factor, name, process_set)
    return start_group(tensors, tensors, how)


class _AllReduce(torch.autograd.Function):  # type: ignore[misc]  # torch is not read for its types
    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor, how: Reduction) -> torch.Tensor:
        ctx.how = how
        reduced: torch.Tensor = start(tensor, how, async_op=False).wait()
        return reduced

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        if ctx.how.op not in (Sum, Average):
            raise InvalidArgumentError(f"op={ctx.how.op.name}: an allreduce has a gradient for Sum and Average alone")
        return _AllReduce.apply(gradient, ctx.how), None
