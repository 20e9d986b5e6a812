"""Every schedule algorithm is proven for 1 to 64 ranks, each root, and counts from none to past 2^33."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from allred import _core

ALGORITHMS = _core.schedule_algorithms()
ROOTED = ("broadcast", "reduce", "gather", "scatter")
MAX_SIZE = 64


def counts_for(collective: str, size: int) -> list[int]:
    if collective == "barrier":
        return [0]
    return sorted({0, 1, size - 1, size, size + 1, 10007, 2**33 + 7})


def sweep(collective: str, size: int) -> Iterator[tuple[int, int]]:
    for root in range(size if collective in ROOTED else 1):
        for count in counts_for(collective, size):
            yield count, root


@pytest.mark.parametrize(("collective", "algorithm"), ALGORITHMS)
def test_every_algorithm_is_proven(collective: str, algorithm: str) -> None:
    for size in range(1, MAX_SIZE + 1):
        for count, root in sweep(collective, size):
            assert _core.verify_algorithm(collective, algorithm, size, count, root) == []


@pytest.mark.parametrize("size", [100, 127, 257])
@pytest.mark.parametrize(("collective", "algorithm"), ALGORITHMS)
def test_many_ranks(collective: str, algorithm: str, size: int) -> None:
    count = 0 if collective == "barrier" else 2**40 + 1
    assert _core.verify_algorithm(collective, algorithm, size, count, size // 3) == []


@pytest.mark.parametrize(("collective", "algorithm"), ALGORITHMS)
def test_empty_ranges_are_left_out_but_for_the_tokens_of_a_barrier(collective: str, algorithm: str) -> None:
    for size in range(1, 10):
        for count in (0, 1, size - 1):
            for rank in range(size):
                steps = _core.make_schedule(collective, algorithm, rank, size, count).steps
                assert all((step.range.count == 0) == (collective == "barrier") for step in steps)


@pytest.mark.parametrize("size", [2, 3, 8, 13])
def test_ring_sends_the_least_possible(size: int) -> None:
    count = 1000 * size
    all_reduce = _core.schedule_statistics("all_reduce", "ring", size, count)
    assert all_reduce.sent_elements == [2 * (size - 1) * 1000] * size
    assert all_reduce.rounds == 2 * (size - 1)
    for collective in ("all_gather", "reduce_scatter"):
        statistics = _core.schedule_statistics(collective, "ring", size, count)
        assert statistics.sent_elements == [(size - 1) * count] * size
        assert statistics.rounds == size - 1


@pytest.mark.parametrize("size", [2, 3, 8, 13])
def test_exchanges_send_each_block_once(size: int) -> None:
    root, count = size // 2, 1000
    gather = _core.schedule_statistics("gather", "linear", size, count, root)
    assert gather.sent_elements == [0 if rank == root else count for rank in range(size)]
    scatter = _core.schedule_statistics("scatter", "linear", size, count, root)
    assert scatter.sent_elements == [(size - 1) * count if rank == root else 0 for rank in range(size)]
    all_to_all = _core.schedule_statistics("all_to_all", "pairwise", size, count)
    assert all_to_all.sent_elements == [(size - 1) * count] * size
    assert gather.rounds == scatter.rounds == all_to_all.rounds == 1


@pytest.mark.parametrize("size", range(2, 40))
def test_double_tree_is_shallow_and_no_rank_is_inner_in_both_trees(size: int) -> None:
    statistics = _core.schedule_statistics("all_reduce", "double_tree", size, 1000)
    assert max(statistics.sent_elements) <= 2 * 1000
    assert sum(statistics.sent_messages) == 4 * (size - 1)
    assert statistics.rounds <= 2 * math.ceil(math.log2(size + 1))
    for rank in range(size):
        steps = _core.make_schedule("all_reduce", "double_tree", rank, size, 1000).steps
        assert len({step.range.offset for step in steps if step.kind == "recv_reduce"}) <= 1


@pytest.mark.parametrize("size", range(1, 40))
def test_rounds_grow_with_the_logarithm(size: int) -> None:
    hops = math.ceil(math.log2(size))
    assert _core.schedule_statistics("barrier", "dissemination", size, 0).rounds == hops
    assert _core.schedule_statistics("broadcast", "binomial_tree", size, 7).rounds <= hops
    assert _core.schedule_statistics("reduce", "binomial_tree", size, 7).rounds <= hops
    extra_hops = 0 if 2**hops == size else 1  # ceil counts one of the two
    assert _core.schedule_statistics("all_reduce", "recursive_doubling", size, 7).rounds == hops + extra_hops


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("all_reduce", "rung", 0, 2, 1), "algorithm='rung' is not known; .*ring"),
        (("all_red", "ring", 0, 2, 1), "collective='all_red' is not known"),
        (("barrier", "ring", 0, 2, 1), "there is no ring schedule for barrier"),
        (("all_reduce", "ring", 2, 2, 1), "rank 2 is not one of the 2 ranks"),
        (("all_reduce", "ring", -1, 2, 1), "rank -1 is not one of the 2 ranks"),
        (("all_reduce", "ring", 0, 0, 1), "size must be at least 1"),
        (("broadcast", "binomial_tree", 0, 2, 1, 2), "root 2 is not one of the 2 ranks"),
        (("all_gather", "ring", 0, 4, 2**62), "overflows"),
    ],
)
def test_bad_arguments_are_named(arguments: tuple[str, str, int, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _core.make_schedule(*arguments)
