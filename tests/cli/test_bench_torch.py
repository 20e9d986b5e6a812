"""torch.distributed as a library to measure: each collective, over allred's backend and over Gloo."""

from __future__ import annotations

import pytest
from rank_pool.pool import RankPool

from allred.cli.bench.libraries import NotOffered, prepare
from allred.cli.bench.plan import COLLECTIVES, Plan, placements_of
from allred.cli.bench.timing import run
from allred.cli.bench.workload import Workload

pytest.importorskip("torch")

IN_PLACE_ONLY = ("all_reduce", "reduce")
OUT_OF_PLACE_ONLY = ("all_to_all",)


def call_all(rank: int, size: int, name: str, dtype: str) -> dict[tuple[str, str], list[int]]:
    """Wrong elements after one call, and after three on repeatable data; nothing where it is not offered."""
    import torch.distributed as dist

    from allred.cli.bench.torch_library import TorchLibrary

    library = TorchLibrary(name, dist.group.WORLD)
    found: dict[tuple[str, str], list[int]] = {}
    for collective in COLLECTIVES:
        plan = Plan(collective=collective, ranks=size, sizes=(40_000,), dtype=dtype, root=1)
        for placement in placements_of(collective):
            work = Workload(plan, plan.sizes[0], rank, in_place=placement == "in_place")
            try:
                call = prepare(library, work)
            except NotOffered:
                continue
            work.fill(1)
            run(call, 1)
            wrong = [work.count_wrong()]
            work.fill_repeatable(2)
            run(call, 3)
            found[collective, placement] = [*wrong, work.count_wrong()]
    return found


@pytest.mark.parametrize(("name", "backend"), [("allred torch", "allred"), ("gloo", "gloo")])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_collective(ranks: RankPool, name: str, backend: str, dtype: str) -> None:
    for found in ranks.run(2, call_all, name, dtype, backend=backend):
        offered = {
            (collective, placement)
            for collective in COLLECTIVES
            for placement in placements_of(collective)
            if not (collective in IN_PLACE_ONLY and placement == "out_of_place")
            and not (collective in OUT_OF_PLACE_ONLY and placement == "in_place")
        }
        assert found == {case: [0, 0] for case in offered}
