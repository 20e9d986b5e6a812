"""The pairs of all_reduce_top_k: which elements are taken, and how they are added."""

from __future__ import annotations

import numpy as np
import pytest

import allred
from allred import _core


def take(values: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    indices, taken = np.full(k, -1, np.int32), np.empty(k, np.float32)
    _core.take_top_k(indices, taken, values)
    return indices, taken


def expected_indices(values: np.ndarray, k: int) -> np.ndarray:
    magnitudes = np.where(np.isnan(values), np.inf, np.abs(values)).astype(np.float64)
    magnitudes[np.isnan(values)] = np.finfo(np.float64).max  # above float32's infinity, which is made finite here
    magnitudes[np.isinf(values)] = 1e300
    return np.sort(np.argsort(-magnitudes, kind="stable")[:k])


@pytest.mark.parametrize("count", [1, 2, 331, 10_000])
@pytest.mark.parametrize("kind", ["normal", "few values", "all alike", "wide range", "not finite"])
def test_the_largest_are_taken_and_the_first_of_those_alike(kind: str, count: int) -> None:
    rng = np.random.default_rng(count)
    values = {
        "normal": rng.standard_normal(count),
        "few values": rng.integers(-2, 3, count),
        "all alike": np.full(count, -3.5),
        "wide range": rng.standard_normal(count) * 10.0 ** rng.integers(-40, 38, count),
        "not finite": rng.choice([np.nan, np.inf, -np.inf, 1, -2], count),
    }[kind].astype(np.float32)
    for k in sorted({0, 1, count // 100, count // 2, count - 1, count}):
        left = values.copy()
        indices, taken = take(left, k)
        np.testing.assert_array_equal(indices, expected_indices(values, k))
        np.testing.assert_array_equal(taken, values[indices])
        kept = np.where(np.isfinite(values), values, 0)
        kept[indices] = 0
        if k:
            np.testing.assert_array_equal(left, kept)


def test_pairs_are_added_in_order() -> None:
    values = np.zeros(4, np.float32)
    _core.add_pairs(values, np.int32([3, 0, 3]), np.float32([1, 2, 4]), 0.5)
    np.testing.assert_array_equal(values, [1, 0, 0, 2.5])


@pytest.mark.parametrize("index", [-1, 4])
def test_an_index_of_no_element(index: int) -> None:
    values = np.zeros(4, np.float32)
    with pytest.raises(allred.InvalidArgumentError, match=f"indices holds {index}; expected indices of 4 elements"):
        _core.add_pairs(values, np.int32([0, index]), np.float32([1, 1]))
    assert (values == 0).all()


def test_arrays_that_do_not_fit() -> None:
    with pytest.raises(allred.InvalidArgumentError, match="indices has 2 elements and taken 3"):
        _core.take_top_k(np.empty(2, np.int32), np.empty(3, np.float32), np.ones(5, np.float32))
    with pytest.raises(allred.InvalidArgumentError, match="at most the 5 of values"):
        _core.take_top_k(np.empty(6, np.int32), np.empty(6, np.float32), np.ones(5, np.float32))
    with pytest.raises(allred.InvalidArgumentError, match="indices has dtype int64; expected int32"):
        _core.take_top_k(np.empty(2, np.int64), np.empty(2, np.float32), np.ones(5, np.float32))
    with pytest.raises(allred.InvalidArgumentError, match="indices has 1 elements and values 2"):
        _core.add_pairs(np.ones(5, np.float32), np.zeros(1, np.int32), np.ones(2, np.float32))
