"""What is measured: each library offers one prepared call for each collective."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from allred.cli.bench.workload import Workload

# Called in a loop with nothing around it, so rather a functools.partial than a Python function.
Call = Callable[[], object]


class NotOffered(Exception):  # noqa: N818 - an answer, not an error
    """The library does not do this collective with this dtype, op or placement; nothing was called."""


@dataclass(frozen=True)
class PingPong:
    """A message to the peer and one back: two calls, which the timed loop makes in turn. A time is half of both."""

    first: Call
    second: Call

    @classmethod
    def of(cls, work: Workload, send: Call, recv: Call) -> PingPong:
        """Ranks of even number send first."""
        return cls(send, recv) if work.rank % 2 == 0 else cls(recv, send)


class Library(Protocol):
    """A line of each size's results. The methods prepare a call on a workload's buffers.

    They raise NotOffered, on all ranks alike, where the library cannot do what the workload's plan and placement ask
    for. They may block, and are called by all ranks together. Where there is a root it is ``work.plan.root``.
    """

    @property
    def name(self) -> str:
        """As reported."""

    @property
    def version(self) -> str:
        """Of the library, without a path or name of the machine; empty where the name of a package tells it."""

    def all_reduce(self, work: Workload) -> Call:
        """From input to output on all ranks, by ``work.plan.op``."""

    def broadcast(self, work: Workload) -> Call:
        """The root's input, which is its output, to all outputs: always in place."""

    def reduce(self, work: Workload) -> Call:
        """From all inputs to the root's output; in place, the root's input is its output."""

    def all_gather(self, work: Workload) -> Call:
        """All inputs one after the other, into each output; in place, the input is this rank's part of the output."""

    def reduce_scatter(self, work: Workload) -> Call:
        """This rank's part of the reduction of all inputs; in place, the output is that part of the input."""

    def gather(self, work: Workload) -> Call:
        """All inputs one after the other, into the root's output; in place, the root's input is its part of it."""

    def scatter(self, work: Workload) -> Call:
        """Each rank's part of the root's input to its output; in place, the root's output is its part of the input."""

    def all_to_all(self, work: Workload) -> Call:
        """Part j of this rank's input to part `rank` of rank j's output; in place, both are one array."""

    def send_recv(self, work: Workload) -> PingPong:
        """The input to ``work.peer``, and its input into the output."""

    def barrier(self, work: Workload) -> Call:
        """Without data. Also used, outside of what is timed, before each block of whatever is."""


def prepare(library: Library, work: Workload) -> Call | PingPong:
    """The library's call of the workload's collective."""
    call: Call | PingPong = getattr(library, work.plan.collective)(work)
    return call


def require_in_place(work: Workload) -> None:
    """Raises NotOffered where the workload is out of place; for a call that has one buffer."""
    if not work.in_place:
        raise NotOffered(f"{work.plan.collective} works in place only")


def require_out_of_place(work: Workload) -> None:
    """Raises NotOffered where the workload is in place; for a call whose buffers must be apart."""
    if work.in_place:
        raise NotOffered(f"{work.plan.collective} needs an output apart from the input")
