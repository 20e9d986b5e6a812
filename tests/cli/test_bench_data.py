"""What the benchmark puts into buffers, and how it tells what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from allred.cli.bench.elements import DTYPES, PERIOD, ElementType, count_wrong, reduction, write
from allred.cli.bench.plan import COLLECTIVES, Plan, placements_of
from allred.cli.bench.workload import Workload

RANKS = 4
ROOT = 2
CASES = [(collective, placement) for collective in COLLECTIVES for placement in placements_of(collective)]
_REDUCE = {"sum": np.sum, "min": np.min, "avg": np.mean}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", ["sum", "product", "min", "max"])
def test_data_are_exact_in_every_type(dtype: str, op: str) -> None:
    values = reduction(seed=1, op=op, ranks=4)
    element = ElementType(dtype)
    encoded = element.encode(values)
    decoded = (encoded.astype(np.uint32) << 16).view(np.float32) if dtype == "bfloat16" else encoded
    assert np.array_equal(decoded.astype(np.int64), values)


@pytest.mark.parametrize("count", [0, 1, PERIOD - 1, PERIOD, 2 * PERIOD + 5])
@pytest.mark.parametrize("offset", [0, 3, PERIOD, PERIOD + 1])
def test_each_wrong_element_is_counted(count: int, offset: int) -> None:
    period = np.arange(PERIOD)
    array = np.zeros(count, np.int64)
    write(array, period, offset)
    assert np.array_equal(array, (np.arange(count) + offset) % PERIOD)
    array[count // 2 :] += 1
    assert count_wrong(array, period, offset) == count - count // 2


def result_of(plan: Plan, inputs: list[np.ndarray], work: Workload) -> np.ndarray:
    """What the collective's definition says of a rank's output."""
    block = slice(work.rank * work.count, (work.rank + 1) * work.count)
    reduced = _REDUCE[plan.op](np.stack(inputs), axis=0) if plan.reduces else None
    results: dict[str, Callable[[], np.ndarray]] = {
        "all_reduce": lambda: reduced,
        "reduce": lambda: reduced,
        "reduce_scatter": lambda: reduced[block],
        "broadcast": lambda: inputs[plan.root],
        "scatter": lambda: inputs[plan.root][block],
        "all_gather": lambda: np.concatenate(inputs),
        "gather": lambda: np.concatenate(inputs),
        "all_to_all": lambda: np.concatenate([each[block] for each in inputs]),
        "send_recv": lambda: inputs[work.rank + 1 if work.rank % 2 == 0 else work.rank - 1],
        "barrier": lambda: work.output,
    }
    return results[plan.collective]()


def carry_out(plan: Plan, works: list[Workload]) -> None:
    inputs = [work.input.copy() for work in works]
    for work in works:
        if plan.collective not in ("reduce", "gather") or work.rank == plan.root:
            work.output[:] = result_of(plan, inputs, work)


def works_of(plan: Plan, placement: str) -> list[Workload]:
    return [Workload(plan, plan.sizes[0], rank, in_place=placement == "in_place") for rank in range(plan.ranks)]


@pytest.mark.parametrize(("collective", "placement"), CASES)
@pytest.mark.parametrize("op", _REDUCE)
def test_right_results_are_right(collective: str, placement: str, op: str) -> None:
    plan = Plan(collective=collective, ranks=RANKS, sizes=(5 * PERIOD,), op=op, root=ROOT)
    works = works_of(plan, placement)
    for work in works:
        work.fill(1)
    carry_out(plan, works)
    assert [work.count_wrong() for work in works] == [0] * RANKS
    for work in works:
        work.fill_repeatable(2)
    for _ in range(3):
        carry_out(plan, works)
        assert [work.count_wrong() for work in works] == [0] * RANKS


@pytest.mark.parametrize(("collective", "placement"), CASES)
def test_a_call_that_does_nothing_is_noticed(collective: str, placement: str) -> None:
    plan = Plan(collective=collective, ranks=RANKS, sizes=(1 << 16,), root=ROOT)
    works = works_of(plan, placement)
    for seed in (1, 2):  # what an earlier call has left is not right any more
        for work in works:
            work.fill(seed)
        assert (sum(work.count_wrong() for work in works) > 0) == (collective != "barrier")
        carry_out(plan, works)


@pytest.mark.parametrize(("collective", "placement"), CASES)
def test_buffers_are_apart_only_out_of_place(collective: str, placement: str) -> None:
    plan = Plan(collective=collective, ranks=RANKS, sizes=(1 << 12,), root=ROOT)
    for work in works_of(plan, placement):
        share = np.shares_memory(work.input, work.output)
        assert share == (placement == "in_place" and min(work.input.size, work.output.size) > 0)
        assert max(work.input.nbytes, work.output.nbytes) in (work.bytes, work.bytes // plan.parts)
