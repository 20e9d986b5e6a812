"""allred's own Python API on numpy arrays as a library to measure."""

from __future__ import annotations

from functools import partial
from typing import Any

from allred.cli.bench.elements import Array, ElementType
from allred.cli.bench.libraries import Call, PingPong, require_in_place, require_out_of_place
from allred.cli.bench.workload import Workload
from allred.communicator import Communicator


class AllredLibrary:
    """A communicator's collectives, by one algorithm, in one kind of memory."""

    version = ""  # of the package

    def __init__(self, communicator: Communicator, algorithm: str = "auto", *, symmetric: bool = False) -> None:
        self._communicator = communicator
        # Only what differs from the default is passed, as users do.
        self._options = {} if algorithm == "auto" else {"algorithm": algorithm}
        self.name = "allred" if algorithm == "auto" else f"allred {algorithm}"
        if symmetric:
            self.name += " symmetric"

    def allocate_symmetric(self, count: int, element: ElementType) -> Array:
        """An array of symmetric memory."""
        communicator: Any = self._communicator
        array: Array = communicator.empty(count, element.storage)
        return array

    def all_reduce(self, work: Workload) -> Call:
        """In place."""
        require_in_place(work)
        return partial(self._communicator.all_reduce, _array(work), **self._reduce_options(work))

    def broadcast(self, work: Workload) -> Call:
        """In place."""
        return partial(self._communicator.broadcast, _array(work), work.plan.root, **self._options)

    def reduce(self, work: Workload) -> Call:
        """In place."""
        require_in_place(work)
        return partial(self._communicator.reduce, _array(work), work.plan.root, **self._reduce_options(work))

    def all_gather(self, work: Workload) -> Call:
        """From input to output."""
        return partial(self._communicator.all_gather_into, _array(work, "output"), _array(work), **self._options)

    def reduce_scatter(self, work: Workload) -> Call:
        """From input to output."""
        arrays = _array(work, "output"), _array(work)
        return partial(self._communicator.reduce_scatter_into, *arrays, **self._reduce_options(work))

    def gather(self, work: Workload) -> Call:
        """From input to the root's output."""
        output = _array(work, "output") if work.rank == work.plan.root else None
        return partial(self._communicator.gather_into, output, _array(work), work.plan.root, **self._options)

    def scatter(self, work: Workload) -> Call:
        """From the root's input to output."""
        source = _array(work) if work.rank == work.plan.root else None
        return partial(self._communicator.scatter_into, _array(work, "output"), source, work.plan.root, **self._options)

    def all_to_all(self, work: Workload) -> Call:
        """Out of place."""
        require_out_of_place(work)
        return partial(self._communicator.all_to_all_into, _array(work, "output"), _array(work), **self._options)

    def send_recv(self, work: Workload) -> PingPong:
        """With the peer."""
        send = partial(self._communicator.send, _array(work), work.peer)
        return PingPong.of(work, send, partial(self._communicator.recv, _array(work, "output"), work.peer))

    def barrier(self, work: Workload) -> Call:
        """Without data; by the library's algorithm where it is what is measured."""
        return partial(self._communicator.barrier, **(self._options if work.plan.collective == "barrier" else {}))

    def _reduce_options(self, work: Workload) -> dict[str, str]:
        return self._options if work.plan.op == "sum" else {**self._options, "op": work.plan.op}


def _array(work: Workload, which: str = "input") -> Any:
    array = getattr(work, which)
    if work.element.name != "bfloat16":
        return array
    from allred.cli.bench.torch_library import as_tensor

    return as_tensor(array, work.element)
