"""oneCCL as a library to measure. Imported only in its own rank processes."""

from __future__ import annotations

import sys
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from allred.bootstrap import mpi_world
from allred.cli.bench.libraries import Call, NotOffered, PingPong, require_in_place
from allred.cli.bench.peers.installation import version_of
from allred.cli.bench.peers.oneccl.build import DISTRIBUTION, MODULE, module_path
from allred.cli.bench.workload import Workload


class OneCclLibrary:
    """A communicator of all ranks, which meet by an address that MPI carries from rank 0 to the others."""

    name = "oneccl"

    def __init__(self) -> None:
        folder = Path(sys.prefix)
        self.version = f"oneCCL {version_of(DISTRIBUTION, folder)}"
        # Before oneCCL's own: it takes the MPI that has been started.
        world = mpi_world()
        self._module = _load(module_path(folder))
        rank, size = world.Get_rank(), world.Get_size()
        own = self._module.Rendezvous() if rank == 0 else None
        address = world.bcast(own and own.address)
        self._communicator = self._module.Communicator(rank, size, own or self._module.Rendezvous(address))

    def all_reduce(self, work: Workload) -> Call:
        """``ccl::allreduce``."""
        return partial(self._communicator.all_reduce, *_buffers(work), self._dtype(work), self._op(work))

    def broadcast(self, work: Workload) -> Call:
        """``ccl::broadcast``."""
        require_in_place(work)
        output = work.output.ctypes.data
        return partial(self._communicator.broadcast, output, work.count, self._dtype(work), work.plan.root)

    def reduce(self, work: Workload) -> Call:
        """``ccl::reduce``."""
        how = self._dtype(work), self._op(work), work.plan.root
        return partial(self._communicator.reduce, *_buffers(work), *how)

    def all_gather(self, work: Workload) -> Call:
        """``ccl::allgather``."""
        return partial(self._communicator.all_gather, *_buffers(work), self._dtype(work))

    def reduce_scatter(self, work: Workload) -> Call:
        """``ccl::reduce_scatter``."""
        return partial(self._communicator.reduce_scatter, *_buffers(work), self._dtype(work), self._op(work))

    def gather(self, work: Workload) -> Call:
        """Not there."""
        raise NotOffered("oneCCL has no gather")

    def scatter(self, work: Workload) -> Call:
        """``ccl::scatter``."""
        return partial(self._communicator.scatter, *_buffers(work), self._dtype(work), work.plan.root)

    def all_to_all(self, work: Workload) -> Call:
        """``ccl::alltoall``."""
        return partial(self._communicator.all_to_all, *_buffers(work), self._dtype(work))

    def send_recv(self, work: Workload) -> PingPong:
        """``ccl::send`` and ``ccl::recv``."""
        what = work.count, self._dtype(work), work.peer
        send = partial(self._communicator.send, work.input.ctypes.data, *what)
        return PingPong.of(work, send, partial(self._communicator.recv, work.output.ctypes.data, *what))

    def barrier(self, work: Workload) -> Call:
        """``ccl::barrier``."""
        return partial(self._communicator.barrier)

    def _dtype(self, work: Workload) -> Any:
        return getattr(self._module.Datatype, work.element.name)

    def _op(self, work: Workload) -> Any:
        op = getattr(self._module.Reduction, work.plan.op, None)
        if op is None:
            raise NotOffered(f"oneCCL has no {work.plan.op}")
        return op


def _buffers(work: Workload) -> tuple[int, int, int]:
    """The input's address, the output's, and the elements of a rank's part."""
    return work.input.ctypes.data, work.output.ctypes.data, work.count


def _load(path: Path) -> Any:
    spec = spec_from_file_location(MODULE, path)
    assert spec is not None  # a path that ends in .so has a loader
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
