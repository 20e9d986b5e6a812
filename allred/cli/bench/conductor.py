"""Decides what is measured when: has the lines of all jobs take turns at each size, while all others sleep."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import count

from allred.cli.bench.channel import ChannelClosed, Listener, RankChannel, heard
from allred.cli.bench.job import Job
from allred.cli.bench.plan import Plan
from allred.cli.bench.results import Record, derive, size_record
from allred.cli.bench.turn import Turn, barrier_us
from allred.cli.sizes import format_size

POLL_SECONDS = 0.1

Advance = Callable[[str, float], None]  # what is done now, and the fraction that is done already


def assemble(plan: Plan, listener: Listener, jobs: Sequence[Job]) -> None:
    """Waits until all ranks of all jobs have called and are ready. Raises CommandFailed if one does not come."""
    deadline = time.monotonic() + plan.timeout
    while late := [job for job in jobs if not job.is_ready]:
        sources: list[RankChannel | Listener] = [listener, *(channel for job in jobs for channel in job.starting)]
        spoken = heard(sources, POLL_SECONDS)
        if spoken:
            deadline = time.monotonic() + plan.timeout
        elif time.monotonic() > deadline:
            raise late[0].silence("not all ranks were ready")
        for job in late:
            for channel in [channel for channel in job.starting if channel in spoken]:
                job.enlist(channel)
            job.check_started()
        if listener in spoken:
            _welcome(plan, listener, jobs)


def _welcome(plan: Plan, listener: Listener, jobs: Sequence[Job]) -> None:
    channel = listener.accept()
    try:
        name = channel.receive()["job"]
        channel.send({"plan": plan.to_json()})
    except ChannelClosed:  # the rank has ended, and its job knows better how
        channel.close()
        return
    {job.name: job for job in jobs}[name].starting.append(channel)


class Conductor:
    """Measures a plan's sizes on jobs that are ready. Not thread-safe.

    Attributes:
        left_out: for each library, the reasons at the sizes at which it took no part.
    """

    def __init__(self, plan: Plan, jobs: Sequence[Job], advance: Advance) -> None:
        self.left_out: dict[str, list[str]] = {}
        self._plan = plan
        self._jobs = jobs
        self._advance = advance
        self._seeds = count(1)
        lines = [(job, line, title) for job in jobs for line, title in enumerate(job.lines)]
        self._lines = [each for each in lines if each[2].kind != "barrier"]
        (self._barrier,) = [each for each in lines if each[2].kind == "barrier"]

    def run(self) -> list[Record]:
        """One record a size. Blocks, and raises CommandFailed as Job.ask does."""
        # Small sizes may come to the same number of elements.
        sizes = list({self._plan.bytes(size): size for size in self._plan.sizes}.values())
        return [self._measure(size, idx / len(sizes), 1 / len(sizes)) for idx, size in enumerate(sizes)]

    def _measure(self, size: int, begun: float, share: float) -> Record:
        """All lines at one size, which is so large a share of the run."""
        plan = self._plan
        for job in self._jobs:
            job.ask("begin_size", size=size)
        before = barrier_us(Turn(*self._barrier))
        turns = self._begin(f"{plan.collective} {format_size(size)}", begun)
        for block in range(plan.blocks):
            for turn in turns:
                text = f"{plan.collective} {format_size(size)}: {turn.title.name}"
                self._advance(text, begun + share * (block + 1) / (plan.blocks + 1))
                turn.block((next(self._seeds), next(self._seeds)))
        after = barrier_us(Turn(*self._barrier))
        record = size_record(plan.bytes(size), plan.count(size), (before, after))
        record["libraries"] = [turn.library_record() for turn in turns if turn.title.kind == "library"]
        record["floors"] = [turn.floor_record() for turn in turns if turn.title.kind == "floor"]
        derive(record, plan.collective, plan.ranks, plan.peers)
        return record

    def _begin(self, text: str, begun: float) -> list[Turn]:
        """The lines that can do this, checked and with as many calls a block as they are to have."""
        turns: list[Turn] = []
        refusals: dict[str, str] = {}
        for line in self._lines:
            turn = Turn(*line)
            self._advance(f"{text}: {turn.title.name}", begun)
            if reason := turn.begin(next(self._seeds)):
                if turn.title.kind == "library":  # a floor says nothing of other collectives, as is to be expected
                    refusals[turn.title.name] = reason
                continue
            if self._plan.iterations:
                turn.calls = self._plan.iterations
            else:
                turn.calibrate(self._plan.seconds_per_size / self._plan.blocks)
            turns.append(turn)
        taking_part = {turn.title.name for turn in turns}
        for name, reason in refusals.items():
            if name not in taking_part:
                self.left_out.setdefault(name, []).append(reason)
        return turns
