"""The simulator: closed forms of known algorithms, agreement with verify, and bounded work at thousands of ranks."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allred import _core

L, O, G, R = 10e-6, 1e-6, 80e-12, 100e-12  # noqa: E741 - the model's own letters
LOCAL_L, LOCAL_G = 0.5e-6, 110e-12
COSTS = {
    "overhead": O,
    "inter_latency": L,
    "inter_byte": G,
    "intra_latency": LOCAL_L,
    "intra_byte": LOCAL_G,
    "reduce_byte": R,
}
WHOLE = 1 << 40  # segments that large: every message travels as one
ALGORITHMS = _core.schedule_algorithms()


def cluster(hosts: int, ranks_per_host: int = 1, segment_bytes: int = WHOLE, **costs: float) -> _core.Cluster:
    return _core.Cluster(hosts, ranks_per_host, segment_bytes=segment_bytes, **{**COSTS, **costs})


def seconds(collective: str, algorithm: str, where: _core.Cluster, count: int, **options: Any) -> float:
    return _core.predict(collective, algorithm, where, count, **options).seconds


@pytest.mark.parametrize("size", [2, 3, 8, 13])
def test_ring(size: int) -> None:
    chunk = 4 * 1000
    hop = 2 * O + L + chunk * G
    found = seconds("all_reduce", "ring", cluster(size), 1000 * size, fold=False)
    assert found == pytest.approx((size - 1) * (2 * hop + chunk * R))
    assert seconds("all_gather", "ring", cluster(size), 1000, fold=False) == pytest.approx((size - 1) * hop)


@pytest.mark.parametrize("size", [2, 4, 16, 64])
def test_recursive_doubling(size: int) -> None:
    hop = 2 * O + L + 4000 * (G + R)
    assert seconds("all_reduce", "recursive_doubling", cluster(size), 1000) == pytest.approx(math.log2(size) * hop)


@pytest.mark.parametrize("size", [2, 3, 8, 11])
def test_barrier(size: int) -> None:
    found = seconds("barrier", "dissemination", cluster(size), 0, fold=False)
    assert found == pytest.approx(math.ceil(math.log2(size)) * (2 * O + L))


@pytest.mark.parametrize("size", [2, 8, 64])
def test_binomial_broadcast_sends_to_the_largest_subtree_first(size: int) -> None:
    hops = math.log2(size)
    assert seconds("broadcast", "binomial_tree", cluster(size), 1000) == pytest.approx(hops * (2 * O + L + 4000 * G))


@pytest.mark.parametrize("size", [2, 5, 9])
def test_the_root_of_a_gather_takes_one_block_after_the_other(size: int) -> None:
    block = 4 * 100_000
    found = seconds("gather", "linear", cluster(size), 100_000)
    assert found == pytest.approx(O + L + (size - 1) * block * G + O)


def test_within_a_host_cores_copy() -> None:
    assert seconds("broadcast", "binomial_tree", cluster(1, 2), 1000) == pytest.approx(
        2 * (O + 4000 * LOCAL_G) + LOCAL_L
    )
    assert seconds("all_reduce", "recursive_doubling", cluster(1, 2), 1000) == pytest.approx(
        2 * O + 4000 * (LOCAL_G + R) + LOCAL_L
    )


def test_ranks_of_a_host_share_its_link() -> None:
    schedules = []
    message = _core.Range("input", 0, 1000)
    for rank in range(4):
        kind, peer = ("send", rank + 2) if rank < 2 else ("recv", rank - 2)
        piece = message if rank < 2 else _core.Range("output", 0, 1000)
        schedules.append(_core.Schedule(rank, 4, 0, [_core.Step(kind, peer, piece)]))
    apart = _core.simulate_schedules(schedules, "all_reduce", 1000, 4, cluster(4))
    together = _core.simulate_schedules(schedules, "all_reduce", 1000, 4, cluster(2, 2))
    assert apart == pytest.approx(2 * O + L + 4000 * G)
    assert together == pytest.approx(2 * O + L + 2 * 4000 * G)


def test_segments_follow_each_other_through_a_chain() -> None:
    piece = _core.Range("output", 0, 10_000)
    recv, send = _core.Step("recv", 0, piece), _core.Step("send", 2, piece, after=[0])
    schedules = [
        _core.Schedule(0, 3, 0, [_core.Step("send", 1, piece)]),
        _core.Schedule(1, 3, 0, [recv, send]),
        _core.Schedule(2, 3, 0, [_core.Step("recv", 1, piece)]),
    ]
    whole = _core.simulate_schedules(schedules, "broadcast", 10_000, 4, cluster(3, overhead=0))
    cut = _core.simulate_schedules(schedules, "broadcast", 10_000, 4, cluster(3, segment_bytes=4000, overhead=0))
    assert whole == pytest.approx(2 * (L + 40_000 * G))
    # The sender waits for word of the first segment once it has sent eight; by then only two are left.
    late = max(0.0, 2 * L + 4000 * G - 8 * 4000 * G)
    assert cut == pytest.approx(2 * L + 11 * 4000 * G + late)


@pytest.mark.parametrize(("hosts", "ranks_per_host"), [(1, 1), (1, 2), (5, 1), (2, 4), (3, 3)])
@pytest.mark.parametrize(("collective", "algorithm"), ALGORITHMS)
def test_counts_are_those_of_verify(collective: str, algorithm: str, hosts: int, ranks_per_host: int) -> None:
    count, size = (0 if collective == "barrier" else 720), hosts * ranks_per_host
    proven = _core.schedule_statistics(collective, algorithm, size, count)
    found = _core.predict(collective, algorithm, cluster(hosts, ranks_per_host), count)
    assert found.sent_messages == max(proven.sent_messages)
    assert found.sent_bytes == 4 * max(proven.sent_elements)
    # verify also counts, of a rank with an extra, the send that must only have left before the range is written.
    has_extras = algorithm == "recursive_doubling" and size & (size - 1)
    assert found.hops == proven.rounds - bool(has_extras)


@pytest.mark.parametrize("segment_bytes", [WHOLE, 256, 1000])
@pytest.mark.parametrize(("hosts", "ranks_per_host"), [(1, 8), (4, 2), (3, 4), (5, 1), (8, 4)])
def test_few_ranks_stand_for_all_where_the_schedule_is_symmetric(
    hosts: int, ranks_per_host: int, segment_bytes: int
) -> None:
    where = cluster(hosts, ranks_per_host, segment_bytes)
    names = [(collective, name) for collective, _ in ALGORITHMS for name in _core.candidates(collective, where)]
    for collective, name in names:
        count = 0 if collective == "barrier" else 960
        folded, whole = (_core.predict(collective, name, where, count, fold=fold) for fold in (True, False))
        assert (folded.seconds, folded.hops) == (whole.seconds, whole.hops), (collective, name)
        assert folded.num_segments <= whole.num_segments


@settings(deadline=None, max_examples=40)
@given(
    pair=st.sampled_from(ALGORITHMS),
    hosts=st.integers(1, 5),
    ranks_per_host=st.integers(1, 4),
    count=st.integers(0, 3000),
    latencies=st.tuples(st.floats(0, 1e-3), st.floats(0, 1e-3)),
)
def test_more_latency_is_never_faster_for_whole_messages(
    pair: tuple[str, str], hosts: int, ranks_per_host: int, count: int, latencies: tuple[float, float]
) -> None:
    count = 0 if pair[0] == "barrier" else count
    low, high = (
        seconds(*pair, cluster(hosts, ranks_per_host, inter_latency=each, overhead=0), count)
        for each in sorted(latencies)
    )
    assert low <= high * (1 + 1e-9)


def test_thousands_of_ranks_take_bounded_work() -> None:
    where = cluster(1024, 8, 256 << 10)
    ring = _core.predict("all_reduce", "ring", where, 25 << 20)
    assert ring.hops == 2 * 8191
    assert ring.num_segments == 8 * 2 * 8191  # of the 8 ranks that stand for all
    where.max_segments = 200_000
    tree = _core.predict("all_reduce", "double_tree", where, 25 << 20)
    assert tree.hops <= 2 * math.ceil(math.log2(8193))
    assert tree.num_segments <= 200_000
    assert tree.segment_bytes > 256 << 10
    assert _core.predict("all_reduce", "hierarchical/ring", where, 25 << 20).hops == 2 * 1023 + 2


def test_direct_algorithms() -> None:
    size, count = 4, 4096  # 16 KiB: one round of staging
    bytes_, chunk = 4 * count, count
    flags = O * size
    one_shot = O + bytes_ * LOCAL_G + LOCAL_L + flags + (size - 1) * bytes_ * R
    assert seconds("all_reduce", "one_shot", cluster(1, size), count) == pytest.approx(one_shot)
    moved = (size - 1) * chunk
    two_shot = (O + moved * LOCAL_G) + (flags + moved * R + chunk * LOCAL_G) + (flags + moved * LOCAL_G) + 2 * LOCAL_L
    assert seconds("all_reduce", "two_shot", cluster(1, size), count) == pytest.approx(two_shot)
    assert _core.predict("all_reduce", "two_shot", cluster(1, size), count).sent_bytes == 2 * moved


def test_a_hierarchical_call_is_its_three_parts() -> None:
    hosts, local, count = 4, 2, 8192
    shard = count // local
    inside = sum(
        seconds(collective, "staged", cluster(1, local), shard) for collective in ("reduce_scatter", "all_gather")
    )
    between = seconds("all_reduce", "ring", cluster(hosts, inter_byte=2 * G, overhead=O), shard)
    found = seconds("all_reduce", "hierarchical/ring", cluster(hosts, local), count)
    # Both local ranks share the link: each has half of it, but one of them is served first.
    assert inside + between * 0.75 < found <= (inside + between) * (1 + 1e-9)


def test_sums_of_narrow_floats_travel_as_float32() -> None:
    found = {dtype: _core.predict("all_reduce", "ring", cluster(4), 1000, dtype) for dtype in ("float32", "bfloat16")}
    assert found["bfloat16"].sent_bytes == found["float32"].sent_bytes
    gathered = _core.predict("all_gather", "ring", cluster(4), 1000, "bfloat16")
    assert gathered.sent_bytes == 3 * 2 * 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("all_reduce", "one_shot", (2, 4), 10), "one_shot runs within one host, not on 2"),
        (("all_reduce", "hierarchical/ring", (2, 1), 10), "on several hosts of several ranks"),
        (("broadcast", "hierarchical/binomial_tree", (2, 2), 10), "hierarchical algorithms carry out all_reduce"),
        (("gather", "ring", (2, 1), 10), "there is no ring schedule for gather"),
        (("broadcast", "staged", (1, 2), 10, "float32", 2), "root 2 is not one of the 2 ranks"),
    ],
)
def test_calls_that_cannot_be_made(arguments: tuple[Any, ...], message: str) -> None:
    collective, name, shape, *others = arguments
    with pytest.raises(ValueError, match=message):
        _core.predict(collective, name, cluster(*shape), *others)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inter_latency": -1.0}, "inter_latency=-1: expected a finite number of at least 0"),
        ({"reduce_byte": math.inf}, "reduce_byte=inf: expected"),
        ({"segment_bytes": 0}, "segment_bytes=0: expected at least 1"),
        ({"hosts": 0}, "hosts=0: expected at least 1"),
        ({"hosts": 1 << 20, "ranks_per_host": 1 << 20}, "fewer than 2\\^31 ranks"),
    ],
)
def test_clusters_that_cannot_exist(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _core.Cluster(**{"hosts": 1, "ranks_per_host": 2, **change})


def test_broken_schedules_are_named() -> None:
    piece = _core.Range("output", 0, 5)
    alone = [_core.Schedule(0, 2, 0, [_core.Step("send", 1, piece)]), _core.Schedule(1, 2)]
    with pytest.raises(ValueError, match=r"rank 0 \(send 5 elements to 1\) meets nothing of its kind"):
        _core.simulate_schedules(alone, "all_reduce", 5, 4, cluster(2))
    circle = []
    for rank in range(2):
        recv, send = _core.Step("recv", 1 - rank, piece), _core.Step("send", 1 - rank, piece, after=[0])
        circle.append(_core.Schedule(rank, 2, 0, [recv, send]))
    with pytest.raises(ValueError, match="rank 0 step 0 waits for what never happens"):
        _core.simulate_schedules(circle, "all_reduce", 5, 4, cluster(2))
