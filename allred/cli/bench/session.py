"""A run from its start to its figures, with ranks of its own or as part of a job that a launcher started."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from allred.cli.bench.channel import ChannelClosed, Listener
from allred.cli.bench.company import LOCAL, Company, local_company
from allred.cli.bench.conductor import Conductor, assemble
from allred.cli.bench.job import Job
from allred.cli.bench.lines import share
from allred.cli.bench.peers import ForeignPeer
from allred.cli.bench.plan import Plan
from allred.cli.bench.results import Record
from allred.cli.bench.worker import call, take_part
from allred.cli.errors import CommandFailed
from allred.cli.launch import Processes
from allred.cli.progress import ProgressBar

# How the processes of a job are started; None for those that a launcher started, of which this process is one.
Start = Callable[[Processes], None] | None


@dataclass(frozen=True)
class Outcome:
    """What a run found.

    Attributes:
        records: one a size.
        versions: of the libraries.
        left_out: for each library that took no part at some sizes, the reasons.
        remarks: what else its user should know.
    """

    records: list[Record]
    versions: dict[str, str]
    left_out: Mapping[str, Sequence[str]]
    remarks: list[str]


def run_alone(plan: Plan, foreign: Sequence[ForeignPeer], *, mpi: bool) -> Outcome:
    """Starts all ranks, under Open MPI if `mpi`, and leaves none behind. Raises CommandFailed if one fails or hangs."""
    with listening() as listener:
        words = ["-m", "allred.cli.bench.worker", listener.path, LOCAL]
        start = partial(Processes.start_ranks, words=words, ranks=plan.ranks, mpi=mpi)
        return conduct(plan, listener, {LOCAL: start, **foreign_starts(plan, foreign, listener)})


def join(plan: Plan, foreign: Sequence[ForeignPeer]) -> Outcome | None:
    """Takes part as a rank of the job that this process belongs to. Collective; the outcome is rank 0's.

    Should a rank fail or hang, ends the process, and so has the launcher end the job.
    """
    with local_company(plan) as (communicator, company):
        if communicator.rank != 0:
            _take_part(share(communicator, None).decode(), company)
            return None
        with listening() as listener, ThreadPoolExecutor(1) as executor:
            share(communicator, listener.path.encode())
            outcome = executor.submit(_conduct_or_exit, plan, listener, foreign)
            _take_part(listener.path, company)
            return outcome.result()


def _take_part(path: str, company: Company) -> None:
    """As a rank that the conductor, which may be a thread of this process, sees end if it fails."""
    channel, plan = call(path, LOCAL)
    try:
        take_part(channel, plan, company)
    except BaseException as error:
        if not isinstance(error, ChannelClosed):
            traceback.print_exc()
        channel.close()
        if company.rank != 0:
            os._exit(1)  # at an orderly exit it would wait for ranks that wait for this one


def _conduct_or_exit(plan: Plan, listener: Listener, foreign: Sequence[ForeignPeer]) -> Outcome:
    try:
        return conduct(plan, listener, {LOCAL: None, **foreign_starts(plan, foreign, listener)})
    except CommandFailed as error:
        print(f"allred bench: {error}", file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)  # the thread that is a rank may wait for ever for others


def conduct(plan: Plan, listener: Listener, starts: Mapping[str, Start]) -> Outcome:
    """The whole of a run, but for the part of a rank."""
    with ExitStack() as owned, ProgressBar() as bar:
        jobs = [_hire(plan, Path(listener.path).parent, name, start, owned) for name, start in starts.items()]
        assemble(plan, listener, jobs)
        conductor = Conductor(plan, jobs, bar.advance)
        records = conductor.run()
        versions = {name: version for job in jobs for name, version in job.versions.items()}
        return Outcome(records, versions, conductor.left_out, [remark for job in jobs if (remark := job.dismiss())])


def _hire(plan: Plan, folder: Path, name: str, start: Start, owned: ExitStack) -> Job:
    """A job whose ranks are on their way; `owned` ends it."""
    processes = None if start is None else Processes(folder / name)
    job = Job(name, plan.ranks, plan.timeout, processes)
    owned.callback(job.end)
    if start is not None and processes is not None:
        start(processes)
    return job


def foreign_starts(plan: Plan, foreign: Sequence[ForeignPeer], listener: Listener) -> dict[str, Start]:
    """How the jobs of peers are started that have processes of their own."""

    def start(peer: ForeignPeer, processes: Processes) -> None:
        processes.add(partial(peer.start, plan.ranks, (listener.path, peer.name)))

    return {peer.name: partial(start, peer) for peer in foreign}


@contextmanager
def listening() -> Iterator[Listener]:
    """In a folder that only this user can enter, in which there is room for the output of jobs, too."""
    with tempfile.TemporaryDirectory(prefix="allred-") as folder:
        path = Path(folder, "conductor")
        try:
            listener = Listener(path)
        except OSError as error:
            raise CommandFailed(f"no unix socket can be made at {path}: {error}; TMPDIR chooses the place") from error
        try:
            yield listener
        finally:
            listener.close()
