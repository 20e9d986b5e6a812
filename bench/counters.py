r"""What a call costs where ranks share cores: time, processor time and switches, of allred and Open MPI in turns.

    mpirun -n 4 --map-by :OVERSUBSCRIBE --bind-to core:overload-allowed python bench/counters.py \
        COLLECTIVE[,COLLECTIVE...] SIZES [--json FILE]

Counted by ``getrusage``, around blocks of back-to-back calls on the workloads of ``allred bench``. The cores are busy
for ``busy`` of the time: ranks that yield to each other count as busy, ranks that sleep do not. Beside it the time in
which one rank alone copies a message of that size, so that a time can be read as a number of copies.
"""

from __future__ import annotations

import argparse
import json
import resource
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import allred
from allred import _floors
from allred.bootstrap import mpi_world
from allred.cli.bench import timing
from allred.cli.bench.allred_library import AllredLibrary
from allred.cli.bench.libraries import Call, Library, NotOffered, PingPong, prepare
from allred.cli.bench.mpi_library import MpiLibrary
from allred.cli.bench.plan import COLLECTIVES, Plan, placements_of
from allred.cli.bench.workload import Buffers, Workload
from allred.cli.machine import describe, describe_allred
from allred.cli.sizes import format_size, parse_sizes

BLOCKS = 7
SECONDS = 0.1  # a block


@dataclass(frozen=True)
class Block:
    """A call's share of a block, on one rank or, of the slowest rank's time and the mean of the rest, on all."""

    time_us: float
    user_us: float
    system_us: float
    switches: float


def count(call: Call | PingPong, calls: int, barrier: Call) -> Block:
    """Blocks. Collective."""
    barrier()
    before = resource.getrusage(resource.RUSAGE_SELF)
    seconds = timing.run(call, calls)
    after = resource.getrusage(resource.RUSAGE_SELF)
    hops = 2 * calls if isinstance(call, PingPong) else calls
    return Block(
        time_us=seconds / calls * 1e6,
        user_us=(after.ru_utime - before.ru_utime) / hops * 1e6,
        system_us=(after.ru_stime - before.ru_stime) / hops * 1e6,
        switches=(after.ru_nvcsw + after.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw) / hops,
    )


def of_all(block: Block, world: object) -> Block:
    """What all ranks counted. Collective."""
    blocks = world.allgather(block)  # type: ignore[attr-defined]
    mean = {name: sum(getattr(each, name) for each in blocks) / len(blocks) for name in asdict(block)}
    return Block(**{**mean, "time_us": max(each.time_us for each in blocks)})


def calls_in(seconds: float, call: Call | PingPong, barrier: Call, world: object) -> int:
    """How many take about so long; the same on all ranks. Collective."""
    timing.run_together(call, 10, barrier)
    taken = timing.run_together(call, 10, barrier) / 10
    return max(5, round(seconds / world.bcast(taken, 0)))  # type: ignore[attr-defined]


def measure(libraries: list[Library], work: Workload, cores: int, world: object) -> list[dict[str, object]]:
    """One record a library that offers the call; the ranks run on so many cores. Collective."""
    barrier = libraries[0].barrier(work)
    calls: dict[str, Call | PingPong] = {}
    for library in libraries:
        try:
            calls[library.name] = prepare(library, work)
        except NotOffered:
            continue
    numbers = {name: calls_in(SECONDS, call, barrier, world) for name, call in calls.items()}
    blocks: dict[str, list[Block]] = {name: [] for name in calls}
    for _ in range(BLOCKS):
        for name, call in calls.items():
            blocks[name].append(of_all(count(call, numbers[name], barrier), world))
    records = []
    for name, found in blocks.items():
        medians = {key: median(getattr(block, key) for block in found) for key in asdict(found[0])}
        processor = medians["user_us"] + medians["system_us"]
        medians["busy"] = processor * work.plan.ranks / (cores * medians["time_us"])
        records.append({"library": name, **{key: round(value, 3) for key, value in medians.items()}})
    return records


def copy_alone_us(work: Workload, world: object) -> float:
    """Of a message by rank 0, while the others wait for it. Collective."""
    taken = 0.0
    if work.rank == 0 and work.output.size and not work.in_place:
        size = min(work.input.size, work.output.size)
        call = _floors.copy(work.output[:size], work.input[:size])
        timing.run(call, 5)
        taken = median(timing.run(call, 20) / 20 for _ in range(9)) * 1e6
        taken *= work.plan.bytes(work.bytes) / (size * work.element.storage.itemsize)
    return float(world.bcast(taken, 0))  # type: ignore[attr-defined]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collectives", help=f"of {', '.join(COLLECTIVES)}")
    parser.add_argument("sizes", type=parse_sizes)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    world = mpi_world()
    communicator = allred.init()
    libraries: list[Library] = [AllredLibrary(communicator), MpiLibrary("openmpi")]
    found: list[dict[str, object]] = []
    for collective in options.collectives.split(","):
        plan = Plan(collective=collective, ranks=communicator.size, sizes=options.sizes)
        for size in plan.sizes:
            for placement in placements_of(collective):
                in_place = placement == "in_place"
                work = Workload(plan, size, communicator.rank, in_place=in_place, buffers=Buffers())
                work.fill_repeatable(seed=1)
                copy = round(copy_alone_us(work, world), 3)
                for record in measure(libraries, work, communicator.num_cores, world):
                    line = {"collective": collective, "size": size, "placement": placement, "copy_us": copy, **record}
                    found.append(line)
                    if communicator.rank == 0:
                        print(
                            f"{collective} {format_size(size)} {placement}:",
                            json.dumps(record),
                            f"copy {copy}",
                            flush=True,
                        )
    if communicator.rank == 0 and options.json:
        document = {"ranks": communicator.size, "machine": describe(), "allred": describe_allred(), "results": found}
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
