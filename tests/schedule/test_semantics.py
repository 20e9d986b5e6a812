"""Runs the schedules of all ranks on numbers, in an order drawn by chance, and compares with numpy.

This interpreter shares nothing with the library's verify, so that the one guards the other.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque

import numpy as np
import numpy.typing as npt
import pytest

from allred import _core

Array = npt.NDArray[np.float64]
ROOTED = ("broadcast", "reduce", "gather", "scatter")
SIZES = (1, 2, 3, 4, 5, 8, 13)


def prerequisites(steps: list[_core.Step], idx: int) -> set[int]:
    """The steps this one waits for: those in its `after`, and those before it on its link, which keeps its order."""
    step = steps[idx]
    same_link = [
        earlier
        for earlier, other in enumerate(steps[:idx])
        if "copy" not in (step.kind, other.kind)
        and (other.peer, other.kind == "send") == (step.peer, step.kind == "send")
    ]
    return {*step.after, *same_link}


class Interpreter:
    """All ranks of one collective. Steps that have nothing to wait for are done in random order."""

    def __init__(self, schedules: list[_core.Schedule], buffers: list[dict[str, Array]], seed: int) -> None:
        self.steps = [schedule.steps for schedule in schedules]
        self.buffers = buffers
        self.links: dict[tuple[int, int], deque[Array]] = defaultdict(deque)
        self.prerequisites = [[prerequisites(steps, idx) for idx in range(len(steps))] for steps in self.steps]
        self.waiting = [set(range(len(steps))) for steps in self.steps]
        self.finished: list[set[int]] = [set() for _ in schedules]
        self.random = random.Random(seed)

    def view(self, rank: int, piece: _core.Range) -> Array:
        whole = self.buffers[rank][piece.buffer]
        assert piece.offset + piece.count <= whole.size
        return whole[piece.offset : piece.offset + piece.count]

    def is_ready(self, rank: int, idx: int) -> bool:
        step = self.steps[rank][idx]
        if not self.prerequisites[rank][idx] <= self.finished[rank]:
            return False
        return step.kind in ("send", "copy") or bool(self.links[step.peer, rank])

    def execute(self, rank: int, idx: int) -> None:
        step = self.steps[rank][idx]
        target = self.view(rank, step.range)
        if step.kind == "send":
            self.links[rank, step.peer].append(target.copy())
        elif step.kind == "recv":
            target[:] = self.links[step.peer, rank].popleft()
        elif step.kind == "recv_reduce":
            target[:] = target + self.links[step.peer, rank].popleft()
        else:
            target[:] = self.view(rank, step.source)
        self.finished[rank].add(idx)

    def do_one(self) -> bool:
        for rank in self.random.sample(range(len(self.steps)), len(self.steps)):
            ready = [idx for idx in sorted(self.waiting[rank]) if self.is_ready(rank, idx)]
            if ready:
                idx = self.random.choice(ready)
                self.execute(rank, idx)
                self.waiting[rank].remove(idx)
                return True
        return False

    def run(self) -> None:
        while any(self.waiting):
            assert self.do_one(), f"nothing can go on; left are {self.waiting}"
        assert not any(self.links.values()), "messages are left on the links"


def buffer_counts(collective: str, rank: int, size: int, count: int, root: int) -> tuple[int, int]:
    has_input = collective not in ("broadcast", "scatter") or rank == root
    has_output = collective not in ("reduce", "gather") or rank == root
    input_blocks = size if collective in ("reduce_scatter", "scatter", "all_to_all") else 1
    output_blocks = size if collective in ("all_gather", "gather", "all_to_all") else 1
    return count * input_blocks * has_input, count * output_blocks * has_output


def make_buffers(schedule: _core.Schedule, input_count: int, output_count: int, seed: int) -> dict[str, Array]:
    generator = np.random.default_rng([seed, schedule.rank])
    return {
        "input": generator.standard_normal(input_count),
        "output": np.full(output_count, np.nan),  # so that whatever is read before it is written shows
        "scratch": np.full(schedule.scratch_count, np.nan),
    }


def place_in_place(collective: str, rank: int, count: int, buffers: dict[str, Array]) -> None:
    """Lets input and output share memory, as callers of in-place collectives do."""
    own_block = slice(rank * count, (rank + 1) * count)
    if not buffers["input"].size or not buffers["output"].size:
        return
    if collective in ("reduce_scatter", "scatter"):
        buffers["output"] = buffers["input"][own_block]
    elif collective in ("all_gather", "gather"):
        buffers["output"][own_block] = buffers["input"]
        buffers["input"] = buffers["output"][own_block]
    else:
        buffers["output"] = buffers["input"]


def expected_output(collective: str, rank: int, inputs: list[Array], count: int, root: int) -> Array:
    own_block = slice(rank * count, (rank + 1) * count)
    if collective in ("reduce", "gather") and rank != root:
        return np.empty(0)
    if collective in ("broadcast", "scatter"):
        return inputs[root] if collective == "broadcast" else inputs[root][own_block]
    if collective in ("all_gather", "gather"):
        return np.concatenate(inputs)
    if collective == "all_to_all":
        return np.concatenate([each[own_block] for each in inputs])
    total = np.sum(inputs, axis=0)
    return total[own_block] if collective == "reduce_scatter" else total


def check(collective: str, algorithm: str, size: int, count: int, root: int, in_place: bool) -> None:
    schedules = [_core.make_schedule(collective, algorithm, rank, size, count, root) for rank in range(size)]
    buffers = []
    for rank, schedule in enumerate(schedules):
        buffers.append(make_buffers(schedule, *buffer_counts(collective, rank, size, count, root), seed=count))
    inputs = [each["input"].copy() for each in buffers]
    if in_place:
        for rank in range(size):
            place_in_place(collective, rank, count, buffers[rank])

    Interpreter(schedules, buffers, seed=size * 1000 + root).run()

    for rank, each in enumerate(buffers):
        np.testing.assert_allclose(each["output"], expected_output(collective, rank, inputs, count, root), atol=1e-12)
        if not in_place:
            np.testing.assert_array_equal(each["input"], inputs[rank])
        if collective == "all_reduce":
            assert each["output"].tobytes() == buffers[0]["output"].tobytes()


PLACES = [
    pytest.param(collective, algorithm, in_place, id=f"{collective}-{algorithm}-{'in' if in_place else 'out_of'}_place")
    for collective, algorithm in _core.schedule_algorithms()
    for in_place in ((False,) if collective in ("barrier", "all_to_all") else (False, True))
]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("collective", "algorithm", "in_place"), PLACES)
def test_results_are_those_of_numpy(collective: str, algorithm: str, in_place: bool, size: int) -> None:
    if collective == "barrier":
        check(collective, algorithm, size, count=0, root=0, in_place=False)
        return
    for count in sorted({0, 1, size - 1, size, size + 1, 101}):
        for root in {0, size // 2, size - 1} if collective in ROOTED else {0}:
            check(collective, algorithm, size, count, root, in_place)
