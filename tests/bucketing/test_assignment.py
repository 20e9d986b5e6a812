"""Which gradients share a bucket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allred import _core

BYTES = {"float32": 4, "float16": 2, "float64": 8}
FIRST, CAP = 100, 400

gradient = st.tuples(st.integers(0, 200), st.sampled_from(sorted(BYTES)), st.booleans())


def assign(gradients: list[tuple[int, str, bool]], order: list[int] | None = None) -> list[list[int]]:
    return _core.assign_buckets(gradients, order or list(range(len(gradients))), FIRST, CAP)


def test_a_bucket_is_full_with_the_gradient_that_reaches_its_capacity() -> None:
    assert assign([(25, "float32", False), (50, "float32", False), (50, "float32", False)]) == [[0], [1, 2]]


def test_the_first_bucket_is_small() -> None:
    assert assign([(10, "float32", False)] * 13)[0] == [0, 1, 2]
    assert len(assign([(10, "float32", False)] * 13)[1]) == 10


def test_a_gradient_beyond_the_capacity_has_a_bucket_to_itself() -> None:
    assert assign([(25, "float32", False), (1000, "float32", False), (1, "float32", False)]) == [[0], [1], [2]]


def test_dtypes_do_not_mix_and_sparse_gradients_travel_alone() -> None:
    shapes = [(5, "float32", False), (5, "float64", False), (5, "float32", True), (5, "float32", False)]
    assert assign(shapes) == [[2], [1], [0, 3]]


def test_gradients_without_elements_are_in_a_bucket_too() -> None:
    assert assign([(0, "float32", False), (0, "float32", False)]) == [[0, 1]]


def test_no_gradients_no_buckets() -> None:
    assert assign([]) == []


@given(st.lists(gradient, max_size=30), st.randoms())
def test_every_gradient_is_in_one_bucket_and_buckets_fill_in_their_order(gradients, random) -> None:  # type: ignore[no-untyped-def]
    order = random.sample(range(len(gradients)), len(gradients))
    buckets = assign(gradients, order)
    assert sorted(idx for bucket in buckets for idx in bucket) == list(range(len(gradients)))
    place = {idx: place for place, idx in enumerate(order)}
    for bucket in buckets:
        assert [place[idx] for idx in bucket] == sorted(place[idx] for idx in bucket)
        assert len({gradients[idx][1] for idx in bucket}) == 1
        if any(gradients[idx][2] for idx in bucket):
            assert len(bucket) == 1
        assert sum(gradients[idx][0] * BYTES[gradients[idx][1]] for idx in bucket[:-1]) < CAP
    full = [place[bucket[-1]] for bucket in buckets]
    is_last = {gradients[bucket[0]][1]: number for number, bucket in enumerate(buckets) if not gradients[bucket[0]][2]}
    closed = [last for number, last in enumerate(full) if number not in is_last.values()]
    assert closed == sorted(closed)


def launches(arrivals: _core.Arrivals, order: list[int]) -> list[int]:
    """Drives a pass; returns the buckets in the order of launching."""
    launched: list[int] = []
    for idx in order:
        begin, end = arrivals.arrive(idx)
        launched += range(begin, end)
    return launched


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_buckets_are_launched_in_their_order_whatever_order_they_fill_in(order: list[int]) -> None:
    arrivals = _core.Arrivals([[0, 1], [2], [3]], 4)
    for _ in range(2):
        arrivals.begin()
        assert not arrivals.all_launched
        assert launches(arrivals, order) == [0, 1, 2]
        assert arrivals.all_launched
        assert arrivals.order == order


def test_a_bucket_waits_for_all_of_its_gradients() -> None:
    arrivals = _core.Arrivals([[0, 1], [2]], 3)
    assert arrivals.arrive(2) == (0, 0)
    assert arrivals.arrive(0) == (0, 0)
    assert arrivals.missing == [1]
    assert arrivals.arrive(1) == (0, 2)
    assert arrivals.missing == []
