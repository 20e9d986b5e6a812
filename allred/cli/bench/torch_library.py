"""torch.distributed as a library to measure: allred's backend and Gloo, in the same processes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import torch
import torch.distributed as dist

from allred import backend
from allred.cli.bench.elements import Array, ElementType
from allred.cli.bench.libraries import Call, NotOffered
from allred.cli.bench.workload import ROOT, Workload

_OPS = {
    "sum": dist.ReduceOp.SUM,
    "product": dist.ReduceOp.PRODUCT,
    "min": dist.ReduceOp.MIN,
    "max": dist.ReduceOp.MAX,
    "avg": dist.ReduceOp.AVG,
    "band": dist.ReduceOp.BAND,
    "bor": dist.ReduceOp.BOR,
    "bxor": dist.ReduceOp.BXOR,
}
_GLOO_DTYPES = ("float64", "float32", "float16", "bfloat16", "int8", "uint8", "int32", "int64")


def as_tensor(array: Array, element: ElementType) -> torch.Tensor:
    """The same memory as a tensor."""
    if element.name == "bfloat16":
        return torch.from_numpy(array.view("int16")).view(torch.bfloat16)
    return torch.from_numpy(array)


def has_allred() -> bool:
    """Whether allred's backend fits the torch that is installed; if not, says so on the error output."""
    try:
        backend.load_native()
    except ImportError as error:
        print(error, file=sys.stderr)
        return False
    return True


def make_groups(backends: Sequence[str], timeout: float) -> dict[str, dist.ProcessGroup]:
    """Initialises torch.distributed and returns one group of all ranks for each backend, the first as the default."""
    backend.register()
    limit = timedelta(seconds=timeout)
    first, *others = backends
    dist.init_process_group(first, init_method="allred://", timeout=limit)
    world = dist.group.WORLD
    assert world is not None  # as long as torch.distributed is initialised
    return {first: world, **{name: dist.new_group(backend=name, timeout=limit) for name in others}}


class TorchLibrary:
    """``torch.distributed`` over the group of one backend."""

    def __init__(self, name: str, group: dist.ProcessGroup) -> None:
        self.name = name
        self._group = group
        self._is_gloo = name == "gloo"

    def all_reduce(self, work: Workload) -> Call:
        """In place."""
        return partial(dist.all_reduce, self._tensor(work), self._op(work), self._group)

    def broadcast(self, work: Workload) -> Call:
        """In place, from ROOT."""
        return partial(dist.broadcast, self._tensor(work), ROOT, self._group)

    def reduce(self, work: Workload) -> Call:
        """In place, to ROOT."""
        return partial(dist.reduce, self._tensor(work), ROOT, self._op(work), self._group)

    def all_gather(self, work: Workload) -> Call:
        """From input to output."""
        return partial(dist.all_gather_into_tensor, self._tensor(work, "output"), self._tensor(work), self._group)

    def reduce_scatter(self, work: Workload) -> Call:
        """From input to output."""
        tensors = self._tensor(work, "output"), self._tensor(work)
        return partial(dist.reduce_scatter_tensor, *tensors, self._op(work), self._group)

    def barrier(self, work: Workload) -> Call:
        """Without data."""
        return partial(dist.barrier, self._group)

    def _tensor(self, work: Workload, which: str = "input") -> torch.Tensor:
        if self._is_gloo and work.element.name not in _GLOO_DTYPES:
            raise NotOffered(f"Gloo has no {work.element.name}")
        return as_tensor(getattr(work, which), work.element)

    def _op(self, work: Workload) -> dist.ReduceOp.RedOpType:
        if self._is_gloo and work.plan.op == "avg":
            raise NotOffered("Gloo has no avg")
        return _OPS[work.plan.op]
