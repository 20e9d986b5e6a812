"""A run of the benchmark whose local job is threads of the test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any

from allred import Communicator, run_threads
from allred.cli.bench.channel import ChannelClosed
from allred.cli.bench.company import LOCAL, Company, Member
from allred.cli.bench.lines import Line, barrier_line
from allred.cli.bench.plan import Plan
from allred.cli.bench.session import Outcome, conduct, foreign_starts, listening
from allred.cli.bench.worker import call, take_part

Members = Callable[[Communicator], Sequence[Member]]


def run(plan: Plan, members: Members, lines: Sequence[Line] = (), foreign: Sequence[Any] = ()) -> Outcome:
    """What the conductor finds.

    Args:
        plan: the run.
        members: called on each rank of the local job, for its libraries.
        lines: what else is in the local job.
        foreign: peers with jobs of their own.
    """
    with listening() as listener, ThreadPoolExecutor(1) as executor:

        def be_rank(communicator: Communicator) -> None:
            channel, told = call(listener.path, LOCAL)
            with closing(channel), suppress(ChannelClosed):  # of which the conductor knows why
                others = [*lines, barrier_line(communicator)]
                take_part(channel, told, Company.of(told, communicator.rank, members(communicator), others))

        starts = {LOCAL: None, **foreign_starts(plan, foreign, listener)}
        outcome = executor.submit(conduct, plan, listener, starts)
        run_threads(be_rank, plan.ranks)
        return outcome.result()
