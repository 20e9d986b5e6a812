"""Models and gradients for the tests: several dtypes, odd shapes, and one sequential machine that trains on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray[Any, Any]]
Update = Callable[[Arrays, Arrays, int], None]

SHAPES: dict[str, tuple[str, tuple[int, ...]]] = {
    "matrix": ("float32", (37, 53)),
    "bias": ("float32", (53,)),
    "wide": ("float64", (1009,)),
    "scalar": ("float64", ()),
    "half": ("float16", (6, 5)),
    "empty": ("float32", (0, 4)),
}


def model(seed: int = 0) -> Arrays:
    numbers = np.random.default_rng([1, seed])
    return {name: numbers.standard_normal(shape).astype(dtype) for name, (dtype, shape) in SHAPES.items()}


def gradients(rank: int, step: int) -> Arrays:
    """Eighths, whose sums and means of two or four are exact in every dtype and any order."""
    numbers = np.random.default_rng([2, rank, step])
    return {name: (numbers.integers(-16, 17, shape) / 8).astype(dtype) for name, (dtype, shape) in SHAPES.items()}


def mean(of: Iterable[Arrays]) -> Arrays:
    listed = list(of)
    return {name: (sum(each[name] for each in listed) / len(listed)).astype(listed[0][name].dtype) for name in SHAPES}


def momentum(lr: float, kept: float) -> Update:
    """The textbook's, a parameter at a time."""
    velocity: Arrays = {}

    def update(values: Arrays, gradient: Arrays, step: int) -> None:
        for name in values:
            dtype = values[name].dtype.type
            velocity[name] = velocity.get(name, np.zeros_like(values[name])) * dtype(kept) + gradient[name]
            values[name] = values[name] - velocity[name] * dtype(lr)

    return update


def train(update: Update, sequence: Iterable[Arrays], values: Arrays | None = None) -> Arrays:
    """What one machine has after these gradients, one after the other."""
    values = model() if values is None else {name: array.copy() for name, array in values.items()}
    for step, gradient in enumerate(sequence, 1):
        update(values, gradient, step)
    return values


def assert_same(found: Any, expected: Arrays) -> None:
    for name, array in expected.items():
        np.testing.assert_array_equal(np.asarray(found[name]), array, err_msg=name, strict=True)
