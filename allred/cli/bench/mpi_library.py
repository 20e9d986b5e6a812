"""MPI through mpi4py as a library to measure: Open MPI, MPICH, Intel MPI."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import numpy as np

from allred.bootstrap import mpi_world
from allred.cli.bench.elements import Array
from allred.cli.bench.libraries import Call, NotOffered, PingPong, require_in_place, require_out_of_place
from allred.cli.bench.workload import Workload
from allred.cli.errors import CommandFailed

_OPS = {"sum": "SUM", "product": "PROD", "min": "MIN", "max": "MAX", "band": "BAND", "bor": "BOR", "bxor": "BXOR"}
_TYPES = {"float64": "DOUBLE", "float32": "FLOAT", "float16": "FLOAT16_T", "bfloat16": "BFLOAT16_T"}
_VENDORS = {"openmpi": "Open MPI", "mpich": "MPICH", "intelmpi": "Intel MPI"}
_TAG = 0


class MpiLibrary:
    """``MPI_COMM_WORLD``, by mpi4py's calls on buffers (those whose names begin with a capital letter).

    They get each buffer with its MPI type, so that mpi4py need not look that up at each call. Messages between two
    ranks are plain Send and Recv, as programs use them; persistent requests would leave out work that a program has.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._world = mpi_world()
        # mpi4py is imported in one place only, and its constants lie in the module of the communicator's class.
        self._mpi = sys.modules[type(self._world).__module__]
        vendor, release = self._mpi.get_vendor()
        self.version = f"{vendor} {'.'.join(map(str, release))}"
        if vendor != _VENDORS[name]:
            raise CommandFailed(f"peer {name} is {_VENDORS[name]}, but mpi4py has loaded {self.version}")

    def all_reduce(self, work: Workload) -> Call:
        """``MPI_Allreduce``."""
        op = self._op(work)
        return partial(self._world.Allreduce, self._input_or_in_place(work), self._buffer(work, work.output), op)

    def broadcast(self, work: Workload) -> Call:
        """``MPI_Bcast``."""
        require_in_place(work)
        return partial(self._world.Bcast, self._buffer(work, work.output), work.plan.root)

    def reduce(self, work: Workload) -> Call:
        """``MPI_Reduce``."""
        op, root = self._op(work), work.plan.root
        if work.rank != root:
            return partial(self._world.Reduce, self._buffer(work, work.input), None, op, root)
        return partial(self._world.Reduce, self._input_or_in_place(work), self._buffer(work, work.output), op, root)

    def all_gather(self, work: Workload) -> Call:
        """``MPI_Allgather``."""
        return partial(self._world.Allgather, self._input_or_in_place(work), self._buffer(work, work.output))

    def reduce_scatter(self, work: Workload) -> Call:
        """``MPI_Reduce_scatter_block``. In place it would leave all ranks' results in the first part of their input."""
        require_out_of_place(work)
        buffers = self._buffer(work, work.input), self._buffer(work, work.output)
        return partial(self._world.Reduce_scatter_block, *buffers, self._op(work))

    def gather(self, work: Workload) -> Call:
        """``MPI_Gather``."""
        root = work.plan.root
        if work.rank != root:
            return partial(self._world.Gather, self._buffer(work, work.input), None, root)
        return partial(self._world.Gather, self._input_or_in_place(work), self._buffer(work, work.output), root)

    def scatter(self, work: Workload) -> Call:
        """``MPI_Scatter``."""
        root = work.plan.root
        if work.rank != root:
            return partial(self._world.Scatter, None, self._buffer(work, work.output), root)
        output = self._mpi.IN_PLACE if work.in_place else self._buffer(work, work.output)
        return partial(self._world.Scatter, self._buffer(work, work.input), output, root)

    def all_to_all(self, work: Workload) -> Call:
        """``MPI_Alltoall``."""
        return partial(self._world.Alltoall, self._input_or_in_place(work), self._buffer(work, work.output))

    def send_recv(self, work: Workload) -> PingPong:
        """``MPI_Send`` and ``MPI_Recv``."""
        send = partial(self._world.Send, self._buffer(work, work.input), work.peer, _TAG)
        recv = partial(self._world.Recv, self._buffer(work, work.output), work.peer, _TAG)
        return PingPong.of(work, send, recv)

    def barrier(self, work: Workload) -> Call:
        """``MPI_Barrier``."""
        return partial(self._world.Barrier)

    def _input_or_in_place(self, work: Workload) -> Any:
        return self._mpi.IN_PLACE if work.in_place else self._buffer(work, work.input)

    def _buffer(self, work: Workload, array: Array) -> list[Any]:
        """The array with a type that MPI can move, or reduce where the collective does: `_op` has seen to that."""
        return [array, self._type(work) or self._mpi.UINT16_T]

    def _type(self, work: Workload) -> Any:
        """MPI's name for the element type; a null handle, which is false, where this MPI has none."""
        name = work.element.name
        return getattr(self._mpi, _TYPES.get(name, f"{name.upper()}_T"))

    def _op(self, work: Workload) -> Any:
        """MPI's name for the op. Raises NotOffered where this MPI cannot apply it to the element type."""
        name = work.plan.op
        if name not in _OPS:
            raise NotOffered(f"MPI has no {name}")
        op = getattr(self._mpi, _OPS[name])
        if not self._applies(op, work):
            raise NotOffered(f"{self.version} has no {name} of {work.element.name}")
        return op

    def _applies(self, op: Any, work: Workload) -> bool:
        """Whether this MPI has an operator for the element type, found out by applying it to one element."""
        if not (kind := self._type(work)):
            return False
        one, other = np.zeros(1, work.element.storage), np.zeros(1, work.element.storage)
        try:
            op.Reduce_local([one, kind], [other, kind])
        except self._mpi.Exception:
            return False
        return True
