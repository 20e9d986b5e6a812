"""The floors as lines of the benchmark: which there are, on what data they work, and that all ranks agree."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import Queue
from typing import Any

import numpy as np
import pytest

from allred.cli.bench.floors import Floor, floors
from allred.cli.bench.libraries import NotOffered
from allred.cli.bench.plan import Plan
from allred.cli.bench.workload import Workload

PATH_SECONDS = 20


def on_ranks(plan: Plan, size: int) -> list[dict[str, Any]]:
    """For each rank, threads here, the outputs of the floors that are offered for a plan, by name."""
    paths: list[Queue[bytes]] = [Queue() for _ in range(plan.ranks)]

    def run(rank: int) -> dict[str, Any]:
        def share(data: bytes | None) -> bytes:
            if data is not None:
                for path in paths:
                    path.put(data)
            return paths[rank].get(timeout=PATH_SECONDS)

        return {floor.name: output for floor in floors(plan.ranks, rank, share) for output in called(floor, rank)}

    def called(floor: Floor, rank: int) -> list[Any]:
        work = Workload(plan, size, rank, in_place=floor.placement == "in_place")
        work.fill(1)
        try:
            call = floor.prepare(work)
        except NotOffered:
            return []
        call()
        return [work]

    with ThreadPoolExecutor(plan.ranks, thread_name_prefix="rank ") as pool:
        return list(pool.map(run, range(plan.ranks)))


@pytest.mark.parametrize("ranks", [2, 3])
def test_all_reduce_has_them_all_and_the_exchanges_are_right(ranks: int) -> None:
    found = on_ranks(Plan(collective="all_reduce", ranks=ranks, sizes=()), size=(1 << 20) + 4)
    for works in found:
        exchanges = [name for name in works if name.startswith("exchange ")]
        assert set(works) == {"in place", "copy", "flag", "barrier", *exchanges}
        assert {
            "exchange one_shot cached 128K",
            "exchange two_shot non-temporal 8M",
            "exchange answered cached 1M",
        } <= set(exchanges)
        assert "exchange two_shot cached 32M" not in works  # 8M covers it
        assert [works[name].count_wrong() for name in exchanges] == [0] * len(exchanges)
        assert np.array_equal(works["copy"].output, works["copy"].input)


@pytest.mark.parametrize("changed", [{"dtype": "bfloat16"}, {"op": "max"}, {"ranks": 9}])
def test_exchanges_are_of_float32_by_sum_on_a_few_ranks(changed: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"collective": "all_reduce", "ranks": 2, "sizes": (), **changed}
    for works in on_ranks(Plan(**fields), size=4096):
        assert set(works) == {"in place", "copy", "flag", "barrier"}


@pytest.mark.parametrize(
    ("collective", "expected"),
    [
        ("barrier", {"flag", "barrier"}),
        ("reduce", {"in place", "copy"}),
        ("all_gather", {"copy"}),
        ("gather", {"copy"}),
        ("reduce_scatter", {"copy"}),
        ("all_to_all", {"copy"}),
        ("send_recv", {"copy"}),
    ],
)
def test_other_collectives_have_what_bounds_them(collective: str, expected: set[str]) -> None:
    for works in on_ranks(Plan(collective=collective, ranks=2, sizes=()), size=4096):
        assert set(works) == expected


def test_the_data_in_place_stay_as_they_are() -> None:
    plan = Plan(collective="all_reduce", ranks=1, sizes=())
    (works,) = on_ranks(plan, size=4096)
    assert set(works) == {"in place", "copy"}
    untouched = Workload(plan, 4096, 0, in_place=True)
    untouched.fill(1)
    assert np.array_equal(works["in place"].input, untouched.input)
