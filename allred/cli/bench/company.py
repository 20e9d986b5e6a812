"""Who takes part in a job: the libraries that live together in its ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import NamedTuple

import allred
from allred.cli.bench import peers
from allred.cli.bench.allred_library import AllredLibrary
from allred.cli.bench.floors import flag_of
from allred.cli.bench.libraries import Call, Library
from allred.cli.bench.lines import Line, barrier_line, floor_lines, library_lines, measurable_floors
from allred.cli.bench.plan import Plan
from allred.cli.bench.workload import Allocate
from allred.communicator import Communicator
from allred.host import num_cores

LOCAL = "local"  # the job of allred, and of what can live in the same processes


class Member(NamedTuple):
    """A library that takes part, and what allocates its buffers where these are symmetric memory."""

    library: Library
    symmetric: Allocate | None = None


@dataclass(frozen=True)
class Company:
    """What takes turns in one rank of a job.

    Attributes:
        rank: of this process.
        lines: what is to be measured, in the order of the turns.
        versions: of the libraries that tell one.
        flag: a flag's way to another rank and back, which tells whether their cores share a cache just now; None where
            it would tell something else, as ranks share cores or there is none to send it to.
    """

    rank: int
    lines: Sequence[Line]
    versions: dict[str, str]
    flag: Call | None = None

    @classmethod
    def of(
        cls,
        plan: Plan,
        rank: int,
        members: Sequence[Member],
        others: Sequence[Line] = (),
        flag: Call | None = None,
    ) -> Company:
        """Of some libraries, and lines that are not a library's."""
        lines = [line for member in members for line in library_lines(plan, *member)]
        versions = {library.name: library.version for library, _ in members if library.version}
        return cls(rank, [*lines, *others], versions, flag)


@contextmanager
def local_company(plan: Plan) -> Iterator[tuple[Communicator, Company]]:
    """Allred, and what can live in the same processes; the launcher of this one says which rank it is. Collective.

    torch comes first: its default group keeps the store alive through which allred's ranks may have to meet.
    """
    torch_members = _torch_members(plan)
    with allred.init(timeout=plan.timeout) as communicator:
        members = [*_allred_members(plan, communicator), *torch_members]
        if "openmpi" in plan.peers:
            members.append(Member(peers.library("openmpi")))
        floors = measurable_floors(communicator)
        others = [*floor_lines(communicator, floors), barrier_line(communicator)]
        flag = flag_of(floors) if plan.ranks <= num_cores() else None
        yield communicator, Company.of(plan, communicator.rank, members, others, flag)
        communicator.barrier()
    if torch_members:
        import torch.distributed as dist

        dist.destroy_process_group()


def foreign_company(plan: Plan, peer: str) -> Company:
    """A peer that has processes of its own. Collective over these."""
    rank, size = peers.rank_and_size(peer)
    if size != plan.ranks:
        raise RuntimeError(f"{peer} was started with {plan.ranks} ranks, and counts {size}")
    return Company.of(plan, rank, [Member(peers.library(peer))])


def _allred_members(plan: Plan, communicator: Communicator) -> Iterator[Member]:
    if "private" in plan.memories:
        for algorithm in plan.algorithms:
            yield Member(AllredLibrary(communicator, algorithm))
    if "symmetric" in plan.memories:
        library = AllredLibrary(communicator, symmetric=True)
        yield Member(library, library.allocate_symmetric)


def _torch_members(plan: Plan) -> list[Member]:
    """Allred's torch backend, where it is built for the torch that is installed, and Gloo where it was asked for."""
    if find_spec("torch") is None:
        return []
    from allred.cli.bench import torch_library

    backends = ["allred"] if torch_library.has_allred() else []
    if "gloo" in plan.peers:
        backends.append("gloo")
    if not backends:
        return []
    groups = torch_library.make_groups(backends, plan.timeout)
    members = []
    if "allred" in groups and "private" in plan.memories:
        members.append(Member(torch_library.TorchLibrary("allred torch", groups["allred"])))
    if "allred" in groups and "symmetric" in plan.memories:
        symmetric = torch_library.TorchLibrary("allred torch symmetric", groups["allred"])
        members.append(Member(symmetric, symmetric.allocate_symmetric))
    if "gloo" in groups:
        members.append(Member(torch_library.TorchLibrary("gloo", groups["gloo"])))
    return members
