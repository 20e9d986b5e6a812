"""The job: all processes that the launcher started. A process is in one, from init to shutdown, as Horovod has it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import allred
from allred import Communicator, Config
from allred.bootstrap import MpiBootstrap
from allred.errors import InvalidArgumentError
from allred.horovod.placement import Placement, placement_of
from allred.horovod.process_sets import ProcessSet, global_process_set


@dataclass
class _Job:
    communicator: Communicator
    placement: Placement
    process_sets: dict[int, ProcessSet] = field(default_factory=dict)
    num_sets: int = 0


_current: _Job | None = None


def init(comm: Any = None, process_sets: Sequence[ProcessSet | Sequence[int]] | None = None) -> None:
    """Joins the job: under mpirun, srun or torchrun, or as a single process. Does nothing if that was done before.

    Blocks until all processes of the job have called it.

    Args:
        comm: an mpi4py communicator whose processes are the job, or a communicator of allred, which then belongs to
            the job; by default all that the launcher started.
        process_sets: those to add, the same on all ranks.

    Raises:
        TimeoutError: not all ranks came.
        UnsupportedError: the ranks are not on one host, or what the launcher needs is not installed.
        InvalidArgumentError: `comm` is a list of ranks, which make no job of their own here.
    """
    global _current
    if _current is not None:
        return
    if isinstance(comm, (list, tuple)) and comm:
        raise InvalidArgumentError(
            f"comm={comm}: expected an mpi4py communicator; for some of the ranks add a ProcessSet"
        )
    communicator = _communicator_of(comm)
    hosts = _host_names(communicator)
    _current = _Job(communicator, placement_of(communicator.rank, hosts))
    _begin(global_process_set, range(communicator.size))
    for process_set in process_sets or ():
        add_process_set(process_set)


def _communicator_of(comm: Any) -> Communicator:
    if isinstance(comm, Communicator):
        return comm
    return Communicator(MpiBootstrap(comm), Config.from_environment()) if comm else allred.init()


def _host_names(communicator: Communicator) -> list[str]:
    import numpy as np

    own = np.zeros(256, np.uint8)  # POSIX allows a host name no more
    name = socket.gethostname().encode()[: own.size]
    own[: len(name)] = np.frombuffer(name, np.uint8)
    return [row.tobytes().rstrip(b"\0").decode() for row in communicator.all_gather(own)]


def shutdown() -> None:
    """Leaves the job; afterwards :func:`init` may be called again. Peers that still wait for this rank get an error."""
    global _current
    if _current is None:
        return
    for process_set in _current.process_sets.values():
        process_set.end()
    global_process_set.ranks = []
    _current = None


def is_initialized() -> bool:
    """Whether :func:`init` has been called, and :func:`shutdown` has not since."""
    return _current is not None


def job() -> _Job:
    """The job that this process is in.

    Raises:
        ValueError: there is none.
    """
    if _current is None:
        raise ValueError("allred.horovod is not initialised: call hvd.init() first")
    return _current


def rank() -> int:
    """This process's number in the job, from 0."""
    return job().communicator.rank


def size() -> int:
    """How many processes the job has."""
    return job().communicator.size


def local_rank() -> int:
    """This process's number among those of its host."""
    return job().placement.local_rank


def local_size() -> int:
    """How many processes of the job are on this host."""
    return job().placement.local_size


def cross_rank() -> int:
    """The number of this host among those that have a process with this local rank."""
    return job().placement.cross_rank


def cross_size() -> int:
    """How many hosts have a process with this local rank."""
    return job().placement.cross_size


def is_homogeneous() -> bool:
    """Whether all hosts have as many processes."""
    return job().placement.is_homogeneous


def add_process_set(process_set: ProcessSet | Sequence[int]) -> ProcessSet:
    """Makes a process set of use, and returns it. Collective over the job, with the same ranks on all of them.

    Raises:
        InvalidArgumentError: it is empty, names a rank twice or one that the job does not have, or is in use.
    """
    added = process_set if isinstance(process_set, ProcessSet) else ProcessSet(process_set)
    ranks = added.ranks or []
    if added.process_set_id is not None:
        raise InvalidArgumentError(f"process_set={added}: it has been added already")
    if not ranks or len(set(ranks)) < len(ranks) or not set(ranks) <= set(range(size())):
        raise InvalidArgumentError(f"process_set={ranks}: expected different ranks from 0 to {size() - 1}")
    _begin(added, ranks)
    return added


def remove_process_set(process_set: ProcessSet) -> bool:
    """Ends the use of a process set. Returns whether it was one that can be removed: not that of the whole job."""
    number = process_set.process_set_id
    if number is None or job().process_sets.get(number) is not process_set or process_set is global_process_set:
        return False
    process_set.end()
    del job().process_sets[number]
    return True


def process_set_included(process_set_id: int = 0) -> bool:
    """Whether this rank is in the process set of that number.

    Raises:
        InvalidArgumentError: there is none of that number.
    """
    if process_set_id not in job().process_sets:
        known = ", ".join(map(str, job().process_sets))
        raise InvalidArgumentError(f"process_set_id={process_set_id}: expected one of {known}")
    return job().process_sets[process_set_id].included()


def _begin(process_set: ProcessSet, ranks: Sequence[int]) -> None:
    current = job()
    process_set.begin(current.num_sets, current.communicator, ranks)
    current.process_sets[current.num_sets] = process_set
    current.num_sets += 1
