"""The rank that follows the one that measures: ``follower.py PORT``, with plans as lines of its input."""

from __future__ import annotations

import sys

from torch.distributed import PrefixStore, TCPStore

from allred import Communicator, Config, PeerLostError
from allred.bootstrap import StoreBootstrap
from allred.cli.bench import timing
from allred.cli.bench.allred_library import AllredLibrary
from allred.cli.bench.libraries import prepare
from allred.cli.bench.plan import Plan
from allred.cli.bench.workload import Workload

RANK = 1
TIMEOUT = 60.0


def follow(communicator: Communicator, plan: Plan) -> None:
    """Makes the calls the other rank makes, however many these are: it ends them by closing its communicator."""
    (size,) = plan.sizes
    (algorithm,) = plan.algorithms
    (placement,) = plan.placements
    work = Workload(plan, size, RANK, in_place=placement == "in_place")
    call = prepare(AllredLibrary(communicator, algorithm), work)
    work.fill(1)
    timing.run(call, 1)
    work.fill_repeatable(2)
    timing.run(call, sys.maxsize)


def main(port: int) -> None:
    store = TCPStore("127.0.0.1", port, is_master=False)
    for number, line in enumerate(sys.stdin, 1):
        plan = Plan.from_json(line)
        bootstrap = StoreBootstrap(PrefixStore(f"plan {number}", store), RANK, plan.ranks, TIMEOUT)
        try:
            with Communicator(bootstrap, Config(timeout=TIMEOUT)) as communicator:
                follow(communicator, plan)
        except PeerLostError:
            continue


if __name__ == "__main__":
    main(int(sys.argv[1]))
