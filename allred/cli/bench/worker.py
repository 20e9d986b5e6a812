"""The program of one rank process, ``worker SOCKET JOB``: libraries that live together, at the conductor's command."""

from __future__ import annotations

import faulthandler
import os
import sys
import traceback

from allred.cli.bench.channel import TRACE_SIGNAL, Channel, ChannelClosed, connect
from allred.cli.bench.company import LOCAL, Company, foreign_company, local_company
from allred.cli.bench.plan import Plan
from allred.cli.bench.rank import Rank


def call(path: str, job: str) -> tuple[Channel, Plan]:
    """Connects to the conductor, and learns what is to be done."""
    faulthandler.enable()
    faulthandler.register(TRACE_SIGNAL)
    channel = connect(path)
    channel.send({"job": job})
    return channel, Plan.from_json(channel.receive()["plan"])


def take_part(channel: Channel, plan: Plan, company: Company) -> None:
    """Does what the conductor asks for until it has done with this rank. Raises ChannelClosed if it is gone."""
    titles = [line.title.to_json() for line in company.lines]
    channel.send({"rank": company.rank, "lines": titles, "versions": company.versions})
    Rank(plan, company.rank, company.lines, company.flag).serve(channel)


def main(path: str, job: str) -> None:
    """Runs as a rank process of the job."""
    try:
        channel, plan = call(path, job)
        if job == LOCAL:
            with local_company(plan) as (_, company):
                take_part(channel, plan, company)
        else:
            take_part(channel, plan, foreign_company(plan, job))
    except BaseException as error:
        if not isinstance(error, ChannelClosed):
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # at an orderly exit MPI would wait for ranks that wait for this one


if __name__ == "__main__":
    main(*sys.argv[1:])
