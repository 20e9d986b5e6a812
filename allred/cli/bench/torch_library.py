"""torch.distributed as a library to measure: allred's backend and Gloo, in the same processes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import torch
import torch.distributed as dist

import allred
from allred import backend
from allred.cli.bench.elements import Array, ElementType
from allred.cli.bench.libraries import Call, NotOffered, PingPong, require_in_place, require_out_of_place
from allred.cli.bench.workload import Workload

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
# torch 2.13 has renamed them, and warns at each call by the old name, which takes time.
_all_gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
_reduce_scatter = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor
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
    """``torch.distributed`` over the group of one backend, in one kind of memory."""

    version = f"torch {torch.__version__}"

    def __init__(self, name: str, group: dist.ProcessGroup) -> None:
        self.name = name
        self._group = group
        self._is_gloo = name == "gloo"

    def allocate_symmetric(self, count: int, element: ElementType) -> Array:
        """An array of symmetric memory of the group."""
        package: Any = allred
        tensor = package.empty(count, dtype=getattr(torch, element.name), group=self._group)
        known_to_numpy = tensor.view(torch.int16) if element.name == "bfloat16" else tensor
        array: Array = known_to_numpy.numpy().view(element.storage)
        return array

    def all_reduce(self, work: Workload) -> Call:
        """In place."""
        require_in_place(work)
        return partial(dist.all_reduce, self._tensor(work), self._op(work), self._group)

    def broadcast(self, work: Workload) -> Call:
        """In place."""
        return partial(dist.broadcast, self._tensor(work), work.plan.root, self._group)

    def reduce(self, work: Workload) -> Call:
        """In place."""
        require_in_place(work)
        return partial(dist.reduce, self._tensor(work), work.plan.root, self._op(work), self._group)

    def all_gather(self, work: Workload) -> Call:
        """From input to output."""
        return partial(_all_gather, self._tensor(work, "output"), self._tensor(work), self._group)

    def reduce_scatter(self, work: Workload) -> Call:
        """From input to output."""
        tensors = self._tensor(work, "output"), self._tensor(work)
        return partial(_reduce_scatter, *tensors, self._op(work), self._group)

    def gather(self, work: Workload) -> Call:
        """From input to the root's output."""
        parts = self._parts(work, "output") if work.rank == work.plan.root else None
        return partial(dist.gather, self._tensor(work), parts, work.plan.root, self._group)

    def scatter(self, work: Workload) -> Call:
        """From the root's input to output."""
        parts = self._parts(work, "input") if work.rank == work.plan.root else None
        return partial(dist.scatter, self._tensor(work, "output"), parts, work.plan.root, self._group)

    def all_to_all(self, work: Workload) -> Call:
        """Out of place."""
        require_out_of_place(work)
        tensors = self._tensor(work, "output"), self._tensor(work)
        return partial(dist.all_to_all_single, *tensors, group=self._group)

    def send_recv(self, work: Workload) -> PingPong:
        """With the peer."""
        send = partial(dist.send, self._tensor(work), work.peer, self._group)
        return PingPong.of(work, send, partial(dist.recv, self._tensor(work, "output"), work.peer, self._group))

    def barrier(self, work: Workload) -> Call:
        """Without data."""
        return partial(dist.barrier, self._group)

    def _tensor(self, work: Workload, which: str = "input") -> torch.Tensor:
        if self._is_gloo and work.element.name not in _GLOO_DTYPES:
            raise NotOffered(f"Gloo has no {work.element.name}")
        return as_tensor(getattr(work, which), work.element)

    def _parts(self, work: Workload, which: str) -> list[torch.Tensor]:
        return list(self._tensor(work, which).chunk(work.plan.ranks))

    def _op(self, work: Workload) -> dist.ReduceOp.RedOpType:
        if self._is_gloo and work.plan.op == "avg":
            raise NotOffered("Gloo has no avg")
        return _OPS[work.plan.op]
