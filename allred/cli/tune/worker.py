"""One rank of a run of the tuner; also the program that ``allred tune`` starts: ``worker PLAN FOLDER``."""

from __future__ import annotations

import sys

import allred
from allred.cli import events, rank_process
from allred.cli.tune.measure import communicators, measure
from allred.cli.tune.plan import Plan


def run(plan: Plan, emit: events.Emit) -> None:
    """Takes part in the run; the launcher of this process says as which rank. Collective, and blocks.

    Args:
        plan: the same on all ranks.
        emit: told ``{"event": "begun" | "size", ...}``; should ignore them on all ranks but one.
    """
    with allred.init(timeout=plan.timeout, tuning="off") as first, communicators(first, plan) as tuned:
        emit({"event": "begun", "cores": first.num_cores})
        for size in plan.sizes:
            emit({"event": "size", "size": size, "seconds": measure(first, tuned, size, plan)})


def main(plan: str, folder: str) -> None:
    """Runs as a rank process of :func:`allred.cli.launch.run_ranks`."""
    rank_process.run(folder, lambda _, emit: run(Plan.from_json(plan), emit))


if __name__ == "__main__":
    main(*sys.argv[1:])
