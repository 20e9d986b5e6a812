"""What is measured: each library offers one prepared call for each collective."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from allred.cli.bench.workload import ROOT, Workload
from allred.communicator import Communicator

# Called in a loop with nothing around it, so rather a functools.partial than a Python function.
Call = Callable[[], object]


class NotOffered(Exception):  # noqa: N818 - an answer, not an error
    """The library does not do this collective with this dtype and op; nothing was called."""


class Library(Protocol):
    """One line of each size's results. The methods prepare a call on a workload's buffers.

    Raise NotOffered where the library does not have it.
    """

    @property
    def name(self) -> str:
        """As reported."""

    def all_reduce(self, work: Workload) -> Call:
        """In place."""

    def broadcast(self, work: Workload) -> Call:
        """In place, from ROOT."""

    def reduce(self, work: Workload) -> Call:
        """In place, to ROOT."""

    def all_gather(self, work: Workload) -> Call:
        """From input to output."""

    def reduce_scatter(self, work: Workload) -> Call:
        """From input to output."""

    def barrier(self, work: Workload) -> Call:
        """Without data."""


def prepare(library: Library, work: Workload) -> Call:
    """The library's call of the workload's collective."""
    call: Call = getattr(library, work.plan.collective)(work)
    return call


class AllredLibrary:
    """allred's own Python API on numpy arrays."""

    def __init__(self, communicator: Communicator, algorithm: str = "auto") -> None:
        self._communicator = communicator
        # Only what differs from the default is passed, as users do.
        self._options = {} if algorithm == "auto" else {"algorithm": algorithm}
        self.name = "allred" if algorithm == "auto" else f"allred {algorithm}"

    def all_reduce(self, work: Workload) -> Call:
        """In place."""
        return partial(self._communicator.all_reduce, _array(work), **self._reduce_options(work))

    def broadcast(self, work: Workload) -> Call:
        """In place, from ROOT."""
        return partial(self._communicator.broadcast, _array(work), ROOT, **self._options)

    def reduce(self, work: Workload) -> Call:
        """In place, to ROOT."""
        return partial(self._communicator.reduce, _array(work), ROOT, **self._reduce_options(work))

    def all_gather(self, work: Workload) -> Call:
        """From input to output."""
        return partial(self._communicator.all_gather_into, _array(work, "output"), _array(work), **self._options)

    def reduce_scatter(self, work: Workload) -> Call:
        """From input to output."""
        arrays = _array(work, "output"), _array(work)
        return partial(self._communicator.reduce_scatter_into, *arrays, **self._reduce_options(work))

    def barrier(self, work: Workload) -> Call:
        """Without data."""
        return partial(self._communicator.barrier, **self._options)

    def _reduce_options(self, work: Workload) -> dict[str, str]:
        return self._options if work.plan.op == "sum" else {**self._options, "op": work.plan.op}


def _array(work: Workload, which: str = "input") -> Any:
    array = getattr(work, which)
    if work.element.name != "bfloat16":
        return array
    from allred.cli.bench.torch_library import as_tensor

    return as_tensor(array, work.element)
