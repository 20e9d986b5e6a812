"""MPI through mpi4py as a library to measure."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from allred.bootstrap import mpi_world
from allred.cli.bench.elements import Array
from allred.cli.bench.libraries import Call, NotOffered
from allred.cli.bench.workload import ROOT, Workload

_OPS = {"sum": "SUM", "product": "PROD", "min": "MIN", "max": "MAX", "band": "BAND", "bor": "BOR", "bxor": "BXOR"}


class MpiLibrary:
    """``MPI_COMM_WORLD``, by mpi4py's calls on buffers (those whose names begin with a capital letter)."""

    name = "openmpi"

    def __init__(self) -> None:
        self._world = mpi_world()
        # mpi4py is imported in one place only, and its constants lie in the module of the communicator's class.
        self._mpi = sys.modules[type(self._world).__module__]

    @property
    def version(self) -> str:
        """The library's name and release. The rest of its own text tells where it was built."""
        return str(self._mpi.Get_library_version()).split(",")[0].strip()

    def all_reduce(self, work: Workload) -> Call:
        """In place."""
        return partial(self._world.Allreduce, self._mpi.IN_PLACE, self._buffer(work, work.input), self._op(work))

    def broadcast(self, work: Workload) -> Call:
        """In place, from ROOT."""
        return partial(self._world.Bcast, self._buffer(work, work.input), ROOT)

    def reduce(self, work: Workload) -> Call:
        """In place, to ROOT."""
        buffer, op = self._buffer(work, work.input), self._op(work)
        if work.rank == ROOT:
            return partial(self._world.Reduce, self._mpi.IN_PLACE, buffer, op, ROOT)
        return partial(self._world.Reduce, buffer, None, op, ROOT)

    def all_gather(self, work: Workload) -> Call:
        """From input to output."""
        return partial(self._world.Allgather, self._buffer(work, work.input), self._buffer(work, work.output))

    def reduce_scatter(self, work: Workload) -> Call:
        """From input to output."""
        buffers = self._buffer(work, work.input), self._buffer(work, work.output)
        return partial(self._world.Reduce_scatter_block, *buffers, self._op(work))

    def barrier(self, work: Workload) -> Call:
        """Without data."""
        return partial(self._world.Barrier)

    def _buffer(self, work: Workload, array: Array) -> list[Any]:
        # With the type given, mpi4py need not look it up at each call.
        if work.element.name in ("float16", "bfloat16"):
            raise NotOffered(f"MPI has no {work.element.name}")
        return [array, self._mpi.Datatype.fromcode(array.dtype.char)]

    def _op(self, work: Workload) -> Any:
        if work.plan.op not in _OPS:
            raise NotOffered(f"MPI has no {work.plan.op}")
        return getattr(self._mpi, _OPS[work.plan.op])
