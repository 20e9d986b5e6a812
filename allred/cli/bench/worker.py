"""One rank of a benchmark run; also the program that ``allred bench`` starts: ``worker PLAN FOLDER``."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import allred
from allred import launcher
from allred.cli import events
from allred.cli.bench.libraries import AllredLibrary, Library
from allred.cli.bench.plan import Plan
from allred.cli.bench.timing import Stopwatch, measure
from allred.cli.bench.workload import Workload
from allred.communicator import Communicator


def run(plan: Plan, emit: events.Emit) -> None:
    """Takes part in the run; the launcher of this process says as which rank. Collective, and blocks.

    Args:
        plan: the same on all ranks.
        emit: told ``{"event": "begun" | "alive" | "note" | "size", ...}``; should ignore them on all ranks but one.
    """
    with _libraries(plan) as (communicator, libraries):
        emit({"event": "begun", "libraries": [library.name for library in libraries], "versions": _versions(libraries)})
        watch = Stopwatch(communicator)
        measured: set[int] = set()
        for size in plan.sizes:
            work = Workload(plan, size, communicator.rank)
            if work.bytes in measured:  # small sizes may come to the same number of elements
                continue
            measured.add(work.bytes)
            record = measure(plan, libraries, work, watch, lambda library, reason: emit(_note(library, reason)))
            emit({"event": "size", "record": record, "progress": (plan.sizes.index(size) + 1) / len(plan.sizes)})


def _note(library: str, reason: str) -> events.Event:
    return {"event": "note" if reason else "alive", "library": library, "reason": reason}


def _versions(libraries: list[Library]) -> dict[str, str]:
    return {library.name: library.version for library in libraries if hasattr(library, "version")}


@contextmanager
def _libraries(plan: Plan) -> Iterator[tuple[Communicator, list[Library]]]:
    """Every library that takes part. Collective.

    torch comes first: its default group keeps the store alive through which allred's ranks may have to meet.
    """
    torch_libraries = _torch_libraries(plan)
    with allred.init(timeout=plan.timeout) as communicator:
        libraries: list[Library] = [AllredLibrary(communicator, algorithm) for algorithm in plan.algorithms]
        libraries += torch_libraries
        if "openmpi" in plan.peers:
            from allred.cli.bench.mpi_library import MpiLibrary

            libraries.append(MpiLibrary())
        yield communicator, libraries
        communicator.barrier()
    if torch_libraries:
        import torch.distributed as dist

        dist.destroy_process_group()


def _torch_libraries(plan: Plan) -> list[Library]:
    """Allred's torch backend, where it is built for the torch that is installed, and Gloo where it was asked for."""
    if find_spec("torch") is None:
        return []
    from allred.cli.bench import torch_library

    names = {"allred": "allred torch"} if torch_library.has_allred() else {}
    if "gloo" in plan.peers:
        names["gloo"] = "gloo"
    if not names:
        return []
    groups = torch_library.make_groups(list(names), plan.timeout)
    return [torch_library.TorchLibrary(names[backend], group) for backend, group in groups.items()]


def main(plan: str, folder: str) -> None:
    """Runs as a rank process of :func:`allred.cli.launch.run_ranks`."""
    rank = launcher.detect().rank
    try:
        events.announce(Path(folder), rank)
        run(Plan.from_json(plan), events.writer(Path(folder)) if rank == 0 else events.ignore)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # at an orderly exit MPI would wait for ranks that wait for this one


if __name__ == "__main__":
    main(*sys.argv[1:])
