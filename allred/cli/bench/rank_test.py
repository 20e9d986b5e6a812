"""Whether two samples of times differ, by their ranks alone: no assumption about how times are distributed.

Source: H. B. Mann and D. R. Whitney, "On a test of whether one of two random variables is stochastically larger than
the other", 1947; the interval: J. L. Hodges and E. L. Lehmann, 1963; many tests at once: S. Holm, 1979.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, erfc, sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
# Pairs of observations up to which probabilities are counted out; beyond, the normal approximation is good.
EXACT_PAIRS = 900


@dataclass(frozen=True)
class Difference:
    """How a second sample of positive times differs from a first.

    Attributes:
        ratio: second / first: the median of that of all pairs.
        low, high: bounds of the ratio's confidence interval; 0 and infinity where there are too few observations.
        p_value: of samples at least as far apart, were there no difference; two-sided.
    """

    ratio: float
    low: float
    high: float
    p_value: float


def difference(first: Sequence[float], second: Sequence[float], alpha: float = 0.05) -> Difference:
    """Compares two samples of positive numbers; the interval has the confidence 1 - `alpha`.

    Raises:
        ValueError: a sample is empty, or holds a number that is not positive.
    """
    if not first or not second or min(*first, *second) <= 0:
        raise ValueError("expected two samples of at least one positive number")
    logs = np.log(np.asarray(first, np.float64)), np.log(np.asarray(second, np.float64))
    pairs = np.sort((logs[1][:, None] - logs[0][None, :]).ravel())
    outside = _most_outside(len(first), len(second), alpha)
    low, high = (pairs[outside - 1], pairs[-outside]) if outside else (-np.inf, np.inf)
    ratio, low, high = (float(np.exp(each)) for each in (np.median(pairs), low, high))
    return Difference(ratio, low, high, p_value(first, second))


def p_value(first: Sequence[float], second: Sequence[float]) -> float:
    """The two-sided Mann-Whitney test, exact for small samples whether or not there are ties."""
    doubled = _doubled_ranks(np.concatenate([np.asarray(first), np.asarray(second)]))
    total, count = len(doubled), len(first)
    mean = count * (total + 1)
    distance = abs(int(doubled[:count].sum()) - mean)
    if count * len(second) <= EXACT_PAIRS:
        sums = _subset_sums(doubled, count)
        far = np.abs(np.arange(len(sums)) - mean) >= distance
        return float(min(1.0, sums[far].sum() / comb(total, count)))
    deviations = doubled - (total + 1.0)
    variance = count * len(second) / (total * (total - 1.0)) * float(deviations @ deviations)
    if variance == 0:
        return 1.0
    return float(erfc(max(0.0, distance - 1) / sqrt(2 * variance)))  # one less: half a step of U, doubled


def least_p_value(first: int, second: int) -> float:
    """Of samples of these sizes that do not overlap: none can be more significant."""
    return min(1.0, 2 / comb(first + second, first))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted so that, of all tests below a level, with that probability at most is any one wrong."""
    order = np.argsort(p_values, kind="stable")
    adjusted, largest = [1.0] * len(p_values), 0.0
    for passed, idx in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - passed) * p_values[idx]))
        adjusted[idx] = largest
    return adjusted


def _doubled_ranks(values: Vector) -> npt.NDArray[np.int64]:
    """Twice the rank, from 1, that equal values share."""
    ordered = np.sort(values)
    return np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right") + 1


def _subset_sums(doubled: npt.NDArray[np.int64], count: int) -> Vector:
    """In how many ways `count` of the ranks have each sum."""
    most = int(np.sort(doubled)[-count:].sum())
    ways: Vector = np.zeros((count + 1, most + 1))
    ways[0, 0] = 1
    for rank in doubled:
        ways[1:, rank:] += ways[:-1, : most + 1 - rank]
    found: Vector = ways[count]
    return found


def _most_outside(first: int, second: int, alpha: float) -> int:
    """How many pairs may lie below the interval, and as many above, counting the bound itself; 0 where none may."""
    if first * second > EXACT_PAIRS:
        spread = sqrt(first * second * (first + second + 1) / 12)
        return max(0, int(first * second / 2 - _normal_quantile(alpha) * spread))
    least = first * (first + 1)
    sums = _subset_sums(2 * np.arange(1, first + second + 1), first)[least::2]  # by U, from 0
    below = np.cumsum(sums) / comb(first + second, first)
    return int(np.searchsorted(below, alpha / 2, "right"))


def _normal_quantile(alpha: float) -> float:
    """The deviation that a normal variable exceeds, on either side, with probability `alpha`."""
    return NormalDist().inv_cdf(1 - alpha / 2)
