"""One rank of a peer: every call that its library prepares, against numpy. ``peer_collectives.py PACKAGES PEER``.

PACKAGES is the folder of the package allred. Rank 0 prints, as JSON, how many elements each collective got wrong over
all ranks, and what is not offered.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import product
from typing import Any

sys.path.append(sys.argv[1])

import numpy as np

from allred.bootstrap import mpi_world
from allred.cli.bench import peers
from allred.cli.bench.libraries import Library, NotOffered, PingPong, prepare
from allred.cli.bench.plan import COLLECTIVES, REDUCING, ROOTED, Plan, placements_of
from allred.cli.bench.workload import Workload

COUNTS = (1, 1009)  # elements of a rank's part
DTYPES = ("float32", "float16", "bfloat16", "int8", "uint64")
REDUCTIONS = {"sum": np.add, "max": np.maximum, "band": np.bitwise_and}
OPS = (*REDUCTIONS, "avg")


def cases(rank: int, ranks: int) -> Iterator[Workload]:
    """Each call, on buffers of its own."""
    for collective, dtype in product(COLLECTIVES, DTYPES):
        ops = OPS if collective in REDUCING else ("sum",)
        root = ranks - 1 if collective in ROOTED else 0  # a library that ignored it would take rank 0
        for op, placement, count in product(ops, placements_of(collective), COUNTS):
            plan = Plan(collective=collective, ranks=ranks, sizes=(), dtype=dtype, op=op, root=root)
            size = count * plan.parts * plan.element.storage.itemsize
            yield Workload(plan, size, rank, in_place=placement == "in_place")


def inputs(work: Workload) -> list[Any]:
    """What each rank puts in: small integers, which tell the rank and the place."""
    plan = work.plan
    parts = plan.ranks if plan.collective in ("reduce_scatter", "scatter", "all_to_all") else 1
    return [(np.arange(work.count * parts) * (3 + rank) + 5 * rank) % 7 for rank in range(plan.ranks)]


def expected(work: Workload, sent: list[Any]) -> Any:
    """What this rank must get; None where it gets nothing."""
    plan, rank = work.plan, work.rank
    mine = slice(rank * work.count, (rank + 1) * work.count)
    if plan.collective in ("reduce", "gather") and rank != plan.root:
        return None
    if plan.collective in REDUCING:
        reduced = REDUCTIONS[plan.op].reduce(np.stack(sent))
        return reduced[mine] if plan.collective == "reduce_scatter" else reduced
    if plan.collective in ("all_gather", "gather"):
        return np.concatenate(sent)
    if plan.collective == "all_to_all":
        return np.concatenate([each[mine] for each in sent])
    if plan.collective == "send_recv":
        return sent[rank ^ 1]
    return sent[plan.root][mine] if plan.collective == "scatter" else sent[plan.root]


def count_wrong(library: Library, work: Workload) -> int:
    """Elements that a call leaves wrong on this rank. Raises NotOffered."""
    call = prepare(library, work)
    sent = inputs(work)
    encode = work.element.encode
    work.output[:] = encode(np.array([99]))
    if work.input.size:
        work.input[:] = encode(sent[work.rank])
    for each in (call.first, call.second) if isinstance(call, PingPong) else (call,):
        each()
    right = expected(work, sent)
    return 0 if right is None else int(np.count_nonzero(work.output != encode(right)))


def main(peer: str) -> None:
    rank, ranks = peers.rank_and_size(peer)
    library = peers.library(peer)
    wrong: dict[str, int] = {}
    refused: list[str] = []
    for work in cases(rank, ranks):
        plan = work.plan
        try:
            wrong[plan.collective] = wrong.get(plan.collective, 0) + count_wrong(library, work)
        except NotOffered:
            placement = "in_place" if work.in_place else "out_of_place"
            refused.append(f"{plan.collective} {placement} {plan.dtype} {plan.op}")
    everywhere = mpi_world().gather(wrong)
    if everywhere is not None:
        total = {collective: sum(each[collective] for each in everywhere) for collective in wrong}
        print(json.dumps({"version": library.version, "ranks": ranks, "wrong": total, "refused": refused}))


if __name__ == "__main__":
    main(sys.argv[2])
