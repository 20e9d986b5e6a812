"""Finds the costs of the model from measured times.

A simulated time is the longest of many sums of costs, and so linear in them as long as the longest stays the same. So
the costs are found by linear least squares, a few times over, each from the slopes at the last result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from allred.cli.simulate.model import Costs

Vector = npt.NDArray[np.float64]
# Seconds of a call of so many bytes under such costs.
Model = Callable[[int, Costs], float]

ROUNDS = 12
_RELATIVE_STEP = 1e-3


def fit(model: Model, measured: Mapping[int, float], start: Costs) -> Costs:
    """The intra-host latency, overhead and bandwidth under which `model` comes nearest to what was measured.

    Each size counts alike: what is made small are the relative errors, summed in squares.

    Args:
        model: what is fitted.
        measured: seconds, by bytes of the message.
        start: a guess; its other costs are kept.
    """
    sizes = list(measured)
    times = np.array([measured[size] for size in sizes])
    best, least = start, np.inf
    vector = np.array([start.intra_latency, start.overhead, 1 / start.intra_bandwidth])
    for _ in range(ROUNDS):
        predicted, slopes = _linearize(model, sizes, vector, start)
        error = float(np.sum((predicted / times - 1) ** 2))
        if error < least:
            best, least = _with(start, vector), error
        target = 1 - (predicted - slopes @ vector) / times
        vector = (vector + _least_squares(slopes / times[:, None], target)) / 2
    return best


def _with(start: Costs, vector: Vector) -> Costs:
    latency, overhead, byte = (float(max(value, 1e-15)) for value in vector)
    return replace(start, intra_latency=latency, overhead=overhead, intra_bandwidth=1 / byte)


def _linearize(model: Model, sizes: Sequence[int], vector: Vector, start: Costs) -> tuple[Vector, Vector]:
    """The predictions, and how each changes with each cost."""
    predicted = np.array([model(size, _with(start, vector)) for size in sizes])
    slopes = np.empty((len(sizes), len(vector)))
    for idx, value in enumerate(vector):
        step = max(value, 1e-12) * _RELATIVE_STEP
        moved = vector.copy()
        moved[idx] += step
        slopes[:, idx] = (np.array([model(size, _with(start, moved)) for size in sizes]) - predicted) / step
    return predicted, slopes


def _least_squares(matrix: npt.NDArray[Any], target: Vector) -> Vector:
    """The least squares solution without negative values: those that would be negative are 0."""
    solution = np.zeros(matrix.shape[1])
    kept = list(range(matrix.shape[1]))
    while kept:
        found = np.linalg.lstsq(matrix[:, kept], target, rcond=None)[0]
        if found.min() >= 0:
            solution[kept] = found
            break
        kept.remove(kept[int(found.argmin())])
    return solution
