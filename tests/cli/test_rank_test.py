"""The test by which two results are compared, against published tables and scipy."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from allred.cli.bench.rank_test import difference, holm, least_p_value, p_value


def samples_with(first: int, second: int, u: int) -> tuple[list[float], list[float]]:
    """Two samples without ties, in which `u` pairs have the first above the second."""
    for places in combinations(range(first + second), first):
        if sum(places) - first * (first - 1) // 2 == u:
            return [1.0 + place for place in places], [1.0 + x for x in range(first + second) if x not in places]
    raise AssertionError


# Critical values of U at 0.05 and 0.01, two-sided, as tables have them.
@pytest.mark.parametrize(
    ("first", "second", "critical_05", "critical_01"),
    [(4, 4, 0, None), (5, 5, 2, 0), (6, 8, 8, 4), (7, 7, 8, 4), (8, 10, 17, 11), (9, 9, 17, 11), (3, 8, 2, None)],
)
def test_critical_values(first: int, second: int, critical_05: int, critical_01: int | None) -> None:
    for level, critical in ((0.05, critical_05), (0.01, critical_01)):
        if critical is not None:
            assert p_value(*samples_with(first, second, critical)) <= level
        beyond = 0 if critical is None else critical + 1
        assert p_value(*samples_with(first, second, beyond)) > level


def test_the_interval_holds_one_just_where_the_test_finds_no_difference() -> None:
    for u in range(26):
        first, second = samples_with(5, 5, u)
        found = difference(first, second, alpha=0.05)
        assert (found.low <= 1 <= found.high) == (found.p_value > 0.05), u


def test_ties_are_counted_out() -> None:
    """By hand: of the 6 ways to draw two of 1, 2, 2, 3, the sum is 3, 3, 4, 4, 5, 5; of equal values all are alike."""
    assert p_value([1, 2], [2, 3]) == pytest.approx(4 / 6)
    assert p_value([2, 2], [1, 3]) == 1
    assert p_value([7] * 9, [7] * 9) == 1
    assert p_value([7.0] * 50, [7.0] * 50) == 1


@pytest.mark.parametrize("decimals", [1, 9])
def test_large_samples_agree_with_scipy(decimals: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    generator = np.random.default_rng(1)
    for first, second, shift in ((20, 20, 0.5), (40, 40, 0.3), (35, 60, 0.0), (100, 30, -0.6)):
        samples = [np.round(generator.normal(10 + mean, 1, n), decimals) for n, mean in ((first, 0), (second, shift))]
        expected = stats.mannwhitneyu(*samples, method="asymptotic").pvalue
        assert p_value(*(list(sample) for sample in samples)) == pytest.approx(expected, abs=0.004)


def test_the_ratio_is_that_of_the_samples() -> None:
    first = [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]
    found = difference(first, [3 * time for time in first])
    assert found.ratio == pytest.approx(3)
    assert found.low < 3 < found.high
    assert found.low == pytest.approx(1 / difference([3 * time for time in first], first).high)


def test_too_few_blocks_bound_nothing() -> None:
    found = difference([1, 1.1], [2, 2.1])
    assert (found.low, found.high) == (0, float("inf"))
    assert found.p_value == pytest.approx(least_p_value(2, 2)) == pytest.approx(1 / 3)


def test_bad_samples_are_refused() -> None:
    for first, second in (([], [1.0]), ([1.0], [0.0]), ([-1.0], [1.0])):
        with pytest.raises(ValueError, match="positive"):
            difference(first, second)


def test_holm() -> None:
    """The example of the method's usual presentation: four p-values, of which two stay below 0.05."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []
