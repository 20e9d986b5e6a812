"""Carries out programs on one rank: first on Gloo's groups, then on the candidate's, and compares."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch.distributed as dist
from differential import collectives, faulty, kinds, messages, objects
from differential.caller import Caller, Issued
from differential.compare import difference
from differential.generator import FAMILY, groups_of, program
from differential.program import Call, Program, Wait

CALLS: dict[str, Callable[[Caller], Issued]] = {
    kind: getattr(module, kind)
    for module, among in (
        (collectives, (*kinds.REDUCING, *kinds.MOVING, "barrier")),
        (messages, kinds.MESSAGES),
        (objects, kinds.OBJECTS),
    )
    for kind in among
}


@dataclass(frozen=True)
class Options:
    backend: str = "allred"  # the candidate
    kinds: Sequence[str] = tuple(kinds.ALL)
    fault: str = ""  # the name of one that the candidate is to have
    timeout: float = 20.0  # seconds, of each call; a rank that makes no headway for three times as long hangs


@dataclass(frozen=True)
class Failure:
    seed: int
    step: int
    rank: int
    what: str


class Side:
    """One of the two backends: a group of it for each of the family's, None where this rank is no member."""

    def __init__(self, backend: str, api: Any, groups: Sequence[tuple[int, ...]], timeout: float) -> None:
        self.name = backend
        self.api = api
        self.groups = [self._group(ranks, timeout) for ranks in groups]

    def _group(self, ranks: tuple[int, ...], timeout: float) -> dist.ProcessGroup | None:
        group = dist.new_group(list(ranks), timeout=timedelta(seconds=timeout), backend=self.name)
        return None if group is dist.GroupMember.NON_GROUP_MEMBER else group

    def close(self) -> None:
        for group in self.groups:
            if group is not None:
                dist.destroy_process_group(group)


class Executor:
    """One rank's part in programs. `enter` is told the seed and the step that come next, for who watches."""

    def __init__(self, rank: int, size: int, options: Options, enter: Callable[[int, int], None]) -> None:
        self._rank = rank
        self._size = size
        self._options = options
        self._tell = enter
        self._step = 0
        self._doing = ""
        self._family = -1
        self._sides: list[Side] = []

    def run(self, seeds: range) -> list[Failure]:
        """Up to the first error: after one the groups are good for nothing."""
        failures: list[Failure] = []
        for seed in seeds:
            try:
                failures += self._run_one(seed)
            except Exception:
                what = f"{self._doing} raised:\n{traceback.format_exc(limit=-4, chain=False)}"
                return [*failures, Failure(seed, self._step, self._rank, what)]
        return failures

    def _run_one(self, seed: int) -> list[Failure]:
        self._doing = "making groups"
        self._enter(seed, 0)
        self._have_groups(seed)
        each = program(seed, self._size, self._options.kinds)
        runs = [Run(each, side, self._rank) for side in self._sides]
        for run in runs:
            self._doing = run.side.name
            run.carry_out(self._enter)
        self._doing = "comparing"
        return self._differences(each, *runs)

    def _enter(self, seed: int, step: int) -> None:
        self._step = step
        self._tell(seed, step)

    def _have_groups(self, seed: int) -> None:
        family = seed // FAMILY
        if family == self._family:
            return
        dist.barrier()  # nobody destroys a group that another rank still uses
        for side in self._sides:
            side.close()
        groups = groups_of(family, self._size)
        timeout = self._options.timeout
        self._sides = [
            Side("gloo", dist, groups, timeout),
            Side(self._options.backend, faulty.api(self._options.fault), groups, timeout),
        ]
        self._family = family

    def _differences(self, each: Program, reference: Run, candidate: Run) -> list[Failure]:
        failures = []
        for step, expected in reference.results.items():
            call = each.steps[step]
            assert isinstance(call, Call)
            ranks = each.groups[call.group]
            key = (each.seed, step, ranks.index(self._rank), 0)
            if said := difference(call, key, len(ranks), expected, candidate.results[step]):
                failures.append(Failure(each.seed, step, self._rank, said))
        return failures


class Run:
    """One program on one side."""

    def __init__(self, program: Program, side: Side, rank: int) -> None:
        self.program = program
        self.side = side
        self.results: dict[int, list[Any]] = {}
        self._rank = rank
        self._under_way: dict[int, Issued] = {}

    def carry_out(self, enter: Callable[[int, int], None]) -> None:
        for number, step in enumerate(self.program.steps):
            enter(self.program.seed, number)
            if isinstance(step, Wait):
                self._finish(step.step)
            elif self.side.groups[step.group] is not None:
                self._under_way[number] = CALLS[step.kind](self._caller(number, step))
                if not step.asynchronous:
                    self._finish(number)

    def _finish(self, step: int) -> None:
        if step in self._under_way:
            self.results[step] = self._under_way.pop(step).results()

    def _caller(self, step: int, call: Call) -> Caller:
        ranks = self.program.groups[call.group]
        group = self.side.groups[call.group]
        assert group is not None
        rank = ranks.index(self._rank)
        for_gloo = self.side.name == "gloo"
        return Caller(self.side.api, group, ranks, rank, call, self.program.seed, step, for_gloo)
