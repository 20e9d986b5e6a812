"""A line's part in the measurement of one size."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from allred.cli.bench.channel import Message
from allred.cli.bench.job import Job
from allred.cli.bench.lines import Title
from allred.cli.bench.results import Record, rounded, times_record

MAX_CALLS = 1_000_000
BARRIER_BLOCKS = 5
BARRIER_SECONDS = 2e-3  # of a block


@dataclass
class Turn:
    """Has a job's ranks measure one of its lines, and gathers what they found. Not thread-safe.

    The methods that ask block, and raise CommandFailed as Job.ask does.
    """

    job: Job
    line: int
    title: Title
    calls: int = 1
    wrong: int = 0
    seconds: list[float] = field(default_factory=list)
    flags_us: list[list[float]] = field(default_factory=list)  # a block: a flag's time before and after, if known

    def begin(self, seed: int) -> str:
        """Prepares and checks the line; returns the reason if its library cannot do this at all."""
        refusal = self.offer()
        if refusal:
            return refusal
        answers = self._ask("check", seed=seed)
        self.wrong += sum(answer.get("wrong", 0) for answer in answers)
        return _refusal(answers)

    def offer(self) -> str:
        """Prepares the line; returns the reason if its library does not have it."""
        return _refusal(self._ask("offer"))

    def calibrate(self, seconds: float) -> None:
        """Finds how many calls take about so long, at least 1, by making more and more of them.

        The faster of two tries counts: ranks that share cores may need milliseconds until all are awake.
        """
        calls = 1
        while (taken := min(self.time(calls), self.time(calls))) < seconds / 4 and calls < MAX_CALLS:
            calls = calls * 4 if taken < seconds / 16 else calls * 2
        self.calls = max(1, min(MAX_CALLS, round(calls * seconds / taken)))

    def time(self, calls: int) -> float:
        """Seconds of the slowest rank for so many calls."""
        return _slowest(self._ask("time", calls=calls))

    def block(self, seeds: tuple[int, int]) -> None:
        """One block, timed and checked."""
        answers = self._ask("block", calls=self.calls, seeds=seeds)
        self.seconds.append(_slowest(answers))
        self.flags_us.append([max(times) for times in zip(*(answer["flag_us"] for answer in answers), strict=True)])
        self.wrong += sum(answer["wrong"] for answer in answers)

    def library_record(self) -> Record:
        """What was found of a library."""
        title = {"name": self.title.name, "memory": self.title.memory, "placement": self.title.placement}
        return {**title, **times_record(self.seconds, self.calls), **self._flags(), "wrong": self.wrong}

    def floor_record(self) -> Record:
        """What was found of a floor."""
        times = times_record(self.seconds, self.calls)
        return {
            "name": self.title.name,
            "time_us": times["time_us"],
            "blocks_us": times["blocks_us"],
            **self._flags(),
        }

    def _flags(self) -> Record:
        if not any(self.flags_us):
            return {}
        return {"flags_us": [[rounded(time) for time in times] for times in self.flags_us]}

    def _ask(self, command: str, **arguments: Any) -> list[Message]:
        return self.job.ask(command, line=self.line, **arguments)


def barrier_us(barrier: Turn) -> float:
    """Median time of a barrier."""
    barrier.offer()
    barrier.calibrate(BARRIER_SECONDS)
    return float(np.median([barrier.time(barrier.calls) for _ in range(BARRIER_BLOCKS)])) / barrier.calls * 1e6


def _refusal(answers: list[Message]) -> str:
    return next((answer["refused"] for answer in answers if "refused" in answer), "")


def _slowest(answers: list[Message]) -> float:
    return max(float(answer["seconds"]) for answer in answers)
